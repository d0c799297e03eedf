"""The loops that the benchmark of the data path times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from plain_loop import plain_loop
from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.distillers import KDConfig
from metakd.core.training import Recipe, train
from metakd.data.bank import build_outputs, build_views, open_outputs, open_views
from metakd.data.datasets import DecodedDataset, channel_statistics, open_dataset
from metakd.data.splits import make_splits, nested_subset
from metakd.data.views import Views
from metakd.models.create import create_model
from metakd.train.inputs import Normaliser, ShuffledBatches
from metakd.train.teacher_outputs import Teacher, Teachers

COMPUTE, BANK, LOGITS, LIVE, PLAIN = (
    "compute only",
    "bank",
    "bank, logits only",
    "live",
    "plain loop",
)
ROWS = (COMPUTE, BANK, LOGITS, LIVE, PLAIN)
TEACHER_ID = "teacher"


@dataclass(frozen=True)
class Case:
    """What is measured."""

    dataset: str
    student: str
    teacher: str
    augmentation: str
    batch: int
    samples: int
    steps: int
    threads: int
    cache: Path


class Setup:
    """The student's task, opened from what :func:`prepare` left on the disk."""

    def __init__(self, case: Case) -> None:
        torch.set_num_threads(case.threads)
        self.case = case
        dataset = open_dataset(case.dataset, case.cache / "datasets")
        assert isinstance(dataset, DecodedDataset)
        self.dataset = dataset
        train_ids = make_splits(dataset.labels, dataset.test_ids).train
        self.ids = nested_subset(
            train_ids, dataset.labels, min(1.0, case.samples / len(train_ids)), seed=0
        )
        self.statistics = channel_statistics(dataset, self.ids)
        self.normalise = Normaliser.of(*self.statistics, "cpu")
        self.views = Views(dataset, case.augmentation, 0, self.ids, passes=1)
        # Its outputs cost the same whether it was trained or not.
        self.teacher = self.model(case.teacher).eval().requires_grad_(False)

    def model(self, name: str) -> nn.Module:
        """Returns a new model in the layout that trials use."""
        made = create_model(name, self.dataset.image_shape, self.dataset.num_classes, seed=0)
        return made.to(memory_format=torch.channels_last)

    def outputs(self, inputs: Tensor) -> dict[str, Tensor]:
        """Returns the teacher's logits."""
        with torch.no_grad():
            return {"logits": self.teacher(inputs)}

    def batches(self, row: str) -> ShuffledBatches:
        """Returns our batches for a row."""
        banks, id_ = self.case.cache / "banks", self.views.id
        stored = {"logits": open_outputs(banks, id_, TEACHER_ID, "float16")}
        return ShuffledBatches(
            self.views,
            self.case.batch,
            order_seed=0,
            normalise=self.normalise,
            stored_views=open_views(banks, id_) if row == BANK else None,
            teachers=Teachers([Teacher({}, self.outputs) if row == LIVE else Teacher(stored)]),
            steps_per_epoch=self.case.steps,
        )


def prepare(case: Case) -> None:
    """Decodes the dataset and builds the bank."""
    setup = Setup(case)
    banks = case.cache / "banks"
    build_views(banks, setup.views)
    build_outputs(
        banks,
        setup.views,
        TEACHER_ID,
        lambda images: setup.outputs(setup.normalise(images)),
        batch_size=256,
    )


class Repeated:
    """The same batch, as often as there are steps."""

    def __init__(self, batch: Batch, steps: int) -> None:
        self.steps_per_epoch = steps
        self._batch = batch

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yields the batch again and again."""
        for _ in range(self.steps_per_epoch):
            yield self._batch


def compute_only(setup: Setup) -> Callable[[], None]:
    """Forward, loss, backward and optimiser, written out: no loop of ours around them."""
    student = setup.model(setup.case.student).train()
    optimiser = Recipe(epochs=1).optimiser(student)
    distiller = KDConfig().build()
    batch = next(setup.batches(BANK).epoch(0))

    def steps() -> None:
        for _ in range(setup.case.steps):
            losses = distiller.loss(student(batch.inputs), batch)
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()

    return steps


def our_loop(setup: Setup, row: str) -> Callable[[], None]:
    """The product's training loop over its batches."""
    student, batches = setup.model(setup.case.student), setup.batches(row)
    recipe = Recipe(epochs=1, batch_size=setup.case.batch)
    return lambda: train(student, KDConfig().build(), recipe, batches)


def make(setup: Setup, row: str) -> Callable[[], None]:
    """Returns what a row times."""
    if row == COMPUTE:
        return compute_only(setup)
    if row != PLAIN:
        return our_loop(setup, row)
    return plain_loop(
        setup.dataset.images[setup.ids],
        setup.dataset.labels[setup.ids],
        setup.statistics,
        setup.model(setup.case.student),
        setup.model(setup.case.teacher),
        setup.case.augmentation,
        setup.case.batch,
        setup.case.steps,
    )
