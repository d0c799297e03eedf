"""From a study's spec to its settings, the trials that it takes, and what they share."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.wording import counted
from metakd.data.datasets import ImageDataset
from metakd.data.splits import Splits, make_splits
from metakd.models.given_weights import given_weights, with_hash
from metakd.models.hub_models import with_commit
from metakd.models.names import (
    BETWEEN_TEACHERS,
    default_student,
    default_teacher,
    student_ladder,
    teacher_ensemble,
    teacher_ladder,
    trained_by,
    training_recipe,
)
from metakd.models.own import code_of, with_version
from metakd.own_code import place_of
from metakd.results.seeds import seed_number, stream_groups, stream_key, stream_starts
from metakd.strategies import STRATEGIES, Choices, own_module
from metakd.strategies.strategy import first_segments
from metakd.study.banks import BankSpec, bank_of, choose_modes
from metakd.study.cases import Case, Job, Setting
from metakd.study.defaults import Recipes, recipes_for
from metakd.study.fit import fitting, needed_features
from metakd.study.options import CHOSEN_BY_SIZE, BankPolicy
from metakd.study.plan_size import require_samples, require_trials
from metakd.study.spec import (
    ENSEMBLE,
    NO_TEACHER,
    RISING,
    TEACHER_AUGMENTATION,
    SpecError,
    StudySpec,
)
from metakd.train.bank_building import BankContent
from metakd.train.sampling import Sampling, training_views
from metakd.train.trial import DataSpec, TeacherSpec

SHOWN_CLASSES = 5


class Opened(NamedTuple):
    """A dataset of a study, its split, and how models are trained on it."""

    dataset: ImageDataset
    data: DataSpec
    splits: Splits
    recipes: Recipes


class StrategyRun(NamedTuple):
    """A strategy in a setting and seed."""

    strategy: str
    case: Case

    @property
    def place(self) -> tuple[str, Setting, int]:
        """What it is, whatever was prepared for it."""
        return self.strategy, self.case.setting, self.case.seed


class Beginning(NamedTuple):
    """What a strategy may know in a setting and seed, and the trials that it runs first there."""

    choices: Choices
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Plan:
    """What a study will run.

    Attributes:
        spec: The question, with strategies and models by name.
        left_out: Strategies that do not fit where all were named, and why.
        opened: The datasets.
        settings: All settings, in the order of the report.
        strategy_runs: The strategies in every setting and seed, seed by seed: what is finished
            early is complete pairs.
        teachers: The teachers, empty when no strategy has one.
        banks: Their views and teachers' outputs, and what of them is kept.
        seed_counts: How many seeds each setting has, in their order.
        seed_groups: Which settings share their seeds: the number of each one's group.
        weights: Files of weights that teachers were given, by their hashes.
    """

    spec: StudySpec
    left_out: dict[str, str]
    opened: tuple[Opened, ...]
    settings: tuple[Setting, ...]
    strategy_runs: tuple[StrategyRun, ...]
    teachers: tuple[TeacherSpec, ...]
    banks: tuple[BankSpec, ...]
    seed_counts: tuple[int, ...]
    seed_groups: tuple[int, ...]
    weights: Mapping[str, Path]

    @cached_property
    def beginnings(self) -> tuple[Beginning, ...]:
        """How each of the strategy runs begins, in their order."""
        found = []
        for name, case in self.strategy_runs:
            choices = case.choices(name, self.spec)
            segments = first_segments(STRATEGIES[name], choices)
            found.append(Beginning(choices, tuple(case.job(segment) for segment in segments)))
        return tuple(found)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """The trials that are known before anything runs; those that strategies share once."""
        jobs = (job for beginning in self.beginnings for job in beginning.jobs)
        return tuple({job.trial.id: job for job in jobs}.values())

    @cached_property
    def trial_ids(self) -> tuple[str, ...]:
        """The ids of those that are whole runs: epochs of one may be found in another trial."""
        return tuple(job.trial.id for job in self.jobs if job.trial.stop_after is None)

    @cached_property
    def expected_trials(self) -> float:
        """How many trials strategies run, as far as can be said before."""
        further = (
            self.spec.runs_to_spend - len(beginning.jobs)
            for run, beginning in zip(self.strategy_runs, self.beginnings, strict=True)
            if STRATEGIES[run.strategy].is_searcher
        )
        return len(self.jobs) + sum(max(0.0, runs) for runs in further)

    @cached_property
    def labelled(self) -> dict[tuple[DataSpec, Sampling], tuple[int, int]]:
        """How many samples train a student, and how many are held out, by dataset and sampling."""
        return {
            (case.setting.data, case.setting.sampling): (case.samples, case.held_out)
            for _, case in self.strategy_runs
        }

    def opened_of(self, data: DataSpec) -> Opened:
        """Returns an opened dataset, with its split and recipes."""
        return next(opened for opened in self.opened if opened.data == data)


def make_plan(
    spec: StudySpec,
    datasets: Sequence[ImageDataset],
    bank_policy: BankPolicy = CHOSEN_BY_SIZE,
    seed_counts: Sequence[int] = (),
) -> Plan:
    """Lays out a study on its opened datasets.

    Args:
        spec: The question.
        datasets: The images, in the order of the spec.
        bank_policy: What is kept of views and outputs; it changes no result.
        seed_counts: How many seeds each setting has, in their order; empty takes the spec's in all.

    Raises:
        ModelError: If a teacher or a student is unknown, or one of a user's own is no model.
        SplitError: If a dataset is too small for a scale.
        SpecError: If a strategy does not fit, a scale has fewer samples than classes or as many as
            another one, two datasets have one name, or one has a single class or classes in its
            test set alone.
        PlanSizeError: If the study is too large.
    """
    given = spec.teachers
    opened = tuple(_open(spec, dataset) for dataset in datasets)
    names = [each.data.dataset for each in opened]
    if len(set(names)) < len(names):
        raise SpecError(f"datasets must have different names, got {', '.join(names)}")
    needs_teachers = spec.teachers != (NO_TEACHER,) and any(
        STRATEGIES[name].uses_teacher for name in spec.chosen
    )
    teachers = {each.data: _teachers(spec, each) if needs_teachers else ((),) for each in opened}
    settings = tuple(
        Setting(each.data, sampling, level, student)
        for each in opened
        for sampling in _samplings(spec, each)
        for level in teachers[each.data]
        for student in _students(spec, each)
    )
    counts = tuple(seed_counts) or (spec.seeds,) * len(settings)
    one_each = (1,) * len(settings)
    _, firsts = _cases(spec, opened, settings, teachers, bank_policy, one_each)
    strategies, left_out = fitting(spec, firsts)
    require_trials(
        sum(
            sum(spec.has_seed(name, spec.first_seed + number) for number in range(count))
            * expected_runs(name, case, spec)
            for count, case in zip(counts, firsts, strict=True)
            for name in strategies
        )
    )
    banks, cases = _cases(spec, opened, settings, teachers, bank_policy, counts)
    spec = replace(
        spec,
        strategies=strategies,
        teachers=tuple(dict.fromkeys(s.teachers_name or NO_TEACHER for s in settings)),
        students=tuple(dict.fromkeys(setting.student for setting in settings)),
    )
    strategy_runs = dict.fromkeys(
        StrategyRun(name, case if STRATEGIES[name].uses_teacher else case.without_teacher)
        for case in cases
        for name in strategies
        if spec.has_seed(name, seed_number(case.seed))
    )
    return Plan(
        spec=spec,
        left_out=left_out,
        opened=opened,
        settings=settings,
        strategy_runs=tuple(strategy_runs),
        teachers=tuple(dict.fromkeys(t for s in settings for t in s.teachers)),
        banks=tuple(banks),
        seed_counts=counts,
        seed_groups=stream_groups(_stream_keys(spec, settings)),
        weights=_files_of_weights(given),
    )


def _stream_keys(spec: StudySpec, settings: Sequence[Setting]) -> list[tuple[Hashable, ...]]:
    return [
        stream_key(
            QUESTIONS[spec.question].shares_seeds_over,
            spec.seed_streams,
            setting.data.dataset,
            setting.sampling.scale,
            setting.sampling.augmentation,
        )
        for setting in settings
    ]


def own_code(plan: Plan) -> list[Path]:
    """Returns files and packages of the user's own, of models and strategies, for all machines."""
    models = {s.student for s in plan.settings} | {teacher.model for teacher in plan.teachers}
    strategies = filter(None, map(own_module, plan.spec.strategies))
    places = [*map(code_of, models), *map(place_of, strategies)]
    return sorted({place for place in places if place is not None})


