"""What a dataset is here: labelled images, and the ids of an official test set."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metakd.data.augmentations import make_views

Statistics = tuple[NDArray[np.float32], NDArray[np.float32]]

RESIDENT_BYTES = 4 * 2**30
"""A GPU keeps the images of a set up to this size."""


@dataclass(frozen=True, kw_only=True)
class ImageDataset(ABC):
    """N labelled images of one shape; a sample's id is its index.

    Attributes:
        labels: (N,) int64, each in [0, K).
        class_names: The K names.
        test_ids: Indices of the official test set; None where the splitter has to draw one.
        name: As results show it, for example "digits" or "parquet:cifar10".
        fingerprint: Hash that identifies the images: the same ones at another path have the same.
        skipped: How many images of the source were left out because they are corrupt.
        notes: What a reader should know about how the source was read, in sentences.
        contents: (N,) int64, equal where two images are the same byte for byte; None where that is
            not known.
    """

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    test_ids: NDArray[np.int64] | None
    name: str
    fingerprint: str
    skipped: int = 0
    notes: tuple[str, ...] = ()
    contents: NDArray[np.int64] | None = None

    @property
    def num_classes(self) -> int:
        """The number of classes K."""
        return len(self.class_names)

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""

    @property
    @abstractmethod
    def is_decoded(self) -> bool:
        """Whether pixels lie ready in memory; otherwise each read decodes a file."""

    @property
    @abstractmethod
    def statistics(self) -> Statistics | None:
        """Known mean and standard deviation by channel, each (C,), in units of 0 to 1.

        None where they are to be computed from the training split.
        """

    @abstractmethod
    def pixels(self, ids: NDArray[np.int64]) -> Tensor:
        """Returns images without augmentation, (n, C, H, W) uint8.

        Raises:
            DatasetError: If one cannot be read.
        """

    @abstractmethod
    def views(self, ids: Tensor, numbers: Tensor, recipe: str, seed: int) -> Tensor:
        """Returns one augmented view of each sample, the same bytes in any batching.

        Args:
            ids: The samples, (B,) int64.
            numbers: Which view of each, (B,) int64.
            recipe: "none", "standard" or "strong".
            seed: Seed of the views.

        Returns:
            (B, C, H, W) uint8.

        Raises:
            DatasetError: If an image cannot be read.
        """


@dataclass(frozen=True, kw_only=True)
class DecodedDataset(ImageDataset):
    """Images that were decoded before.

    Attributes:
        images: (N, C, H, W) uint8; may be a read-only memory map.
    """

    images: NDArray[np.uint8]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of every image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @property
    def is_decoded(self) -> bool:
        """True."""
        return True

    @property
    def statistics(self) -> Statistics | None:
        """None: they are not known beforehand."""
        return None

    def pixels(self, ids: NDArray[np.int64]) -> Tensor:
        """Returns images as they are, (n, C, H, W) uint8."""
        # A plain array over the map: indexing numpy.memmap itself is several times slower.
        return torch.from_numpy(np.asarray(self.images)[ids])

    def views(self, ids: Tensor, numbers: Tensor, recipe: str, seed: int) -> Tensor:
        """Returns views by ``metakd.data.augmentations.make_views``."""
        return make_views(self._at(ids), ids, numbers, recipe, seed)

    def _at(self, ids: Tensor) -> Tensor:
        """Returns images on the device of their ids; a GPU keeps a copy of all of a small set."""
        if ids.device.type == "cpu" or self.images.nbytes > RESIDENT_BYTES:
            return self.pixels(ids.cpu().numpy()).to(ids.device)
        if ids.device not in self._resident:
            self._resident[ids.device] = torch.from_numpy(np.array(self.images)).to(ids.device)
        return self._resident[ids.device][ids]

    @cached_property
    def _resident(self) -> dict[torch.device, Tensor]:
        return {}


def channel_statistics(dataset: ImageDataset, ids: NDArray[np.int64]) -> Statistics:
    """Returns mean and standard deviation by channel, each (C,), with pixels in [0, 1].

    Args:
        dataset: The images; if their statistics are known, these are returned.
        ids: The samples to look at: those of the training split.
    """
    if dataset.statistics is not None:
        return dataset.statistics
    channels, height, width = dataset.image_shape
    total, total_of_squares = np.zeros(channels), np.zeros(channels)
    for start in range(0, len(ids), 4096):
        pixels = dataset.pixels(ids[start : start + 4096]).numpy().astype(np.float64) / 255
        total += pixels.sum(axis=(0, 2, 3))
        total_of_squares += np.square(pixels).sum(axis=(0, 2, 3))
    count = len(ids) * height * width
    mean = total / count
    deviation = np.sqrt(np.maximum(total_of_squares / count - mean**2, 0))
    # A channel that never changes is centred, not divided by zero.
    deviation[deviation < 1e-6] = 1
    return mean.astype(np.float32), deviation.astype(np.float32)
