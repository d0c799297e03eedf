"""What a source of a dataset tells the cache."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decoded:
    """A dataset's content, on its way into the cache.

    Attributes:
        image_shape: (C, H, W).
        chunks: The images in the order of their ids, each chunk (n, C, H, W) uint8; they are taken
            one by one, so that a set larger than memory can be made on the way.
        labels: (N,) int64, each in [0, K).
        class_names: The K names.
        test_ids: Indices of the official test set; None where the splitter has to draw one.
        skipped: How many images were left out because they are corrupt.
    """

    image_shape: tuple[int, ...]
    chunks: Iterable[NDArray[np.uint8]]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None
    skipped: int = 0


@dataclass(frozen=True)
class DecodedSource:
    """A source whose images are decoded once and kept.

    Attributes:
        name: As results show it.
        key: Changes whenever the content may have changed; while it does not, the decoded copy
            in the cache is used.
        decode: Reads the content.
    """

    name: str
    key: str
    decode: Callable[[], Decoded]


@dataclass(frozen=True)
class FolderSource:
    """A folder of image files; the cache keeps its index, pixels stay in the files.

    Attributes:
        name: As results show it.
        root: The folder.
        image_size: Side of the square images that are made of the files, in pixels.
        files: Names of the N files relative to the root, (N,) bytes in the file system's encoding.
        file_sizes: In bytes, (N,) int64.
        labels: (N,) int64, each in [0, K).
        class_names: The K names.
        test_ids: Indices of the official test set; None where the splitter has to draw one.
    """

    name: str
    root: Path
    image_size: int
    files: NDArray[np.bytes_]
    file_sizes: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None


Source = DecodedSource | FolderSource