def expected_runs(name: str, case: Case, spec: StudySpec) -> float:
    """Returns how many runs a strategy has in a case, as far as can be said before."""
    strategy = STRATEGIES[name]
    if strategy.is_searcher:
        return spec.runs_to_spend
    return len(first_segments(strategy, case.choices(name, spec)))


def _open(spec: StudySpec, dataset: ImageDataset) -> Opened:
    data = DataSpec(dataset.name, dataset.fingerprint)
    _check_classes(dataset)
    splits = make_splits(
        dataset.labels, dataset.test_ids, data.split_seed, class_names=dataset.class_names
    )
    recipes = recipes_for(dataset.image_shape, spec.recipe)
    return Opened(
        dataset,
        data,
        splits,
        Recipes(
            student=recipes.student.over(spec.epochs),
            teacher=recipes.teacher.over(spec.teacher_epochs),
        ),
    )


def _check_classes(dataset: ImageDataset) -> None:
    """Refuses a dataset with nothing to tell apart, or with something that cannot be learned."""
    found = np.unique(dataset.labels)
    if len(found) < 2:
        raise SpecError(
            f"{dataset.name} has images of one class only, {dataset.class_names[found[0]]}: there "
            "is nothing to tell apart; give at least two classes"
        )
    if dataset.test_ids is not None:
        pool = np.delete(dataset.labels, dataset.test_ids)
        unknown = np.setdiff1d(dataset.labels[dataset.test_ids], pool)
        if len(unknown) > 0:
            names = ", ".join(dataset.class_names[number] for number in unknown[:SHOWN_CLASSES])
            images = int(np.isin(dataset.labels[dataset.test_ids], unknown).sum())
            raise SpecError(
                f"{dataset.name} has {counted(len(unknown), 'class', 'classes')} in its test set "
                f"alone, {names}, which nobody can learn: take the {counted(images, 'image')} out, "
                "or give some for training"
            )


