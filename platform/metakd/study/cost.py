"""What a plan will cost, before it runs: steps counted, seconds measured on a few steps here."""

import time

import torch
import torch.nn.functional as F

from metakd.core.distillers import MKDConfig
from metakd.core.distillers.mkd import JVP_STEP_EQUIVALENTS
from metakd.models.create import create_model
from metakd.study.plan import Plan
from metakd.train.trial import Trial

WARM_UP_STEPS, TIMED_STEPS = 3, 8
# The optimiser, evaluation, loading and committing, as a share of a trial's passes.
AROUND_STEPS = 0.4
# Ray's start, the first import in each worker, the teacher's worker group, the report.
START_S = 45.0


def expected_steps(trial: Trial, full_train_samples: int) -> float:
    """Returns a trial's cost in student-step equivalents."""
    samples = round(trial.scale * full_train_samples)
    batch = min(trial.recipe.batch_size, samples)
    steps = trial.recipe.epochs * (samples // batch)
    if not isinstance(trial.distiller, MKDConfig):
        return float(steps)
    return steps * (1 + (1 + JVP_STEP_EQUIVALENTS) / trial.distiller.interval)


def seconds_per_step(plan: Plan, image_shape: tuple[int, int, int], num_classes: int) -> float:
    """Measures a forward and a backward pass of the student on this machine, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    student = create_model(plan.student, image_shape, num_classes, seed=0)
    inputs = torch.zeros(plan.jobs[0].trial.recipe.batch_size, *image_shape)
    labels = torch.zeros(len(inputs), dtype=torch.int64)
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        F.cross_entropy(student(inputs), labels).backward()
    seconds = (time.perf_counter() - started) / TIMED_STEPS
    torch.set_num_threads(threads)
    return seconds


def estimate_s(steps: float, step_s: float, slots: int) -> float:
    """Returns the expected wall-clock of so many step equivalents on so many workers."""
    return START_S + steps * step_s * (1 + AROUND_STEPS) / max(slots, 1)
