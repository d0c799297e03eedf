"""The batches of a run: which samples, in which order, seen through which views.

Order and views depend on seeds, epochs and samples alone, so that every method of a setting sees
the same batches, and a view from the bank is the view made live.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metakd.core.batches import Batch
from metakd.data.augmentations import make_views
from metakd.data.bank import ViewBank
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import ImageDataset

Teacher = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Normaliser:
    """Turns uint8 images into a model's inputs: (x / 255 − mean) / std by channel."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def of(mean: NDArray[np.float32], std: NDArray[np.float32], device: str) -> "Normaliser":
        """Makes one from channel statistics in units of 0 to 1, each (C,)."""
        shape = (1, -1, 1, 1)
        return Normaliser(
            torch.tensor(mean, device=device).reshape(shape),
            torch.tensor(std, device=device).reshape(shape),
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Maps (B, C, H, W) uint8 to float32 of the same shape."""
        return images.float().div_(255).sub_(self.mean).div_(self.std)


def epoch_order(seed: int, epoch: int, samples: int) -> Tensor:
    """Returns a permutation of the samples, (samples,) int64, for one epoch of one seed."""
    generator = torch.Generator().manual_seed(derive_seed(seed, f"order of epoch {epoch}"))
    return torch.randperm(samples, generator=generator)


class _ShuffledBatches(ABC):
    """Batches in a seeded order, or one worker's share of each."""

    def __init__(
        self,
        labels: Tensor,
        batch_size: int,
        order_seed: int,
        normalise: Normaliser,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._labels = labels
        self._batch_size = min(batch_size, len(labels)) // world_size * world_size
        self._order_seed = order_seed
        self._normalise = normalise
        self._rank = rank
        self._world_size = world_size

    @property
    def steps_per_epoch(self) -> int:
        """How many full batches an epoch has."""
        return len(self._labels) // self._batch_size

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields the (share of the) batches of an epoch; the incomplete last one is left out."""
        order = epoch_order(self._order_seed, epoch, len(self._labels))
        for step in range(self.steps_per_epoch):
            rows = order[step * self._batch_size : (step + 1) * self._batch_size]
            yield self._batch(rows[self._rank :: self._world_size], epoch)

    @abstractmethod
    def _batch(self, rows: Tensor, epoch: int) -> Batch: ...


class BankBatches(_ShuffledBatches):
    """Batches from the bank: views made before, and the teacher's answers where it has them."""

    def __init__(
        self,
        bank: ViewBank,
        labels: Tensor,
        batch_size: int,
        order_seed: int,
        normalise: Normaliser,
    ) -> None:
        super().__init__(labels, batch_size, order_seed, normalise)
        self._bank = bank

    def _batch(self, rows: Tensor, epoch: int) -> Batch:
        views, logits = self._bank.batch(rows, epoch)
        device = self._labels.device
        return Batch(
            self._normalise(views.to(device)),
            self._labels[rows],
            None if logits is None else logits.to(device),
        )


class LiveBatches(_ShuffledBatches):
    """Batches made on the spot: augmented now, and the teacher asked now.

    Args:
        images: All images that rows refer to, (n, C, H, W) uint8.
        sample_ids: Their ids in the dataset, (n,); a view's randomness is keyed by them.
        labels: Their classes, (n,).
        augmentation: Name of the recipe.
        view_seed: Seed of the views.
        teacher: Maps normalised inputs to logits (B, C); None where no teacher is asked.
        batch_size: Samples a step, over all workers.
        order_seed: Seed of the order.
        normalise: From images to inputs.
        rank: Which worker this is.
        world_size: How many workers share each batch.
    """

    def __init__(
        self,
        images: Tensor,
        sample_ids: Tensor,
        labels: Tensor,
        augmentation: str,
        view_seed: int,
        teacher: Teacher | None,
        batch_size: int,
        order_seed: int,
        normalise: Normaliser,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(labels, batch_size, order_seed, normalise, rank, world_size)
        self._images = images
        self._sample_ids = sample_ids
        self._augmentation = augmentation
        self._view_seed = view_seed
        self._teacher = teacher

    def _batch(self, rows: Tensor, epoch: int) -> Batch:
        views = make_views(
            self._images[rows],
            self._sample_ids[rows],
            torch.full_like(rows, epoch),
            self._augmentation,
            self._view_seed,
        )
        inputs = self._normalise(views.to(self._labels.device))
        logits = None if self._teacher is None else self._teacher(inputs)
        return Batch(inputs, self._labels[rows], logits)


class HeldOutMetaBatches:
    """Meta batches: the meta split in seeded order, without augmentation, round after round."""

    def __init__(self, inputs: Tensor, labels: Tensor, batch_size: int, seed: int) -> None:
        self._inputs = inputs
        self._labels = labels
        self._batch_size = min(batch_size, len(labels))
        self._per_round = len(labels) // self._batch_size
        self._seed = derive_seed(seed, "meta")
        self._round = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def at(self, step: int) -> Batch:
        """Returns the meta batch of a step; a pure function of seed and step."""
        round_, place = divmod(step, self._per_round)
        if round_ != self._round:
            self._round = round_
            self._order = epoch_order(self._seed, round_, len(self._labels))
        rows = self._order[place * self._batch_size : (place + 1) * self._batch_size]
        return Batch(self._inputs[rows], self._labels[rows], None)


def dataset_tensors(dataset: ImageDataset, ids: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Returns images (n, C, H, W) uint8 and labels (n,) of some samples of a dataset."""
    return torch.from_numpy(dataset.images[ids]), torch.from_numpy(dataset.labels[ids])
