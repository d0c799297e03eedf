"""A training small enough for a check: linear teachers of random points."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import DistillerConfig, KDConfig
from metakd.core.features import MapShape
from metakd.core.recipe import Recipe

BATCH, FEATURES = 8, 4
TEACHER_MAPS: tuple[MapShape, ...] = ((6, 1, 1), (5, 2, 2), (8, 1, 1))
RECIPE = Recipe(epochs=6, batch_size=BATCH, lr=0.05)


class ToyBatches:
    """Batches of float32 points, the same at every call.

    Args:
        classes: C.
        seed: Another one gives other points, for held-out ones.
        rank: Which share of every batch this process has.
        world: Of how many.
        config: What batches hold of teachers is what its method needs: nothing, or the logits of
            one teacher, or those of three, and perhaps their features.
    """

    steps_per_epoch = 5

    def __init__(
        self,
        classes: int,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        config: DistillerConfig | None = None,
    ) -> None:
        self._classes, self._seed, self._share = classes, seed, (rank, world)
        self._config = KDConfig() if config is None else config

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
        whole = Batch(inputs, labels, logits if self._config.uses_teacher else None)
        if self._config.takes_several:
            whole = self._of_several(whole, inputs, logits, self._config.uses_features)
        return whole.each(lambda rows: rows[rank::world])

    def _of_several(
        self, batch: Batch, inputs: Tensor, logits: Tensor, with_features: bool
    ) -> Batch:
        several = [
            logits + number * inputs @ normal((FEATURES, self._classes), -2 - number)
            for number in range(len(TEACHER_MAPS))
        ]
        features = [
            (inputs @ normal((FEATURES, c * h * w), -12 - number)).view(-1, c, h, w)
            for number, (c, h, w) in enumerate(TEACHER_MAPS)
        ]
        return batch._replace(
            teacher_logits=None,
            ensemble_logits=torch.stack(several, dim=1),
            teacher_features=tuple(features) if with_features else (),
        )


def normal(shape: tuple[int, int], seed: int) -> Tensor:
    """Returns standard normal numbers that depend on shape and seed alone."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(2**20 + seed))


class ToyStudent(nn.Sequential):
    """Layers, of which the last is the head, as timm names them."""

    def forward_features(self, inputs: Tensor) -> Tensor:
        """Returns what the head is given."""
        for layer in list(self)[:-1]:
            inputs = layer(inputs)
        return inputs

    def forward_head(self, features: Tensor) -> Tensor:
        """Returns the logits."""
        logits: Tensor = self[-1](features)
        return logits


def new_student(classes: int, seed: int) -> nn.Module:
    """Returns a student of the points, and leaves torch's random state at the seed."""
    torch.manual_seed(seed)
    return ToyStudent(nn.Linear(FEATURES, 8), nn.Tanh(), nn.Linear(8, classes))


def new_teacher(classes: int) -> nn.Module:
    """Returns a teacher of the points, for methods that move theirs; torch's random state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2**20)
        return nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, classes))
