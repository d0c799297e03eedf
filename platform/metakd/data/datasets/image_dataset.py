"""What a dataset is here: arrays of images and labels, and the ids of an official test set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class DatasetError(ValueError):
    """A dataset that does not exist or cannot be read."""


@dataclass(frozen=True)
class Decoded:
    """A dataset's content.

    Attributes:
        images: (N, C, H, W) uint8; may be a read-only memory map.
        labels: (N,) int64, each in [0, K).
        class_names: The K names.
        test_ids: Indices of the official test set; None where the splitter has to draw one.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None


@dataclass(frozen=True)
class ImageDataset(Decoded):
    """A dataset's content with its identity; a sample's id is its index.

    Attributes:
        name: As results show it, for example "digits" or "parquet:cifar10".
        fingerprint: Hash of the content: the same data at another path has the same one.
    """

    name: str
    fingerprint: str

    @property
    def num_classes(self) -> int:
        """The number of classes K."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from.

    Attributes:
        name: As results show it.
        key: Changes whenever the content may have changed; while it does not, the decoded copy
            in the cache is used.
        decode: Reads the content.
    """

    name: str
    key: str
    decode: Callable[[], Decoded]


def channel_statistics(
    dataset: ImageDataset, ids: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns mean and standard deviation by channel, each (C,), with pixels in [0, 1].

    Args:
        dataset: The images.
        ids: The samples to look at: those of the training split.
    """
    channels = dataset.image_shape[0]
    total, total_of_squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(ids), 4096):
        pixels = dataset.images[ids[start : start + 4096]].astype(np.float64) / 255
        total += pixels.sum(axis=(0, 2, 3))
        total_of_squares += np.square(pixels).sum(axis=(0, 2, 3))
    count = len(ids) * dataset.images[0, 0].size
    mean = total / count
    deviation = np.sqrt(np.maximum(total_of_squares / count - mean**2, 0))
    # A channel that never changes is centred, not divided by zero.
    deviation[deviation < 1e-6] = 1
    return mean.astype(np.float32), deviation.astype(np.float32)
