"""The batches of a run: which samples, in which order, seen through which views.

Order and views depend on seeds, passes and samples alone, so that every method of a setting sees
the same batches, and a view from the bank is the view made live.
"""

import math
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.context import ForkServerContext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from metakd.core.batches import Batch
from metakd.data.bank import Stored
from metakd.data.counter_random import derive_seed
from metakd.data.views import Images, Views
from metakd.train.share import ALONE, Share, require_even
from metakd.train.teacher_outputs import Teachers, transferred

PIXELS_IN_CACHE = 2**15
"""So many pixels of input have layers that stay in a CPU's cache: ResNet-20 takes 1,600 images a
second at 32 or 64 images of 32×32 at once, 570 at 1,024; the digits' teacher 17,000 images of 8×8
at 128 to 512 at once, 12,000 at 943."""
ON_GPU, AT_LEAST = 1024, 16
KEPT_VALUES = 2**22
"""Held-out samples of so many values stay normalised in memory, 16 MiB."""


def forward_batch(image_shape: tuple[int, int, int], device: str) -> int:
    """Returns how many images of shape (C, H, W) a pass without gradients best takes at once."""
    if device != "cpu":
        return ON_GPU
    return max(AT_LEAST, PIXELS_IN_CACHE // (image_shape[1] * image_shape[2]))


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
        """Maps (B, C, H, W) uint8 to float32 of the same shape, on its own device."""
        there = transferred(images, self.mean.device)
        return there.float().div_(255).sub_(self.mean).div_(self.std)


def epoch_order(seed: int, epoch: int, samples: int) -> Tensor:
    """Returns a permutation of the samples, (samples,) int64, for one pass of one seed."""
    generator = torch.Generator().manual_seed(derive_seed(seed, f"order of epoch {epoch}"))
    return torch.randperm(samples, generator=generator)


class ShuffledBatches:
    """Batches in a seeded order, or one worker's share of each.

    Args:
        views: What the samples are seen through.
        batch_size: Samples a step, over all workers; fewer where there are fewer samples.
        order_seed: Seed of the order.
        normalise: From images to inputs.
        stored_views: Where the views were made before; None makes them now.
        teachers: Their outputs for the batches; None without teachers.
        steps_per_epoch: Steps that count as an epoch; None takes one pass over the samples.
        workers: Processes that make views; 0 makes them in this one.
        share: This worker's part of each batch.

    Attributes:
        samples: How many samples there are.

    Raises:
        ShareError: If workers cannot have equal shares.
    """

    def __init__(
        self,
        views: Views,
        batch_size: int,
        order_seed: int,
        normalise: Normaliser,
        stored_views: Stored | None = None,
        teachers: Teachers | None = None,
        steps_per_epoch: int | None = None,
        workers: int = 0,
        share: Share = ALONE,
    ) -> None:
        self._views = views
        self.samples = len(views.sample_ids)
        self._batch_size = min(batch_size, self.samples)
        require_even(self._batch_size, share.workers)
        self._order_seed = order_seed
        self._normalise = normalise
        self._stream = ImageStream(stored_views.take if stored_views else views.images, workers)
        self._teachers = teachers
        self._steps_per_pass = self.samples // self._batch_size
        self._steps_per_epoch = steps_per_epoch or self._steps_per_pass
        self._share = share

    @property
    def steps_per_epoch(self) -> int:
        """How many full batches an epoch has."""
        return self._steps_per_epoch

    def example(self) -> Batch:
        """Returns the first batch, or this worker's share of it."""
        wanted = list(self._rows(0, 1))
        (images,) = self._stream.of(wanted)
        return self._batch(*wanted[0], images)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields the (share of the) batches of an epoch; a pass's incomplete last is left out."""
        first = epoch * self._steps_per_epoch
        wanted = list(self._rows(first, first + self._steps_per_epoch))
        for (rows, number), images in zip(wanted, self._stream.of(wanted), strict=True):
            yield self._batch(rows, number, images)

    def _rows(self, start: int, stop: int) -> Iterator[tuple[Tensor, int]]:
        """Yields rows and view number of the steps from start to stop."""
        pass_, order = -1, torch.empty(0)
        for step in range(start, stop):
            if step // self._steps_per_pass != pass_:
                pass_ = step // self._steps_per_pass
                order = epoch_order(self._order_seed, pass_, self.samples)
            place = step % self._steps_per_pass * self._batch_size
            rows = order[place : place + self._batch_size]
            yield self._share.of(rows), self._views.number(pass_)

    def _batch(self, rows: Tensor, number: int, images: Tensor) -> Batch:
        inputs = self._normalise(images)
        labels = transferred(self._views.labels(rows, number), inputs.device)
        if self._teachers is None:
            return Batch(inputs, labels, None)
        return Batch(inputs, labels, *self._teachers.outputs(rows, number, inputs))


class HeldOut:
    """Samples that are not trained on, as they are.

    Args:
        views: The samples under the recipe "none".
        normalise: From images to inputs.
        workers: Processes that read them; 0 reads them in this one.
        share: This worker's part of them.
    """

    def __init__(
        self, views: Views, normalise: Normaliser, workers: int = 0, share: Share = ALONE
    ) -> None:
        self._views = views
        self._normalise = normalise
        self._workers = workers
        self._share = share
        self._stream = ImageStream(views.images, workers)
        self._batches: list[tuple[Tensor, Tensor]] = []

    def first(self, samples: int) -> "HeldOut":
        """Returns the first so many samples alone."""
        fewer = replace(self._views, sample_ids=self._views.sample_ids[:samples])
        return HeldOut(fewer, self._normalise, self._workers, self._share)

    def __len__(self) -> int:
        return len(self._views.sample_ids)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields inputs and labels of all samples, or of this worker's share."""
        if self._batches:
            yield from self._batches
            return
        batches = self._read()
        if math.prod(self._views.shape) <= KEPT_VALUES:
            # Needed after every epoch: of a small set normalising takes as long as a small model.
            self._batches = list(batches)
            batches = iter(self._batches)
        yield from batches

    def _read(self) -> Iterator[tuple[Tensor, Tensor]]:
        at_once = forward_batch(self._views.dataset.image_shape, self._normalise.mean.device.type)
        wanted = [(rows, 0) for rows in self._share.of(torch.arange(len(self))).split(at_once)]
        for (rows, _), images in zip(wanted, self._stream.of(wanted), strict=True):
            yield self._normalise(images), self._labels(rows)

    def batch(self, rows: Tensor) -> Batch:
        """Returns some of the samples, or this worker's share of them."""
        rows = self._share.of(rows)
        return Batch(self._normalise(self._views.images(rows, 0)), self._labels(rows), None)

    def _labels(self, rows: Tensor) -> Tensor:
        return transferred(self._views.labels(rows, 0), self._normalise.mean.device)


class HeldOutMetaBatches:
    """Meta batches: held-out samples in seeded order, round after round.

    Args:
        samples: The held-out samples.
        batch_size: Samples of a batch, over all workers; fewer where there are fewer samples.
        seed: The trial's seed.
    """

    def __init__(self, samples: HeldOut, batch_size: int, seed: int) -> None:
        self._samples = samples
        self._batch_size = min(batch_size, len(samples))
        self._per_round = len(samples) // self._batch_size
        self._seed = derive_seed(seed, "meta")
        self._round = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def at(self, step: int) -> Batch:
        """Returns the meta batch of a step; a pure function of seed and step."""
        round_, place = divmod(step, self._per_round)
        if round_ != self._round:
            self._round = round_
            self._order = epoch_order(self._seed, round_, len(self._samples))
        rows = self._order[place * self._batch_size : (place + 1) * self._batch_size]
        return self._samples.batch(rows)


Wanted = Sequence[tuple[Tensor, int]]
"""Rows (B,) and the number of their view, batch after batch."""


class ImageStream:
    """Streams batches of images.

    Args:
        images: What makes views, or reads kept ones.
        workers: How many processes make them ahead; 0 makes each when it is needed, which is
            right wherever no file has to be decoded. They stay between calls.
    """

    def __init__(self, images: Images, workers: int = 0) -> None:
        self._source = _Source(images)
        self._wanted: list[tuple[Tensor, int]] = []
        self._loader: DataLoader[Tensor] | None = None
        if workers > 0:
            self._loader = DataLoader(
                self._source,
                batch_size=None,
                sampler=self._wanted,
                num_workers=workers,
                persistent_workers=True,
                multiprocessing_context=_fork_server(),
            )

    def of(self, wanted: Wanted) -> Iterator[Tensor]:
        """Yields images (B, C, H, W) uint8, one batch for each entry."""
        if self._loader is None:
            return map(self._source.__getitem__, wanted)
        self._wanted[:] = wanted
        return iter(self._loader)


@cache
def _fork_server() -> ForkServerContext:
    """Returns what starts processes: Ray's actors have threads, which a plain fork breaks."""
    context = multiprocessing.get_context("forkserver")
    # Imported once, not by every process.
    context.set_forkserver_preload(["timm.data", __name__])
    return context


class _Source(Dataset[Tensor]):
    """Images of views, indexed by their rows and number."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __getitem__(self, wanted: tuple[Tensor, int]) -> Tensor:
        return self._images(*wanted)
