"""What a study is expected to cost on so many GPUs, before anybody has them."""

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from metakd.core.recipe import Recipe
from metakd.data.catalogue import find_recipe
from metakd.models.names import brings_weights
from metakd.study.cases import Job
from metakd.study.cost import HOUR_S, expected_steps, live_answers, plain_run
from metakd.study.gpu_work import H100, Gpu, work_of
from metakd.study.plan import Opened, Plan
from metakd.study.scheduler import Scheduler
from metakd.train.trial import TeacherSpec

AROUND = 1.15
"""The optimiser, the exchange of gradients, evaluation after each epoch: a run over its steps."""
DECODING_CPUS = 23
"""For each GPU: machines with eight H100 have 24 CPUs a GPU, or more, and one of them trains."""
DECODED_PER_S = 190.0
"""JPEGs of 500×375 that one of them decodes and augments as ``strong``, as measured once."""


class ImageSeconds(NamedTuple):
    """What an image takes on one GPU.

    Attributes:
        student: A forward and a backward pass of the student.
        teacher: The teacher's passes; 0 without one, or where its outputs are kept.
        loading: Until it is made, by all CPUs of a GPU; 0 where images lie decoded.
    """

    student: float
    teacher: float
    loading: float


class GpuCost(NamedTuple):
    """A study on ``gpus`` GPUs: hours on the clock, and hours of all GPUs that work."""

    gpus: int
    wall_h: float
    gpu_h: float


def run_s(steps: float, equivalents: float, samples: float, each: ImageSeconds) -> float:
    """Returns the seconds of a run.

    Images are made beside the passes, so that the slower of the two counts.

    Args:
        steps: Its optimiser steps.
        equivalents: Its cost in plain student steps, look-aheads included.
        samples: Each GPU's share of a batch.
        each: What an image takes.
    """
    passes = equivalents * each.student + steps * each.teacher
    return AROUND * samples * max(passes, steps * each.loading)


def wall_clock_s(chains: Sequence[Sequence[float]], at_once: int) -> float:
    """Returns how long runs take where so many go on at once.

    Args:
        chains: Seconds of runs; those of one chain wait for each other, as a searcher's do. Of runs
            that could begin the first chain's goes first.
        at_once: How many go on at once.
    """
    waiting = {place: list(chain) for place, chain in enumerate(chains) if chain}
    ready = sorted(waiting)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < at_once:
            place = heapq.heappop(ready)
            heapq.heappush(running, (now + waiting[place].pop(0), place))
        now, place = heapq.heappop(running)
        if waiting[place]:
            heapq.heappush(ready, place)
    return now


def gpu_cost(
    plan: Plan,
    scheduler: Scheduler,
    untrained: Sequence[TeacherSpec],
    gpus: int,
    workers: int,
    gpu: Gpu = H100,
) -> GpuCost:
    """Returns what is still to run of a study costs.

    Args:
        plan: The study's plan.
        scheduler: What is not finished of it.
        untrained: Teachers that are not trained yet; those that bring weights cost nothing.
        gpus: How many there are.
        workers: How many a trial takes.
        gpu: Their kind.

    Raises:
        ValueError: If a trial takes more GPUs than there are.
    """
    if workers > gpus:
        raise ValueError(f"a trial takes {workers} GPUs, and there are {gpus}")
    estimate = _Estimate(plan, workers, gpu)
    teachers = [[estimate.teacher_s(t)] for t in untrained if not brings_weights(t.model)]
    banks = [[seconds] for seconds in estimate.banks_s()]
    students = {job.trial.id: [estimate.job_s(job)] for job in scheduler.known()}
    for search in scheduler.unfinished():
        # Its later segments come after what it waits for now.
        chain = students.setdefault(search.waits_for[-1].trial.id, [])
        chain += [estimate.job_s(plain_run(search.case))] * math.ceil(search.runs_to_come)
    stages = [teachers, banks, list(students.values())]
    wall_s = sum(wall_clock_s(stage, gpus // workers) for stage in stages)
    work_s = workers * sum(sum(chain) for stage in stages for chain in stage)
    return GpuCost(gpus, wall_s / HOUR_S, work_s / HOUR_S)


class _Estimate:
    """Seconds of the parts of a plan, where ``workers`` GPUs share each batch."""

    def __init__(self, plan: Plan, workers: int, gpu: Gpu) -> None:
        self._plan = plan
        self._workers = workers
        self._gpu = gpu

    def job_s(self, job: Job) -> float:
        """Returns the seconds of a student's run."""
        trial = job.trial
        opened = self._plan.opened_of(trial.data)
        answering_s = sum(self._answering_s(teacher, opened) for teacher in job.live_teachers)
        has_views = job.bank is not None and job.bank.has_views
        return run_s(
            steps=job.steps,
            equivalents=expected_steps(job),
            samples=job.batch_size / self._workers,
            each=ImageSeconds(
                student=self._training_s(trial.student, opened),
                teacher=answering_s * live_answers(job) / max(job.steps, 1),
                loading=0.0 if has_views else _loading_s(opened, trial.sampling.augmentation),
            ),
        )

    def teacher_s(self, teacher: TeacherSpec) -> float:
        """Returns the seconds of a teacher's training."""
        opened, recipe = self._plan.opened_of(teacher.data), teacher.recipe
        steps = _steps(recipe, len(opened.splits.train))
        student_s = self._training_s(teacher.model, opened)
        each = ImageSeconds(student_s, 0.0, _loading_s(opened, teacher.augmentation))
        return run_s(steps, steps, recipe.batch_size / self._workers, each)

    def banks_s(self) -> Iterator[float]:
        """Yields the seconds that each teacher takes over each bank that is kept."""
        for bank in self._plan.banks:
            if bank.mode == "live":
                continue
            views = bank.passes * bank.samples
            for teacher in bank.teachers:
                opened = self._plan.opened_of(teacher.data)
                loading_s = _loading_s(opened, bank.augmentation)
                each = ImageSeconds(0.0, self._answering_s(teacher, opened), loading_s)
                yield run_s(views, 0.0, 1 / self._workers, each)

    def _training_s(self, model: str, opened: Opened) -> float:
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        return work_of(model, shape, classes).training_s(self._gpu)

    def _answering_s(self, teacher: TeacherSpec, opened: Opened) -> float:
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        return work_of(teacher.model, shape, classes).answering_s(self._gpu)


def _steps(recipe: Recipe, samples: int) -> int:
    return recipe.epochs * max(1, samples // recipe.batch_size)


def _loading_s(opened: Opened, augmentation: str) -> float:
    if opened.dataset.is_decoded:
        return 0.0
    # A mixed view is made of two images.
    images = 1 if find_recipe(augmentation).mixing is None else 2
    return images / (DECODING_CPUS * DECODED_PER_S)
