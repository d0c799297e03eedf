"""What tests of several layers are given."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store_server import Server, s3_server

if "PYTEST_XDIST_WORKER" in os.environ:
    # Each of the processes that share the tests has a core: read by PyTorch when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

LONG = (
    *("study/test_on_ray", "study/test_running_cluster", "study/test_command.py"),
    *("study/test_on_object_store", "dashboards/test_browser", "study/test_nodes"),
    *("study/test_fuzz_command_line", "study/test_full_disk", "data/test_datasets", "benchmarks"),
    *("core/test_training_ddp", "results"),
)
"""What takes longest begins first, so that nobody waits for it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take longest first."""

    def place(item: pytest.Item) -> int:
        return next((i for i, part in enumerate(LONG) if f"tests/{part}" in item.nodeid), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An S3 on this machine, with an empty bucket named "bucket"."""
    with s3_server() as running:
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
