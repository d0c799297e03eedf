"""A dataset opened for training: its splits, its statistics, its held-out tensors.

Opening costs more than a short trial, and a reused actor runs hundreds: each process opens once.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from metakd.core.evaluation import Evaluation, evaluate
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import ImageDataset, channel_statistics, open_cached
from metakd.data.splits import Splits, make_splits
from metakd.data.views import Views
from metakd.models.create import create_model
from metakd.train.folder import StudyFolder
from metakd.train.inputs import HeldOut, Normaliser
from metakd.train.share import Share
from metakd.train.trial import DataSpec

DECODING_WORKERS = 2
"""At least so many processes beside each student's own read files, where images do not lie decoded;
more where it has more CPUs."""


def autocast_type(device: str) -> torch.dtype | None:
    """Returns the type of a model's passes: bfloat16 on a GPU that has it, else None."""
    if device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


@dataclass(frozen=True)
class Samples:
    """One dataset under one split.

    Attributes:
        dataset: The images.
        splits: Which of them train, are held out and test.
        device: Where models and small images are.
        workers: Processes that decode files; 0 where the images lie decoded.
        share: This process's part of every batch.
    """

    dataset: ImageDataset
    splits: Splits
    device: str
    workers: int
    share: Share

    @cached_property
    def normalise(self) -> Normaliser:
        """By the channel statistics of the training split alone, unless the dataset's are known."""
        return Normaliser.of(*channel_statistics(self.dataset, self.splits.train), self.device)

    @property
    def autocast(self) -> torch.dtype | None:
        """The type of a model's passes; None computes them as they are."""
        return autocast_type(self.device)

    def evaluate(self, model: nn.Module, held_out: HeldOut) -> Evaluation:
        """Evaluates a model on held-out samples, in its training's precision, on all workers."""
        with torch.autocast(self.device, self.autocast, enabled=self.autocast is not None):
            return evaluate(model, held_out, self.share.group)

    @cached_property
    def validation(self) -> HeldOut:
        """The whole validation split, by which teachers are evaluated."""
        return self.held_out(self.splits.validation)

    @cached_property
    def test(self) -> HeldOut:
        """The test split: read once by a finished trial."""
        return self.held_out(self.splits.test)

    def new_model(self, name: str, seed: int) -> nn.Module:
        """Returns a model before its training, in the layout that is fastest for convolutions.

        Args:
            name: As ``create_model`` takes it.
            seed: The trial's or teacher's seed.
        """
        shape, classes = self.dataset.image_shape, self.dataset.num_classes
        model = create_model(name, shape, classes, seed=derive_seed(seed, "init"))
        return model.to(self.device).to(memory_format=torch.channels_last)

    def views(
        self, augmentation: str, seed: int, sample_ids: NDArray[np.int64], passes: int
    ) -> Views:
        """Returns the views of some samples."""
        return Views(self.dataset, augmentation, seed, sample_ids, passes, self.device)

    def held_out(self, ids: NDArray[np.int64]) -> HeldOut:
        """Returns samples that the student does not train on, as they are."""
        views = self.views("none", 0, ids, passes=1)
        return HeldOut(views, self.normalise, self.workers, self.share)


@lru_cache(maxsize=4)
def open_samples(data: DataSpec, folder: StudyFolder) -> Samples:
    """Opens a prepared dataset; within a process, the same call returns the same object."""
    folder.fetch(folder.datasets / data.fingerprint)
    dataset = open_cached(folder.datasets, data.fingerprint)
    splits = make_splits(dataset.labels, dataset.test_ids, data.split_seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # A worker's threads are its CPUs, and one of these drives the GPU.
    decoding = max(DECODING_WORKERS, torch.get_num_threads() - 1)
    workers = 0 if dataset.is_decoded else decoding
    return Samples(dataset, splits, device, workers, Share.of_this_process())
