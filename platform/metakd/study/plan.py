"""From a study's spec to the trials that answer it, and to what they share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from metakd.core.training import Recipe
from metakd.data.datasets import ImageDataset
from metakd.data.splits import Splits, make_splits
from metakd.models.create import default_student, default_teacher
from metakd.study.banks import CHOSEN_BY_SIZE, BankPolicy, BankSpec, bank_of, choose_modes
from metakd.study.defaults import recipes_for
from metakd.study.spec import StudySpec
from metakd.study.strategies import STRATEGIES
from metakd.train.sampling import Sampling, training_views
from metakd.train.student import Bank
from metakd.train.trial import DataSpec, TeacherSpec, Trial


@dataclass(frozen=True)
class Job:
    """A trial and what its run has to know.

    Attributes:
        trial: The content.
        bank: What was made before it; None makes views and answers live.
        samples: How many samples it trains on.
    """

    trial: Trial
    bank: Bank | None
    samples: int


@dataclass(frozen=True)
class Plan:
    """What a study will run. Trials that strategies share stand here once.

    Attributes:
        spec: The question.
        data: The dataset and its split.
        teacher: The teacher; None when no strategy asks one.
        student: Name of the student's model.
        jobs: All trials, seed by seed: what is finished early is complete pairs.
        banks: Their views and answers, and what of them is kept.
        train_samples: Size of the training split, at scale 1.
    """

    spec: StudySpec
    data: DataSpec
    teacher: TeacherSpec | None
    student: str
    jobs: tuple[Job, ...]
    banks: tuple[BankSpec, ...]
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
        return list(dict.fromkeys((s.scale, s.augmentation) for s in self.samplings))

    @property
    def samplings(self) -> list[Sampling]:
        """What students are shown, setting by setting."""
        return list(dict.fromkeys(job.trial.sampling for job in self.jobs))


def make_plan(
    spec: StudySpec, dataset: ImageDataset, bank_policy: BankPolicy = CHOSEN_BY_SIZE
) -> Plan:
    """Lays out all trials of a study on an opened dataset.

    Args:
        spec: The question.
        dataset: The images.
        bank_policy: What is kept of views and answers; it changes no result.

    Raises:
        ModelError: If the teacher or the student is unknown.
        SplitError: If the dataset is too small for a scale.
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
        for sampling in _samplings(spec, dataset, len(splits.train))
        for strategy in spec.strategies
        for distiller in STRATEGIES[strategy](spec)
        for trial in [
            Trial(
                data=data,
                sampling=sampling,
                teacher=teacher if distiller.asks_teacher else None,
                student=student,
                recipe=recipe,
                distiller=distiller,
                seed=seed,
            )
        ]
    }
    asked = any(trial.teacher for trial in trials.values())
    banks, served = _banks(list(trials.values()), dataset, splits, asked, bank_policy)
    return Plan(
        spec=spec,
        data=data,
        teacher=teacher if asked else None,
        student=student,
        jobs=tuple(
            Job(trial, banks[case.bank_id].for_trials, case.samples)
            for trial in trials.values()
            for case in [served[trial.sampling, trial.seed]]
        ),
        banks=tuple(banks.values()),
        train_samples=len(splits.train),
    )


def _samplings(spec: StudySpec, dataset: ImageDataset, train_samples: int) -> list[Sampling]:
    scales: list[tuple[float, int | None]] = [(scale, None) for scale in spec.scales]
    if spec.images_per_class:
        counts = [(count * dataset.num_classes, count) for count in spec.images_per_class]
        scales = [(min(1.0, samples / train_samples), count) for samples, count in counts]
    return [
        Sampling(scale, augmentation, k, spec.match, spec.views, spec.logits)
        for (scale, k), augmentation in product(scales, spec.augmentations)
    ]


def _for_epochs(recipe: Recipe, epochs: int | None) -> Recipe:
    return recipe if epochs is None else replace(recipe, epochs=epochs)


def _banks(
    trials: Sequence[Trial], dataset: ImageDataset, splits: Splits, asked: bool, policy: BankPolicy
) -> tuple[dict[str, BankSpec], dict[tuple[Sampling, int], "_Served"]]:
    """Returns the banks by id, and what there is for trials of a sampling and seed."""
    largest: dict[Any, BankSpec] = {}
    family: dict[tuple[Sampling, int], Any] = {}
    samples: dict[tuple[Sampling, int], int] = {}
    for trial in trials:
        case = trial.sampling, trial.seed
        if case in family:
            continue
        views = training_views(trial.sampling, trial.recipe, trial.seed, dataset, splits.train)
        bank = bank_of(views, asked, trial.sampling.logits)
        # Smaller scales are prefixes of larger ones, but partners come from a scale's own samples.
        is_nested = views.recipe.mixing is None
        key = (bank.augmentation, bank.seed, bank.passes) if is_nested else bank.id
        family[case] = key
        samples[case] = len(bank.sample_ids)
        if key not in largest or len(bank.sample_ids) > len(largest[key].sample_ids):
            largest[key] = bank
    modes = choose_modes(list(largest.values()), policy)
    return (
        {bank.id: bank for bank in modes},
        {case: _Served(largest[key].id, samples[case]) for case, key in family.items()},
    )


class _Served(NamedTuple):
    """The bank of a sampling and seed, and how many samples its trials train on."""

    bank_id: str
    samples: int