def _teachers(spec: StudySpec, opened: Opened) -> tuple[tuple[TeacherSpec, ...], ...]:
    """Returns the levels of the factor: one teacher each, or several at once."""
    shape = opened.dataset.image_shape
    levels = spec.teachers or (default_teacher(shape),)
    if levels == (RISING,):
        levels = teacher_ladder(shape)
    if levels == (ENSEMBLE,):
        levels = (BETWEEN_TEACHERS.join(teacher_ensemble(shape)),)
    return tuple(
        dict.fromkeys(
            _at_once([_teacher(model, recipe, opened) for model in models], opened)
            for models in (level.split(BETWEEN_TEACHERS) for level in levels)
            for recipe in spec.teacher_augmentations
        )
    )


def _teacher(model: str, recipe: str, opened: Opened) -> str:
    named = model if recipe == TEACHER_AUGMENTATION else trained_by(model, recipe)
    return _versioned(named, opened)


def _at_once(models: Sequence[str], opened: Opened) -> tuple[TeacherSpec, ...]:
    # One model that stands there twice is trained from two seeds.
    return tuple(
        TeacherSpec(
            opened.data,
            model,
            augmentation=training_recipe(model) or TEACHER_AUGMENTATION,
            recipe=opened.recipes.teacher,
            seed=models[:place].count(model),
        )
        for place, model in enumerate(models)
    )


def _students(spec: StudySpec, opened: Opened) -> tuple[str, ...]:
    shape = opened.dataset.image_shape
    if spec.students == (RISING,):
        return student_ladder(shape)
    return tuple(
        _versioned(student, opened) for student in spec.students or (default_student(shape),)
    )


def _files_of_weights(levels: Sequence[str]) -> dict[str, Path]:
    found = (with_hash(model) for level in levels for model in level.split(BETWEEN_TEACHERS))
    files = ((given_weights(name), file) for name, file in found)
    return {given.file: file for given, file in files if given is not None and file is not None}


def _versioned(model: str, opened: Opened) -> str:
    """Returns a model's name with what its code and its weights are."""
    named, _ = with_hash(with_commit(model))
    return with_version(named, opened.dataset.image_shape, opened.dataset.num_classes)


