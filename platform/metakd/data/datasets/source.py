"""The source of a dataset, as the cache reads it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

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
        notes: What a reader should know about how the content was taken, in sentences.
    """

    image_shape: tuple[int, ...]
    chunks: Iterable[NDArray[np.uint8]]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None
    skipped: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecodedSource:
    """A source whose images are decoded once and kept.

    Attributes:
        name: As results show it.
        key: Changes whenever the content may have changed; while it does not, the decoded copy
            in the cache is used.
        decode: Reads the content.
        notes: What a reader should know about the files, in sentences.
    """

    name: str
    key: str
    decode: Callable[[], Decoded]
    notes: tuple[str, ...] = ()


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
        corrupt_images: What is done about files that cannot be decoded.
        has_default_size: Whether nobody chose the image size.
        notes: What a reader should know about the files, in sentences.
    """

    name: str
    root: Path
    image_size: int
    files: NDArray[np.bytes_]
    file_sizes: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None
    corrupt_images: Literal["fail", "skip"] = "fail"
    has_default_size: bool = False
    notes: tuple[str, ...] = ()

    def only(self, kept: NDArray[np.bool_]) -> "FolderSource":
        """Returns the source with some of its files, (N,) true where one stays."""
        test_ids = self.test_ids
        if test_ids is not None:
            place = np.cumsum(kept) - 1
            test_ids = place[test_ids[kept[test_ids]]]
        return replace(
            self,
            files=self.files[kept],
            file_sizes=self.file_sizes[kept],
            labels=self.labels[kept],
            test_ids=test_ids,
        )


Source = DecodedSource | FolderSource
