"""What a plan will cost, before it runs: steps counted, seconds measured on a few steps here."""

import time
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from metakd.core.distillers import MKDConfig
from metakd.core.meta_temperature import meta_step_equivalents
from metakd.data.datasets import ImageDataset
from metakd.models.create import create_model
from metakd.study.plan import Job, Plan

WARM_UP_STEPS, TIMED_STEPS = 2, 4
# What a step takes beside its passes: the optimiser, the batch, its share of evaluation.
AROUND_STEP_S = 0.6e-3
# Ray's start, the first imports of each worker, the teacher's worker group, the report.
START_S = 70.0


def expected_steps(job: Job, full_train_samples: int) -> float:
    """Returns a job's cost in student-step equivalents."""
    trial = job.trial
    batch = min(trial.recipe.batch_size, job.samples)
    each = trial.sampling.steps_per_epoch(batch, job.samples, full_train_samples)
    steps = trial.recipe.epochs * each
    if not isinstance(trial.distiller, MKDConfig):
        return float(steps)
    config = trial.distiller
    look_ahead = meta_step_equivalents(config, batch, config.samples_of(batch))
    return steps + config.look_aheads(steps) * look_ahead


def seconds_per_step(
    model: str, batch_size: int, image_shape: tuple[int, int, int], num_classes: int
) -> float:
    """Measures a forward and a backward pass of a model on this machine, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    built = create_model(model, image_shape, num_classes, seed=0)
    inputs = torch.zeros(batch_size, *image_shape)
    labels = torch.zeros(batch_size, dtype=torch.int64)
    for step in range(WARM_UP_STEPS + TIMED_STEPS):
        if step == WARM_UP_STEPS:
            started = time.perf_counter()
        F.cross_entropy(built(inputs), labels).backward()
    seconds = (time.perf_counter() - started) / TIMED_STEPS
    torch.set_num_threads(threads)
    return seconds


def estimate_s(
    plan: Plan,
    pending: Sequence[Job],
    dataset: ImageDataset,
    teacher_is_trained: bool,
    cpus: int,
) -> float:
    """Returns the expected wall-clock of what is still to run on so many CPUs like those here."""
    shape, classes = dataset.image_shape, dataset.num_classes
    recipe = pending[0].trial.recipe
    steps = sum(expected_steps(job, plan.train_samples) for job in pending)
    step_s = seconds_per_step(plan.student, recipe.batch_size, shape, classes) + AROUND_STEP_S
    work_s = steps * step_s
    if plan.teacher is not None and not teacher_is_trained:
        batch = plan.teacher.recipe.batch_size
        teacher_s = seconds_per_step(plan.teacher.model, batch, shape, classes)
        epochs = plan.teacher.recipe.epochs * (plan.train_samples / batch)
        # A forward pass is a third of a step.
        answers = sum(bank.passes * len(bank.sample_ids) for bank in plan.banks) / batch / 3
        work_s += teacher_s * (epochs + answers)
    return START_S + work_s / max(cpus, 1)