def _samplings(spec: StudySpec, opened: Opened) -> list[Sampling]:
    scales: list[tuple[float, int | None]] = [(scale, None) for scale in spec.scales]
    if spec.images_per_class:
        counts = [(count * opened.dataset.num_classes, count) for count in spec.images_per_class]
        train_samples = len(opened.splits.train)
        scales = [(min(1.0, samples / train_samples), count) for samples, count in counts]
    else:
        _require_distinct(spec.scales, opened)
    return [
        Sampling(scale, augmentation, k, spec.match, spec.views, spec.logits, spec.validation)
        for (scale, k), augmentation in product(scales, spec.augmentations)
    ]


def _require_distinct(scales: Sequence[float], opened: Opened) -> None:
    """Refuses scales that keep less than a sample of each class, or as many as another one."""
    name, classes = opened.data.dataset, opened.dataset.num_classes
    samples = len(opened.splits.train)
    of_count: dict[int, float] = {}
    for scale in scales:
        kept = round(scale * samples)
        if kept < classes:
            raise SpecError(
                f"scale {scale:g} of {name} keeps {kept} of {samples} training samples, fewer "
                f"than its {classes} classes: give --scales {_up(classes / samples)} or more, or "
                "--images-per-class 1"
            )
        if kept in of_count:
            raise SpecError(
                f"scales {of_count[kept]:.9g} and {scale:.9g} of {name} keep the same {kept} "
                "training samples: leave one of them out"
            )
        of_count[kept] = scale


def _up(value: float) -> str:
    """Returns a number above 0 to two digits, rounded up."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return f"{min(1.0, math.ceil(value / unit) * unit):.2g}"


def _cases(
    spec: StudySpec,
    opened: Sequence[Opened],
    settings: Sequence[Setting],
    teachers: Mapping[DataSpec, tuple[tuple[TeacherSpec, ...], ...]],
    policy: BankPolicy,
    seed_counts: Sequence[int],
) -> tuple[list[BankSpec], list[Case]]:
    """Returns the banks, and all settings with their seeds, seed by seed, each with its bank."""
    by_data = {each.data: each for each in opened}
    largest: dict[Any, BankSpec] = {}
    family: dict[tuple[DataSpec, Sampling, int], Any] = {}
    samples: dict[tuple[DataSpec, Sampling, int], int] = {}
    held_out: dict[tuple[DataSpec, Sampling, int], int] = {}
    keys = _stream_keys(spec, settings)
    starts = stream_starts(keys)
    by_number = [
        (setting, starts[key] + spec.first_seed + number)
        for number in range(max(seed_counts))
        for setting, key, count in zip(settings, keys, seed_counts, strict=True)
        if number < count
    ]
    sampled = dict.fromkeys((s.data, s.sampling, seed) for s, seed in by_number)
    require_samples(sum(round(s.scale * len(by_data[d].splits.train)) for d, s, _ in sampled))
    for data, sampling, seed in sampled:
        dataset, _, splits, recipes = by_data[data]
        bank_teachers = tuple(dict.fromkeys(t for level in teachers[data] for t in level))
        views = training_views(sampling, recipes.student, seed, dataset, splits.train)
        shown = needed_features(spec, teachers[data], dataset)
        bank = bank_of(
            views, BankContent(data, sampling, recipes.student, seed), bank_teachers, shown
        )
        # Smaller scales are prefixes of larger ones, but partners come from a scale's own samples.
        is_nested = views.recipe.mixing is None
        key = (data, bank.augmentation, seed, bank.passes) if is_nested else bank.id
        family[data, sampling, seed] = key
        samples[data, sampling, seed] = bank.samples
        held_out[data, sampling, seed] = len(sampling.held_out_ids(splits, dataset.labels, seed))
        if key not in largest or bank.samples > largest[key].samples:
            largest[key] = bank
    banks = {bank.id: bank for bank in choose_modes(list(largest.values()), policy)}
    cases = [
        Case(
            setting=setting,
            recipe=by_data[setting.data].recipes.student,
            seed=seed,
            image_shape=by_data[setting.data].dataset.image_shape,
            num_classes=by_data[setting.data].dataset.num_classes,
            bank=banks[largest[family[shown_here]].id].for_trials,
            samples=samples[shown_here],
            held_out=held_out[shown_here],
            train_samples=len(by_data[setting.data].splits.train),
        )
        for setting, seed in by_number
        for shown_here in [(setting.data, setting.sampling, seed)]
    ]
    return list(banks.values()), cases
