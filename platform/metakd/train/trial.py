"""A trial is its content: one student, taught one way, on one setting, from one seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from metakd.core.distillers import (
    DistillerConfig,
)
from metakd.core.recipe import Recipe
from metakd.data.splits import SPLIT_VERSION
from metakd.models.names import BETWEEN_TEACHERS
from metakd.results.seeds import seed_number
from metakd.train.content import content_id, content_json
from metakd.train.sampling import Sampling, augmentation_version


@dataclass(frozen=True)
class DataSpec:
    """Which samples there are, and how they are split. Teachers and students share the split."""

    versions: ClassVar[Mapping[str, int]] = {"split": SPLIT_VERSION}

    dataset: str
    """Name as results show it, for example "digits" or "parquet:cifar10"."""
    fingerprint: str
    """Content hash of images and labels: the same data at another path is the same trial."""
    split_seed: int = 0
    """Seed of the train / validation / test split."""


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher and how it was trained, on the whole training split."""

    data: DataSpec
    model: str
    augmentation: str
    recipe: Recipe
    seed: int = 0

    @property
    def versions(self) -> dict[str, int]:
        """Version of the augmentation."""
        return augmentation_version(self.augmentation)

    @cached_property
    def id(self) -> str:
        """Content hash; names the folder of the trained teacher."""
        return content_id(self)


def teachers_name(teachers: Sequence[TeacherSpec]) -> str | None:
    """Returns what results call the teachers of a trial: "A", "A+B+C"; None where there are none.

    One model that stands there twice was trained from two seeds.
    """
    return BETWEEN_TEACHERS.join(teacher.model for teacher in teachers) or None


@dataclass(frozen=True)
class Trial:
    """Everything that decides a student's result, and nothing else.

    The seed decides the training and the held-out subset, the initial weights, the order of
    batches, the augmented views and the meta batches, each by a seed derived by name: trials that
    share setting and seed share all of them, whatever their method (common random numbers).
    """

    data: DataSpec
    sampling: Sampling
    teacher: TeacherSpec | None
    student: str
    recipe: Recipe
    distiller: DistillerConfig
    seed: int
    stop_after: int | None = None
    """Epochs after which a search stops it, fewer than its recipe has; None runs all of them."""
    further_teachers: tuple[TeacherSpec, ...] = ()
    """Those after the first, where it has several at once."""

    def __post_init__(self) -> None:
        if self.further_teachers and self.teacher is None:
            raise ValueError("further teachers come after a first one, got none")
        if self.further_teachers and not self.distiller.takes_several:
            raise ValueError(f"{self.distiller.method} takes one teacher, got {len(self.teachers)}")
        if self.stop_after is not None and not 1 <= self.stop_after < self.recipe.epochs:
            raise ValueError(
                f"stop_after must be in [1, {self.recipe.epochs}), got {self.stop_after}"
            )

    @cached_property
    def id(self) -> str:
        """Content hash; names the trial's files."""
        return content_id(self)

    @property
    def teachers(self) -> tuple[TeacherSpec, ...]:
        """All of them, in the order in which batches hold their outputs."""
        return () if self.teacher is None else (self.teacher, *self.further_teachers)

    @property
    def epochs(self) -> int:
        """How many epochs it runs."""
        return self.recipe.epochs if self.stop_after is None else self.stop_after

    @cached_property
    def whole(self) -> "Trial":
        """The same training to the end of its recipe: of a stopped one, the part is its prefix."""
        return self if self.stop_after is None else replace(self, stop_after=None)

    @cached_property
    def origins(self) -> tuple[tuple[str, int], ...]:
        """Trainings whose states this one may go on from, each with how many epochs they share.

        The first is its own. Under a schedule of temperatures every change branches off a training
        that did not change, and that may have been run by another trial.
        """
        shared = [(self.whole.id, self.epochs)]
        for distiller, epochs in self.distiller.prefixes():
            branch = replace(self, distiller=distiller, stop_after=None)
            shared.append((branch.id, epochs))
        return tuple(shared)

    @cached_property
    def pair_id(self) -> str:
        """Shared by the trials that are compared: same data, setting and seed, any method."""
        teacher = self.teachers if self.further_teachers else self.teacher
        return content_id([self.data, self.sampling, teacher, self.student, self.recipe, self.seed])

    @cached_property
    def config_json(self) -> str:
        """The content as canonical JSON."""
        return content_json(self)

    @property
    def name(self) -> str:
        """What a person reads in progress lines and on the Ray dashboard."""
        temperatures = getattr(self.distiller, "tau_s", None)
        method = self.distiller.method + ("" if temperatures is None else f"-tau{temperatures:g}")
        stopped = "" if self.stop_after is None else f"-to-epoch{self.stop_after}"
        return (
            f"{self.data.dataset}-{self.sampling.label}-{self.sampling.augmentation}"
            f"-{method}-seed{seed_number(self.seed)}{stopped}"
        )
