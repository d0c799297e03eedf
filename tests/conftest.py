"""What tests of several layers are given."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_store_server import Server, s3_server


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
