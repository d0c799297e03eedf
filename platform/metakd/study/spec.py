"""What a study is: the factors, the strategies and how much each may spend."""

import math
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, get_args

from metakd import strategies
from metakd.analysis.questions import QUESTIONS
from metakd.core.recipe import Match
from metakd.core.temperature_bounds import FIXED_TAU_MAX, FIXED_TAU_MIN, TAU_MAX, TAU_MIN
from metakd.data import catalogue
from metakd.data.catalogue import RECIPES, OutputType, Validation, require_known_dataset
from metakd.errors import UserError
from metakd.installed import require_untaken
from metakd.models import installed_models
from metakd.models.names import (
    BETWEEN_TEACHERS,
    MODEL_NAMES,
    TRAINED_BY,
    WEIGHTS,
    brings_weights,
    require_known_model,
    split_name,
    training_recipe,
)
from metakd.results.seeds import SeedStreams
from metakd.strategies import STRATEGIES, add_own
from metakd.study.defaults import RECIPES as TRAINING_RECIPES
from metakd.study.plan_size import require_trials

FACTORS = (
    *("datasets", "scales", "images_per_class", "augmentations", "teachers"),
    *("teacher_augmentations", "students"),
)
TEACHER_AUGMENTATION = "standard"
"""By which teachers are trained."""
NO_TEACHER = "none"
ALL = "all"
RISING = "rising"
ENSEMBLE = "ensemble"
MOST_EPOCHS = 100_000
MOST_IMAGES_PER_CLASS = 10**9
MOST_RUNS = 1000
"""A searcher's in a setting and seed: what it finds no longer depends on how it searches."""
MOST_FIRST_SEED = 70_000
MARGINS_PP = (0.001, 100.0)


class SpecError(UserError):
    """A study names something that does not exist or makes no sense."""


