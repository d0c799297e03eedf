"""A training small enough for a check: a linear teacher of random points."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.training import Recipe

BATCH, FEATURES = 8, 4
RECIPE = Recipe(epochs=6, batch_size=BATCH, lr=0.05)


class ToyBatches:
    """Batches of float32 points, the same for whoever asks again.

    Args:
        classes: C.
        seed: Another one gives other points, for the meta split.
        rank: Which share of every batch this process has.
        world: Of how many.
    """

    steps_per_epoch = 5

    def __init__(self, classes: int, seed: int = 0, rank: int = 0, world: int = 1) -> None:
        self._classes, self._seed, self._share = classes, seed, (rank, world)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields an epoch's batches."""
        for step in range(self.steps_per_epoch):
            yield self.at(epoch * self.steps_per_epoch + step)

    def at(self, step: int) -> Batch:
        """Returns the batch of a step."""
        rank, world = self._share
        inputs = normal((BATCH, FEATURES), 1000 * self._seed + step)
        logits = 2 * inputs @ normal((FEATURES, self._classes), -1)
        noise = normal((BATCH, self._classes), 1000 * self._seed + step + 500)
        labels = (logits + noise).argmax(dim=1)
        return Batch(inputs[rank::world], labels[rank::world], logits[rank::world])


def normal(shape: tuple[int, int], seed: int) -> Tensor:
    """Returns standard normal numbers that depend on shape and seed alone."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(2**20 + seed))


def new_student(classes: int, seed: int) -> nn.Module:
    """Returns a student of the points, and leaves torch's random state at the seed."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, classes))
