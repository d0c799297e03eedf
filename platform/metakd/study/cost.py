"""What a plan will cost, before it runs: steps counted, seconds measured on a few steps here."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial

import torch
import torch.nn.functional as F

from metakd.core.distillers import DistillerConfig, KDConfig
from metakd.models.create import create_model
from metakd.models.names import SMALL_SIDE, ImageShape, brings_weights, without_weights
from metakd.models.outline import parameters_of, taking_images
from metakd.strategies import Segment
from metakd.study.cases import Case, Job
from metakd.study.plan import Opened, Plan
from metakd.study.scheduler import Scheduler
from metakd.train.trial import TeacherSpec

HOUR_S = 3600.0
WARM_UP_STEPS, TIMED_STEPS = 2, 4
TIMED_VALUES = 2**20
TIMED_FLOPS = 20e9
"""Of a step that is timed: a plan is a matter of seconds."""
FEW_PARAMETERS = 10**7
"""So few are timed on small images at once: to count FLOPs takes imports of seconds."""
PRODUCT_SIDE = 1024
FORWARD = 1 / 3
"""A forward pass, in steps."""
# What a step takes beside its passes: the optimiser, the batch, its share of evaluation.
AROUND_STEP_S = 0.6e-3
# Ray's start, the imports of each process, the report.
START_S = 20.0


def expected_steps(job: Job) -> float:
    """Returns a job's cost in student-step equivalents, from where it goes on."""
    looked_ahead = job.trial.distiller.look_ahead_equivalents(
        steps_of_learning(job), job.batch_size
    )
    return job.steps + looked_ahead


def steps_of_learning(job: Job) -> int:
    """Returns its steps in epochs that have look-aheads: all, but in a teacher's warm-up none."""
    epochs = range(job.from_epoch, job.trial.epochs)
    learning = _learning_epochs(job.trial.distiller, epochs, job.trial.recipe.epochs)
    return job.steps * learning // max(len(epochs), 1)


@cache
def _learning_epochs(distiller: DistillerConfig, epochs: range, of: int) -> int:
    return sum(not distiller.is_frozen(epoch, of) for epoch in epochs)


def live_answers(job: Job) -> float:
    """Returns how often each live teacher passes a batch forward; a backward pass is two."""
    if not job.live_teachers:
        return 0.0
    distiller, learning = job.trial.distiller, steps_of_learning(job)
    # A bank has the logits of a teacher that does not change yet.
    is_banked = distiller.moves_teacher and job.bank is not None
    answered = learning if is_banked else job.steps
    return answered + distiller.teacher_passes(learning, job.batch_size)


def seconds_per_step(
    model: str, batch_size: int, image_shape: tuple[int, int, int], num_classes: int
) -> float:
    """Measures a forward and a backward pass of a model on this machine, on one thread.

    Of large pictures a part of the batch stands for all of it, which might not fit. A model that
    is too large for that takes as long as its arithmetic would in one matrix product.

    Raises:
        ModelError: If there is no such model, or it cannot take such images.
    """
    flops = 0.0
    is_small = parameters_of(model, image_shape, num_classes) < FEW_PARAMETERS
    if not is_small or max(image_shape[1:]) >= SMALL_SIDE:
        from metakd.study.gpu_work import BACKWARD, work_of

        work = work_of(model, image_shape, num_classes)
        flops = (1 + BACKWARD) * (work.convolutions + work.products)
    with _one_thread(), taking_images(model, image_shape):
        if flops > TIMED_FLOPS:
            return batch_size * flops / _flops_per_second()
        most = min(TIMED_VALUES // math.prod(image_shape), int(TIMED_FLOPS / max(flops, 1)))
        return _timed_step(
            model, batch_size, max(1, min(batch_size, most)), image_shape, num_classes
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _flops_per_second() -> float:
    one, other = torch.rand(2, PRODUCT_SIDE, PRODUCT_SIDE)
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        one @ other
    return TIMED_STEPS * 2 * PRODUCT_SIDE**3 / (time.perf_counter() - started)


def _timed_step(
    model: str, batch_size: int, timed: int, image_shape: ImageShape, num_classes: int
) -> float:
    """Returns the seconds of a step on a batch, as some of its images take them."""
    built = create_model(without_weights(model), image_shape, num_classes, seed=0)
    inputs = torch.zeros(timed, *image_shape)
    labels = torch.zeros(timed, dtype=torch.int64)
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        F.cross_entropy(built(inputs), labels).backward()
    return (time.perf_counter() - started) / TIMED_STEPS * batch_size / timed


def plain_run(case: Case) -> Job:
    """Returns a whole run at a fixed temperature: the unit that searches are charged in."""
    return case.job(
        Segment(KDConfig(), teacher=0) if case.setting.teachers else Segment(KDConfig())
    )


def work_left(scheduler: Scheduler) -> Iterator[tuple[Job, float]]:
    """Yields what is expected to run yet, and how often: what is known, then what searches add."""
    for job in scheduler.known():
        yield job, 1.0
    for search in scheduler.unfinished():
        if search.runs_to_come:
            yield plain_run(search.case), search.runs_to_come


def steps_left(scheduler: Scheduler) -> float:
    """Returns what is expected to run yet, in student-step equivalents."""
    return sum(runs * expected_steps(job) for job, runs in work_left(scheduler))


def estimate_s(
    plan: Plan, scheduler: Scheduler, untrained: Sequence[TeacherSpec], cpus: int
) -> float:
    """Returns the expected wall-clock of what is still to run on so many CPUs like those here.

    Args:
        plan: The study's plan.
        scheduler: What is not finished of it.
        untrained: Teachers that are not trained yet.
        cpus: How many CPUs there are.
    """
    work_s = 0.0
    for opened in plan.opened:
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        step_s = partial(seconds_per_step, image_shape=shape, num_classes=classes)
        for student, steps in _student_steps(scheduler, opened).items():
            batch = opened.recipes.student.batch_size
            work_s += steps * (step_s(student, batch) + AROUND_STEP_S)
        for teacher, steps in _teacher_steps(plan, scheduler, untrained, opened).items():
            work_s += steps * step_s(teacher, opened.recipes.teacher.batch_size)
    return START_S + work_s / max(cpus, 1)


def _student_steps(scheduler: Scheduler, opened: Opened) -> dict[str, float]:
    """Returns the steps of each student of a dataset."""
    steps: dict[str, float] = {}
    for job, runs in work_left(scheduler):
        if job.trial.data == opened.data:
            student = job.trial.student
            steps[student] = steps.get(student, 0.0) + runs * expected_steps(job)
    return steps


def _teacher_steps(
    plan: Plan, scheduler: Scheduler, untrained: Sequence[TeacherSpec], opened: Opened
) -> dict[str, float]:
    """Returns the steps of each teacher of a dataset: of training, answering, learning to teach."""
    recipe, train_samples = opened.recipes.teacher, len(opened.splits.train)
    steps: dict[str, float] = {}

    def add(teacher: TeacherSpec, images: float) -> None:
        steps[teacher.model] = steps.get(teacher.model, 0.0) + images / recipe.batch_size

    for teacher in untrained:
        if teacher.data != opened.data:
            continue
        if not brings_weights(teacher.model):
            add(teacher, recipe.epochs * train_samples)
        for bank in plan.banks:
            if bank.mode != "live" and teacher in bank.teachers:
                add(teacher, FORWARD * bank.passes * bank.samples)
    for job, runs in work_left(scheduler):
        if job.trial.data == opened.data:
            for teacher in job.live_teachers:
                add(teacher, FORWARD * runs * live_answers(job) * job.batch_size)
    return steps
