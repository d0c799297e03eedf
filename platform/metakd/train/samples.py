"""A dataset opened for training: its splits, its statistics, its held-out tensors.

Opening costs more than a short trial, and a reused actor runs hundreds: each process opens once.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from metakd.data.datasets import ImageDataset, channel_statistics, open_cached
from metakd.data.splits import Splits, make_splits
from metakd.train.folder import StudyFolder
from metakd.train.inputs import Normaliser, dataset_tensors
from metakd.train.trial import DataSpec

EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class Samples:
    """One dataset under one split, on one device."""

    dataset: ImageDataset
    splits: Splits
    device: str

    @cached_property
    def normalise(self) -> Normaliser:
        """By the channel statistics of the training split alone."""
        return Normaliser.of(*channel_statistics(self.dataset, self.splits.train), self.device)

    @cached_property
    def validation(self) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the validation split: for whatever chooses."""
        return self._held_out("validation")

    @cached_property
    def meta(self) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the meta split: for the look-ahead."""
        return self._held_out("meta")

    @cached_property
    def test(self) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the test split: read once by a finished trial."""
        return self._held_out("test")

    def _held_out(self, split: str) -> tuple[Tensor, Tensor]:
        images, labels = dataset_tensors(self.dataset, getattr(self.splits, split))
        return self.normalise(images.to(self.device)), labels.to(self.device)


@lru_cache(maxsize=2)
def open_samples(data: DataSpec, folder: StudyFolder) -> Samples:
    """Opens a prepared dataset; within a process, the same call returns the same object."""
    dataset = open_cached(folder.datasets, data.fingerprint)
    splits = make_splits(dataset.labels, dataset.test_ids, data.split_seed)
    return Samples(dataset, splits, "cuda" if torch.cuda.is_available() else "cpu")
