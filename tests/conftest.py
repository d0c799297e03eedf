"""What tests of several layers are given."""

from collections.abc import Iterator

import pytest
from object_store_server import Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """An S3 on this machine, with an empty bucket named "bucket"."""
    with s3_server() as running:
        yield running
