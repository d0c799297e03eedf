"""From a study's spec to the trials that answer it, and to what they share."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from metakd.core.training import Recipe
from metakd.data.augmentations import is_constant
from metakd.data.bank import bank_bytes, views_id
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import ImageDataset
from metakd.data.splits import Splits, make_splits, nested_subset
from metakd.models.create import default_student, default_teacher
from metakd.study.defaults import recipes_for
from metakd.study.spec import StudySpec
from metakd.study.strategies import STRATEGIES
from metakd.train.trial import DataSpec, TeacherSpec, Trial

# Above this size the views and the teacher's answers are made live.
BANK_LIMIT_BYTES = 4 * 2**30


@dataclass(frozen=True)
class BankSpec:
    """The views of one augmentation and seed, for the largest scale; smaller ones are prefixes."""

    id: str
    augmentation: str
    seed: int
    sample_ids: NDArray[np.int64]
    views: int


@dataclass(frozen=True)
class Job:
    """A trial and the bank that serves it; None makes its views live."""

    trial: Trial
    bank: str | None


@dataclass(frozen=True)
class Plan:
    """What a study will run. Trials that strategies share stand here once.

    Attributes:
        spec: The question.
        data: The dataset and its split.
        teacher: The teacher; None when no strategy asks one.
        student: Name of the student's model.
        jobs: All trials, seed by seed: what is finished early is complete pairs.
        banks: What is made before them; empty when the views are made live.
        bank_bytes: How much the banks take, or would take.
        train_samples: Size of the training split, at scale 1.
    """

    spec: StudySpec
    data: DataSpec
    teacher: TeacherSpec | None
    student: str
    jobs: tuple[Job, ...]
    banks: tuple[BankSpec, ...]
    bank_bytes: int
    train_samples: int

    @property
    def teacher_model(self) -> str | None:
        """Name of the teacher's model, None when no strategy asks one."""
        return None if self.teacher is None else self.teacher.model

    @cached_property
    def trial_ids(self) -> tuple[str, ...]:
        """Ids of all trials, in the order of the jobs."""
        return tuple(job.trial.id for job in self.jobs)

    @property
    def settings(self) -> list[tuple[float, str]]:
        """Scale and augmentation of every setting."""
        return list(product(self.spec.scales, self.spec.augmentations))


def make_plan(spec: StudySpec, dataset: ImageDataset) -> Plan:
    """Lays out all trials of a study on an opened dataset.

    Raises:
        ModelError: If the teacher or the student is unknown.
    """
    data = DataSpec(dataset.name, dataset.fingerprint)
    splits = make_splits(dataset.labels, dataset.test_ids, data.split_seed)
    recipes = recipes_for(dataset.image_shape)
    recipe = _for_epochs(recipes.student, spec.epochs)
    student = spec.student or default_student(dataset.image_shape)
    teacher = TeacherSpec(
        data=data,
        model=spec.teacher or default_teacher(dataset.image_shape),
        augmentation="standard",
        recipe=_for_epochs(recipes.teacher, spec.teacher_epochs),
    )
    trials = {
        trial.id: trial
        for seed in range(spec.seeds)
        for scale, augmentation in product(spec.scales, spec.augmentations)
        for strategy in spec.strategies
        for distiller in STRATEGIES[strategy](spec)
        for trial in [
            Trial(
                data=data,
                scale=scale,
                augmentation=augmentation,
                teacher=teacher if distiller.asks_teacher else None,
                student=student,
                recipe=recipe,
                distiller=distiller,
                seed=seed,
            )
        ]
    }
    banks = _banks(spec, dataset, splits, recipe.epochs)
    size = sum(
        bank_bytes(len(bank.sample_ids), bank.views, dataset.image_shape, dataset.num_classes)
        for bank in banks.values()
    )
    fits = size <= BANK_LIMIT_BYTES
    jobs = tuple(
        Job(trial, banks[trial.augmentation, trial.seed].id if fits else None)
        for trial in trials.values()
    )
    asked = any(trial.teacher for trial in trials.values())
    return Plan(
        spec=spec,
        data=data,
        teacher=teacher if asked else None,
        student=student,
        jobs=jobs,
        banks=tuple(banks.values()) if fits else (),
        bank_bytes=size,
        train_samples=len(splits.train),
    )


def _for_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def _banks(
    spec: StudySpec, dataset: ImageDataset, splits: Splits, epochs: int
) -> dict[tuple[str, int], BankSpec]:
    banks = {}
    for augmentation, seed in product(spec.augmentations, range(spec.seeds)):
        ids = nested_subset(splits.train, dataset.labels, max(spec.scales), seed)
        views = 1 if is_constant(augmentation) else epochs
        view_seed = derive_seed(seed, "augmentation")
        banks[augmentation, seed] = BankSpec(
            views_id(dataset.fingerprint, augmentation, view_seed, ids, views),
            augmentation,
            view_seed,
            ids,
            views,
        )
    return banks
