"""What strategies are compared under, and the trials of their segments there."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from metakd.core.recipe import Recipe
from metakd.strategies import Choices, Segment
from metakd.study.preparation import outputs_job_id, teacher_job_id, views_job_id
from metakd.study.spec import StudySpec
from metakd.train.content import content_id
from metakd.train.sampling import Sampling
from metakd.train.student import Bank
from metakd.train.trial import DataSpec, TeacherSpec, Trial, teachers_name


class Setting(NamedTuple):
    """One row of a study's table: what stays the same over seeds and strategies."""

    data: DataSpec
    sampling: Sampling
    teachers: tuple[TeacherSpec, ...]
    student: str

    @property
    def teachers_name(self) -> str | None:
        """What results call its teachers; None where there is none."""
        return teachers_name(self.teachers)


@dataclass(frozen=True)
class Job:
    """A trial and what its run has to know.

    Attributes:
        trial: The content.
        bank: What was made before it; None makes views and outputs live.
        samples: How many samples it trains on.
        held_out: How many samples are held out.
        train_samples: How many it trains on at scale 1.
        from_epoch: Epochs that were run for the same search before, so that it goes on from there.
    """

    trial: Trial
    bank: Bank | None
    samples: int
    held_out: int
    train_samples: int
    from_epoch: int = 0

    @property
    def id(self) -> str:
        """The trial's."""
        return self.trial.id

    @property
    def name(self) -> str:
        """The trial's."""
        return self.trial.name

    @property
    def needs(self) -> frozenset[str]:
        """Ids of the preparations that have to be done before it."""
        teachers = self.trial.teachers
        needs = {teacher_job_id(teacher) for teacher in self.live_teachers}
        if self.bank is not None:
            needs |= {outputs_job_id(self.bank.id, teacher) for teacher in teachers}
            needs |= {views_job_id(self.bank.id)} if self.bank.has_views else set()
        return frozenset(needs)

    @property
    def batch_size(self) -> int:
        """Samples of each of its steps."""
        return min(self.trial.recipe.batch_size, self.samples)

    @property
    def steps(self) -> int:
        """Its optimiser steps, from where it goes on."""
        each = self.trial.sampling.steps_per_epoch(
            self.batch_size, self.samples, self.train_samples
        )
        return (self.trial.epochs - self.from_epoch) * each

    @property
    def live_teachers(self) -> tuple[TeacherSpec, ...]:
        """Teachers that compute at each of its steps: no bank has all of it, or they change."""
        distiller = self.trial.distiller
        has_all = self.bank is not None and (self.bank.has_features or not distiller.uses_features)
        return () if has_all and not distiller.moves_teacher else self.trial.teachers


@dataclass(frozen=True)
class Case:
    """A setting and a seed.

    Attributes:
        setting: The setting.
        recipe: How the student is trained.
        seed: The seed.
        image_shape: Shape (C, H, W) of the images.
        num_classes: K.
        bank: What is made before its trials; None makes views and outputs live.
        samples: How many samples they train on.
        held_out: How many samples are held out.
        train_samples: How many they train on at scale 1.
    """

    setting: Setting
    recipe: Recipe
    seed: int
    image_shape: tuple[int, int, int]
    num_classes: int
    bank: Bank | None
    samples: int
    held_out: int
    train_samples: int

    @property
    def without_teacher(self) -> "Case":
        """The same for strategies without a teacher: one for all teachers."""
        return replace(self, setting=self.setting._replace(teachers=()))

    def job(self, segment: Segment) -> Job:
        """Returns a segment as a trial of this case."""
        data, sampling, teachers, student = self.setting
        if not segment.distiller.uses_teacher:
            teachers = ()
        elif segment.teacher is not None:
            teachers = (teachers[segment.teacher],)
        until = segment.until
        trial = Trial(
            data=data,
            sampling=sampling,
            teacher=teachers[0] if teachers else None,
            further_teachers=teachers[1:],
            student=student,
            recipe=self.recipe,
            distiller=segment.distiller,
            seed=self.seed,
            stop_after=None if until is None or until >= self.recipe.epochs else until,
        )
        return Job(trial, self.bank, self.samples, self.held_out, self.train_samples)

    def choices(self, strategy: str, spec: StudySpec) -> Choices:
        """Returns what a strategy may know here."""
        data, sampling, teachers, student = self.setting
        # Searches of stores that knew one teacher alone go on as they began.
        teaching = teachers if len(teachers) > 1 else next(iter(teachers), None)
        own = content_id([strategy, data, sampling, teaching, student, self.recipe, self.seed])
        return Choices(
            temperatures=tuple(sorted(spec.temperatures)),
            fixed_tau=spec.fixed_tau,
            alpha=spec.alpha,
            budget=spec.runs_to_spend,
            epochs=self.recipe.epochs,
            num_classes=self.num_classes,
            seed=int(own, 16),
            teachers=len(teachers),
        )