@dataclass(frozen=True)
class StudySpec:
    """A study's question, complete: the same spec gives the same trials.

    Its settings are all combinations of dataset, scale, augmentation, teacher and student; in each
    of them every strategy is run with every seed.
    """

    name: str
    """Names the results folder and the report."""
    question: str = "grid_vs_meta"
    """What the verdict is about."""
    datasets: tuple[str, ...] = ("digits",)
    """Names of datasets, each with its argument after a colon where it takes one."""
    scales: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Fractions of the training split, each in (0, 1]; smaller ones lie inside larger ones."""
    images_per_class: tuple[int, ...] = ()
    """Scales as so many training images of each class; if given, they stand for the fractions."""
    validation: Validation = "scaled"
    """The held-out samples of a scale: as large a part of the validation split as its training
    samples are of theirs, or all of it."""
    match: Match = "epochs"
    """Smaller scales train for as many epochs, or for as many optimiser steps, as scale 1."""
    augmentations: tuple[str, ...] = ("none", "standard", "strong")
    """Names of augmentation recipes."""
    views: int | None = None
    """Different views of each sample, seen in turn; None makes a new one for each pass."""
    logits: OutputType = "float16"
    """The type in which the teacher's outputs are kept."""
    strategies: tuple[str, ...] = ("ce", "fixed", "grid", "meta", "align")
    """How the temperature is chosen, or ("all",); strategies that need the same trial share it."""
    continued: tuple[str, ...] = ()
    """Strategies that have as many seeds as their setting; all others stop after ``seeds`` of them.
    Empty where none stops."""
    temperatures: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    """The grid, each above 0."""
    fixed_tau: float = 4.0
    """The temperature of strategies that do not search; hypergradients start there, too."""
    alpha: float = 0.9
    """Weight of the teacher's term; dkd, rld, logit_std, normkd, ttm, wttm and mmkd-reference keep
    published weights."""
    budget: float | None = None
    """What each searcher may spend in a setting and seed, in student runs; None: as the grid."""
    seeds: int = 6
    """Seeds 0, 1, ... in every setting; of a study that runs until it is decided, its pilot's."""
    first_seed: int = 0
    """The first of them: a study anew sees no seed of an earlier one again."""
    seed_streams: SeedStreams = "own"
    """Settings that are not compared with each other have seeds of their own, or, as in stores of
    before, all settings share them."""
    teachers: tuple[str, ...] = ()
    """Model names, "A+B+C" for several at once; () takes the default of the image size, ("rising",)
    several of rising size, ("ensemble",) three at once, ("none",) has no teacher."""
    teacher_augmentations: tuple[str, ...] = (TEACHER_AUGMENTATION,)
    """Names of augmentation recipes: each teacher is trained by each of them."""
    students: tuple[str, ...] = ()
    """Model names; () takes the default of the image size, ("rising",) two of rising size."""
    recipe: str | None = None
    """Name of a recipe of ``study/defaults.py``; None takes the default of the image size."""
    epochs: int | None = None
    """Epochs of each student; None takes the default of the image size."""
    teacher_epochs: int | None = None
    """Epochs of the teacher; None takes the default of the image size."""
    margin_pp: float = 0.2
    """Differences inside ± this many points count as equal; fixed before the run."""

    def __post_init__(self) -> None:
        for name in (
            *("datasets", "scales", "augmentations", "teacher_augmentations", "strategies"),
            "temperatures",
        ):
            if not getattr(self, name):
                raise SpecError(f"{name} must name at least one value, got none")
        for name in (*FACTORS, "strategies", "temperatures"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise SpecError(f"{name} must not repeat a value, got {list(getattr(self, name))}")
        _known("question", (self.question,), tuple(QUESTIONS))
        _known("match", (self.match,), get_args(Match))
        _known("validation", (self.validation,), get_args(Validation))
        _known("kind of seed streams", (self.seed_streams,), get_args(SeedStreams))
        _known("type of logits", (self.logits,), get_args(OutputType))
        for count in self.images_per_class:
            if count < 1:
                raise SpecError(f"images_per_class must be at least 1, got {count}")
            if count > MOST_IMAGES_PER_CLASS:
                raise SpecError(
                    f"images_per_class must be at most {MOST_IMAGES_PER_CLASS:,}, got {count}"
                )
        for scale in self.scales:
            if not 0 < scale <= 1:
                raise SpecError(f"a scale must be in (0, 1], got {scale:g}")
        for tau in (*self.temperatures, self.fixed_tau):
            if not 0 < tau < math.inf:
                raise SpecError(f"a temperature must be finite and above 0, got {tau:g}")
            if not FIXED_TAU_MIN <= tau <= FIXED_TAU_MAX:
                raise SpecError(
                    f"a temperature must be in [{FIXED_TAU_MIN:g}, {FIXED_TAU_MAX:g}], got "
                    f"{tau:g}: beyond it the softened classes are lost in rounding"
                )
        for tau in self._starts:
            if not TAU_MIN <= tau <= TAU_MAX:
                raise SpecError(
                    f"a learned temperature starts in [{TAU_MIN:g}, {TAU_MAX:g}], got {tau:g}: "
                    "choose --tau and --temperatures there, or leave out the strategies that learn"
                )
        for dataset in self.datasets:
            require_known_dataset(dataset)
        _known("augmentation", self.augmentations, tuple(RECIPES))
        _known("augmentation", self.teacher_augmentations, tuple(RECIPES))
        if self.recipe is not None:
            _known("recipe", (self.recipe,), tuple(TRAINING_RECIPES))
        if ALL in self.strategies and len(self.strategies) > 1:
            raise SpecError(f"strategies {ALL!r} stands alone, got {list(self.strategies)}")
        if self.strategies != (ALL,):
            for name in self.strategies:
                add_own(name)
            _known("strategy", self.strategies, tuple(STRATEGIES))
        for side, models in (("teacher", self.teachers), ("student", self.students)):
            for word in (NO_TEACHER, RISING, ENSEMBLE):
                if word in models and len(models) > 1:
                    raise SpecError(f"{side} {word!r} stands alone, got {list(models)}")
        if self.question == "teacher_gap" and self.teachers != (RISING,) and len(self.teachers) < 2:
            raise SpecError(
                "a teacher gap needs two teachers or more: give --teachers rising, or their names"
            )
        for level in self.teachers:
            _check_at_once(level)
        for model in (m for level in self.teachers for m in level.split(BETWEEN_TEACHERS)):
            self._check_training(model)
        for student in self.students:
            if BETWEEN_TEACHERS in student and student not in MODEL_NAMES:
                raise SpecError(f"several at once may teach, not learn, got {student!r}")
            if student != RISING:
                require_known_model(student)
                for option in {WEIGHTS, TRAINED_BY}.intersection(split_name(student)[1]):
                    raise SpecError(f"{option}= is for teachers, got the student {student!r}")
        if self.question == "multi_teacher" and not self.has_several_teachers:
            raise SpecError(
                "a study of several teachers needs several at once: give --teachers ensemble, or "
                "their names as A+B+C; with one teacher its methods are fixed and meta"
            )
        if self.question == "start_range" and len(self.temperatures) < 2:
            raise SpecError("a range of starts needs two or more: give --temperatures 1 4 16, say")
        if self.question == "augmentation_gap" and len(self.augmentations) < 2:
            raise SpecError("an augmentation gap needs two augmentations or more, got one")
        if self.budget is not None and not self.budget > 0:
            raise SpecError(f"budget must be above 0, got {self.budget:g}")
        if self.budget is not None and self.budget > MOST_RUNS:
            raise SpecError(
                f"budget must be at most {MOST_RUNS:,} student runs in a setting and seed, got "
                f"{self.budget:g}: that many temperatures lie closer than any test set can tell"
            )
        if not 0 <= self.alpha <= 1:
            raise SpecError(f"alpha must be in [0, 1], got {self.alpha:g}")
        for name in ("seeds", "epochs", "teacher_epochs", "views"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SpecError(f"{name} must be at least 1, got {value}")
            if name != "seeds" and value is not None and value > MOST_EPOCHS:
                raise SpecError(f"{name} must be at most {MOST_EPOCHS:,}, got {value}")
        if not 0 <= self.first_seed <= MOST_FIRST_SEED:
            raise SpecError(
                f"first_seed must be in [0, {MOST_FIRST_SEED:,}], got {self.first_seed}"
            )
        if not 0 < self.margin_pp < math.inf:
            raise SpecError(f"margin_pp must be above 0 and finite, got {self.margin_pp:g}")
        if not MARGINS_PP[0] <= self.margin_pp <= MARGINS_PP[1]:
            raise SpecError(
                f"margin_pp must be in [{MARGINS_PP[0]:g}, {MARGINS_PP[1]:g}] percentage points, "
                f"got {self.margin_pp:g}"
            )
        require_trials(self._least_trials, at_least=True)

    def _check_training(self, teacher: str) -> None:
        """Refuses a teacher that is trained already, and is to be trained by another recipe."""
        recipe = training_recipe(teacher)
        _known("augmentation", () if recipe is None else (recipe,), tuple(RECIPES))
        recipes = {recipe or TEACHER_AUGMENTATION, *self.teacher_augmentations}
        if brings_weights(teacher) and recipes != {TEACHER_AUGMENTATION}:
            raise SpecError(
                f"{teacher!r} brings its weights and is not trained here: leave out "
                f"--teacher-augmentations and {TRAINED_BY}="
            )

    @property
    def chosen(self) -> tuple[str, ...]:
        """The strategies by name; all of them are those for as many teachers as there are."""
        if self.strategies != (ALL,):
            return self.strategies
        return tuple(
            name
            # Which packages are installed must not change what a study runs.
            for name in STRATEGIES.built_in
            for strategy in [STRATEGIES[name]]
            if not strategy.uses_teacher or strategy.takes_several == self.has_several_teachers
        )

    @property
    def _least_trials(self) -> int:
        """Each setting and seed has a trial at least."""
        scales = self.images_per_class or self.scales
        factors = (
            *(self.datasets, scales, self.augmentations, self.teachers),
            *(self.teacher_augmentations, self.students),
        )
        return self.seeds * math.prod(len(values) or 1 for values in factors)

    @property
    def _starts(self) -> set[float]:
        """Where hypergradients start; ``metadistil`` may be at any fixed temperature."""
        starts: set[float] = set()
        for name in self.strategies:
            if name in ("meta-starts", ALL):
                starts |= {*self.temperatures}
            if name == ALL or (name.partition("-")[0] == "meta" and name != "meta-starts"):
                starts |= {self.fixed_tau}
        return starts

    def has_seed(self, strategy: str, number: int) -> bool:
        """Says whether a strategy runs in a seed of its setting's, by its number in the stream."""
        return number - self.first_seed < self.seeds or self.goes_on(strategy)

    def goes_on(self, strategy: str) -> bool:
        """Says whether a strategy has more than the first seeds."""
        return not self.continued or strategy in self.continued

    @property
    def has_several_teachers(self) -> bool:
        """Whether anywhere several teach at once."""
        return any(level == ENSEMBLE or BETWEEN_TEACHERS in level for level in self.teachers)

    @property
    def runs_to_spend(self) -> float:
        """What each searcher may spend in a setting and seed, in student runs."""
        return float(len(self.temperatures)) if self.budget is None else self.budget

    def as_json(self) -> dict[str, Any]:
        """Returns the spec as plain JSON values."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def require_untaken_names(spec: StudySpec) -> None:
    """Refuses names of metakd's in a study that installed packages register for something else.

    Raises:
        OwnCodeError: If there are some.
    """
    models = {model for level in spec.teachers for model in level.split(BETWEEN_TEACHERS)}
    for group, names, own in (
        (strategies.GROUP, spec.chosen, STRATEGIES.built_in),
        (catalogue.GROUP, {name.partition(":")[0] for name in spec.datasets}, catalogue.SOURCES),
        (
            installed_models.GROUP,
            {model.partition(",")[0] for model in models.union(spec.students)},
            MODEL_NAMES,
        ),
    ):
        for name in names:
            if name in own:
                require_untaken(group, name)


def _check_at_once(level: str) -> None:
    """Refuses what is not models with a plus between them."""
    models = level.split(BETWEEN_TEACHERS)
    if not all(models):
        raise SpecError(f"teachers at once are written A+B, got {level!r}")
    for before, after in pairwise(models):
        is_model = after in MODEL_NAMES or ":" in after.partition(",")[0]
        if "," in before and not is_model:
            raise SpecError(
                f"a plus stands between teachers, so no option of a model may hold one, got "
                f"{level!r}"
            )
    if level not in (NO_TEACHER, RISING, ENSEMBLE):
        for model in models:
            require_known_model(model)


def _known(what: str, names: tuple[str, ...], valid: tuple[str, ...]) -> None:
    for name in names:
        if name not in valid:
            raise SpecError(f"unknown {what} {name!r}: choose from {', '.join(valid)}")
