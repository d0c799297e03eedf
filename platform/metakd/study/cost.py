"""What a plan will cost, before it runs: steps counted, seconds measured on a few steps here."""

import math
import time
from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F

from metakd.core.distillers import KDConfig
from metakd.core.look_aheads import LookAheads
from metakd.models.create import create_model
from metakd.models.pretrained import brings_weights, without_weights
from metakd.study.board import Board
from metakd.study.cases import Case, Job
from metakd.study.plan import Plan
from metakd.study.searching import Searching
from metakd.study.strategies import Leg
from metakd.train.trial import TeacherSpec

WARM_UP_STEPS, TIMED_STEPS = 2, 4
TIMED_VALUES = 2**20
# What a step takes beside its passes: the optimiser, the batch, its share of evaluation.
AROUND_STEP_S = 0.6e-3
# Ray's start, the first imports of each worker, the teacher's worker group, the report.
START_S = 70.0


def expected_steps(job: Job) -> float:
    """Returns a job's cost in student-step equivalents, from where it goes on."""
    trial = job.trial
    batch = min(trial.recipe.batch_size, job.samples)
    epochs = trial.epochs - job.from_epoch
    steps = epochs * trial.sampling.steps_per_epoch(batch, job.samples, job.train_samples)
    if not isinstance(trial.distiller, LookAheads):
        return float(steps)
    return steps + trial.distiller.look_ahead_equivalents(steps, batch)


def seconds_per_step(
    model: str, batch_size: int, image_shape: tuple[int, int, int], num_classes: int
) -> float:
    """Measures a forward and a backward pass of a model on this machine, on one thread.

    Of large pictures a part of the batch stands for all of it, which might not fit.
    """
    timed = max(1, min(batch_size, TIMED_VALUES // math.prod(image_shape)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    built = create_model(without_weights(model), image_shape, num_classes, seed=0)
    inputs = torch.zeros(timed, *image_shape)
    labels = torch.zeros(timed, dtype=torch.int64)
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        F.cross_entropy(built(inputs), labels).backward()
    seconds = (time.perf_counter() - started) / TIMED_STEPS * batch_size / timed
    torch.set_num_threads(threads)
    return seconds


def plain_run(case: Case) -> Job:
    """Returns a whole run at a fixed temperature: the unit that searches are charged in."""
    return case.job(Leg(KDConfig(), teacher=0) if case.setting.teachers else Leg(KDConfig()))


def steps_left(search: Searching) -> float:
    """Returns what a search is expected to ask for yet, in student-step equivalents."""
    return search.runs_left * expected_steps(plain_run(search.case))


def searching_steps(board: Board) -> float:
    """Returns what searches are expected to ask for yet, in student-step equivalents.

    What a search waits for now is in it.
    """
    return sum(map(steps_left, board.unfinished()))


def estimate_s(plan: Plan, board: Board, untrained: Sequence[TeacherSpec], cpus: int) -> float:
    """Returns the expected wall-clock of what is still to run on so many CPUs like those here.

    Args:
        plan: The study's plan.
        board: What is not finished of it.
        untrained: Teachers that are not trained yet.
        cpus: How many CPUs there are.
    """
    work = [(job.trial.data, job.trial.student, expected_steps(job)) for job in board.planned()]
    for search in board.unfinished():
        setting = search.case.setting
        work.append((setting.data, setting.student, steps_left(search)))
    work_s = 0.0
    for opened in plan.opened:
        shape, classes = opened.dataset.image_shape, opened.dataset.num_classes
        step_s = partial(seconds_per_step, image_shape=shape, num_classes=classes)
        recipes, train_samples = opened.recipes, len(opened.splits.train)
        here = [(student, steps) for data, student, steps in work if data == opened.data]
        for student in dict.fromkeys(student for student, _ in here):
            steps = sum(count for name, count in here if name == student)
            work_s += steps * (step_s(student, recipes.student.batch_size) + AROUND_STEP_S)
        batch = recipes.teacher.batch_size
        for teacher in untrained:
            if teacher.data == opened.data:
                trained = not brings_weights(teacher.model)
                steps = trained * recipes.teacher.epochs * train_samples / batch
                # A forward pass is a third of a step.
                answers = sum(
                    bank.passes * len(bank.sample_ids) / batch / 3
                    for bank in plan.banks
                    if teacher in bank.teachers
                )
                work_s += step_s(teacher.model, batch) * (steps + answers)
    return START_S + work_s / max(cpus, 1)
