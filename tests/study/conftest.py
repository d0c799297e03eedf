"""The Ray cluster that tests share."""

from collections.abc import Iterator

import pytest
import ray

from metakd.study.cluster import Cluster, connect


@pytest.fixture(scope="session")
def _shared() -> Iterator[list[Cluster]]:
    yield []
    ray.shutdown()


@pytest.fixture(scope="module")
def cluster(_shared: list[Cluster]) -> Cluster:
    """A local cluster, started once for all modules of a process that need no more than one."""
    if not ray.is_initialized():
        _shared[:] = [connect("local")]
    return _shared[0]
