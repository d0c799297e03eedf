"""Which images are the same byte for byte: a number for each, equal where their bytes are."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError
from metakd.machine import usable_cpus

CHUNK = 4096
FILES_READ, BYTES_READ = 20_000, 2**30
"""Files are compared where at most so many are as long as another one: ImageNet's 140 GB are not
read to plan a study."""


def contents_of(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the numbers of images, (N,) for (N, C, H, W)."""
    return np.array([_number(np.ascontiguousarray(image).data) for image in images], dtype=np.int64)


def contents_of_mapped(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the numbers of images that lie in a memory map, read chunk by chunk."""
    chunks = [contents_of(images[at : at + CHUNK]) for at in range(0, len(images), CHUNK)]
    return np.concatenate([np.zeros(0, np.int64), *chunks])


def contents_of_files(
    root: Path, files: NDArray[np.bytes_], sizes: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Returns the numbers of files; only those that share their size with another are read.

    Returns:
        None where that are too many to read.

    Raises:
        DatasetError: If a file cannot be read.
    """
    _, inverse, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(counts[inverse] > 1)
    if len(shared) > FILES_READ or sizes[shared].sum() > BYTES_READ:
        return None
    # Below zero: no file that was read has such a number.
    contents = -np.arange(1, len(files) + 1, dtype=np.int64)

    def read(name: bytes) -> int:
        return _number((root / os.fsdecode(name)).read_bytes())

    try:
        with ThreadPoolExecutor(usable_cpus()) as pool:
            contents[shared] = list(pool.map(read, files[shared]))
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from error
    return contents


def _number(content: bytes | memoryview) -> int:
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
