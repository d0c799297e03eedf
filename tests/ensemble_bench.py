"""A small student with features, three teachers of other shapes, and the batches of a run."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import SeveralTeachersConfig
from metakd.core.distillers.several import SeveralTeachers
from metakd.core.training import Recipe, Training

SAMPLES, BATCH, CLASSES, SIZE = 48, 12, 4, 6
MAPS = ((5, 2, 2), (7, 6, 6), (6, 1, 1))


class Student(nn.Module):
    """A convolutional student with BatchNorm and dropout, by timm's names."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.Tanh(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(6, CLASSES)

    def forward_features(self, inputs: Tensor) -> Tensor:
        features: Tensor = self.layers(inputs)
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits

    def forward(self, inputs: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(inputs))


@dataclass
class Teachers:
    """Training batches with the logits of some of three teachers, the first the best.

    Attributes:
        order: Which teachers, in which order.
        dtype: Of all numbers.
        alone: Whether the first is given as a single teacher.
        seed: Another one gives other samples.
    """

    order: tuple[int, ...] = (0, 1, 2)
    dtype: torch.dtype = torch.float32
    alone: bool = False
    seed: int = 0
    steps_per_epoch: int = SAMPLES // BATCH

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        weights = torch.Generator().manual_seed(1000)

        def normal(*shape: int, of: torch.Generator = weights) -> Tensor:
            return torch.randn(*shape, generator=of, dtype=torch.float64)

        inputs = normal(SAMPLES, 1, SIZE, SIZE, of=generator)
        flat, truth = inputs.flatten(1), normal(SIZE**2, CLASSES)
        logits = [flat @ (truth + number * normal(SIZE**2, CLASSES)) for number in range(3)]
        maps = [
            (0.2 * flat @ normal(SIZE**2, c * h * w)).view(-1, c, h, w).sigmoid()
            for c, h, w in MAPS
        ]
        chosen = torch.stack([logits[number] for number in self.order], dim=1)
        self.whole = Batch(
            inputs,
            (flat @ truth).argmax(dim=1),
            chosen[:, 0] if self.alone else None,
            None if self.alone else chosen,
            () if self.alone else tuple(maps[number] for number in self.order),
        ).each(lambda rows: rows.to(self.dtype) if rows.is_floating_point() else rows)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(epoch)
        for rows in torch.randperm(SAMPLES, generator=generator).split(BATCH):
            yield self.rows(rows)

    def at(self, step: int) -> Batch:
        return self.rows(torch.arange(step % self.steps_per_epoch, SAMPLES, self.steps_per_epoch))

    def rows(self, rows: Tensor) -> Batch:
        return self.whole.each(lambda whole: whole[rows])


def begun(
    config: SeveralTeachersConfig,
    teachers: Teachers | None = None,
    dropout: float = 0.0,
    recipe: Recipe | None = None,
    autocast: torch.dtype | None = None,
) -> tuple[nn.Module, SeveralTeachers, Training]:
    """Returns what is trained, who teaches it, and the training before its first step."""
    teachers = teachers or Teachers()
    held_out = Teachers(teachers.order, teachers.dtype, teachers.alone, seed=9)
    torch.manual_seed(1)
    student = Student(dropout).to(teachers.dtype)
    distiller = config.build()
    trained = distiller.extend(student, teachers.at(0), seed=3).to(teachers.dtype)
    recipe = recipe or Recipe(epochs=6, batch_size=BATCH, lr=0.05)
    return trained, distiller, Training(trained, distiller, recipe, teachers, held_out, autocast)
