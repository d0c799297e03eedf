"""Speed as ratios within one run: our steps against bare ones, with look-aheads against without."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from meta_step import DEFAULT, OURS, WARM_UP, our_step, plain_loss, seconds_per_step, steps_of
from rivals import Task
from torch import nn
from torch.optim import SGD, AdamW

from gpu_checks.case import Found, Setup
from gpu_checks.packing_ways import Students, one_by_one
from gpu_checks.prepared import prepare, training_on
from metakd.core import MetaTemperature
from metakd.core.distillers import CrossEntropyConfig, DistillerConfig, KDConfig
from metakd.core.training import Training
from metakd.models.create import create_model
from metakd.train import student as trials
from metakd.train.teacher import open_module

AT_LEAST, AT_MOST = 0.95, 1.10
"""Of a bare step's images a second, and of the cost of a step with look-aheads."""
ROUNDS = 3
TAU, ALPHA = 4.0, 0.9
MIB = 2**20


def bare_step(model: nn.Module, teacher: nn.Module | None, batch: int, setup: Setup) -> Callable:
    """Returns a step as timm's loop writes it, on tensors that lie on the device."""
    device = torch.device(setup.device)
    optimiser = SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True)
    inputs = torch.randn(batch, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch,), device=device)
    model.train()

    def step() -> None:
        with torch.autocast(setup.device, torch.bfloat16, enabled=not setup.is_tiny):
            logits = model(inputs).float()
        loss = F.cross_entropy(logits, labels)
        if teacher is not None:
            with torch.no_grad():
                teacher_logits = teacher(inputs)
            p, q = F.softmax(teacher_logits / TAU, 1), F.log_softmax(logits / TAU, 1)
            loss = (1 - ALPHA) * loss + ALPHA * TAU**2 * F.kl_div(q, p, reduction="batchmean")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def against_bare(
    distiller: DistillerConfig, augmentation: str, goal: float | None, setup: Setup
) -> Found:
    """Times epochs of our loop, and a bare loop of the same model, in turn."""
    prepared = prepare(setup, setup.dataset("cifar10"), "cifar10")
    batch = setup.size(128, 10)
    trial = prepared.taught_by(distiller)
    trial = replace(
        trial,
        recipe=replace(trial.recipe, epochs=ROUNDS + 1, batch_size=batch),
        sampling=replace(
            trial.sampling,
            augmentation=augmentation,
            scale=setup.size(0.3, 1.0),
            images_per_class=None,
        ),
    )
    autocast = None if setup.is_tiny else torch.bfloat16
    with training_on(setup.device, autocast):
        samples = trials.open_samples(trial.data, prepared.folder)
        batches = trials.training_batches(trial, prepared.folder, samples, None)
        student, again = (samples.new_model(trial.student, trial.seed) for _ in range(2))
        teacher = open_module(trial.teacher, prepared.folder) if trial.teacher else None
        training = Training(student, distiller.build(), trial.recipe, batches, autocast=autocast)
        bare = bare_step(again, teacher, batch, setup)
        training.run_epoch()
        ratios, rates = [], []
        for _ in range(setup.size(ROUNDS, 1)):
            setup.wait()
            ours_s = training.run_epoch().compute_s / batches.steps_per_epoch
            bare_s = setup.seconds(bare, batches.steps_per_epoch)
            ratios.append(bare_s / ours_s)
            rates.append(batch / ours_s)
    ratio = statistics.median(ratios)
    numbers = {"of the bare rate": ratio, "images a second": statistics.median(rates)}
    return Found(None if goal is None or setup.is_tiny else ratio >= goal, numbers)


def look_aheads(model: str, side: int, batch: int, setup: Setup) -> Found:
    """Times steps with look-aheads at the default settings and without, and their peak memory."""
    shape = (3, side, side)
    batch = setup.size(batch, 4)
    if "vit" in model:
        model += setup.size("", ",depth=1,embed_dim=32,num_heads=2")

    def task() -> Task:
        student = create_model(model, shape, 10, seed=0).to(setup.device)
        optimiser = (
            AdamW(student.parameters(), lr=1e-3, fused=True)
            if "vit" in model
            else SGD(student.parameters(), lr=0.01, momentum=0.9, nesterov=True, fused=True)
        )
        in_bf16 = setup.device == "cuda"
        return Task.of(student, optimiser, batch, in_bf16, image_shape=shape)

    plain_task, our_task = task(), task()
    plain = partial(plain_task.step, partial(plain_loss, plain_task))
    ours = our_step(our_task, MetaTemperature(**OURS[DEFAULT]))
    ratios = []
    for step in (plain, ours):
        seconds_per_step(step, max(WARM_UP, steps_of(DEFAULT)), setup.device)
    for _ in range(setup.size(ROUNDS, 1)):
        steps = setup.size(4 if side == 32 else 1, 1) * steps_of(DEFAULT)
        plain_s = seconds_per_step(plain, steps, setup.device)
        ratios.append(seconds_per_step(ours, steps, setup.device) / plain_s)
    ratio = statistics.median(ratios)
    numbers = {"ratio": ratio, "images a second without": batch / plain_s}
    if setup.device == "cuda":
        for name, step in (("MiB without", plain), ("MiB with", ours)):
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            seconds_per_step(step, steps_of(DEFAULT), setup.device)
            numbers[name] = (torch.cuda.max_memory_allocated() - before) / MIB
    return Found(None if setup.is_tiny else ratio <= AT_MOST, numbers)


def compiled(setup: Setup) -> Found:
    """Times the step of a tiny student, compiled and captured as a whole, against an eager one."""
    students = Students.new("digit_cnn_tiny", 1, setup.size(64, 4), setup.device)
    step, steps = one_by_one(students).step, setup.size(200, 2)
    eager_s = setup.seconds(step, steps)
    options = {"backend": "aot_eager"} if setup.is_tiny else {"mode": "reduce-overhead"}
    students.models[0].compile(**options)
    return Found(None, {"of the eager time": setup.seconds(step, steps) / eager_s})


VIT_AT_32 = "timm:vit_tiny_patch16_224,patch_size=4"
CASES = {
    "ce, images as they are": partial(against_bare, CrossEntropyConfig(), "none", AT_LEAST),
    "ce, standard augmentation": partial(against_bare, CrossEntropyConfig(), "standard", None),
    "kd, live teacher": partial(against_bare, KDConfig(), "none", AT_LEAST),
    "compiled step, digits CNN": compiled,
    "look-ahead, ResNet-20": partial(look_aheads, "cifar_resnet20", 32, 128),
    "look-ahead, ResNet-8x4": partial(look_aheads, "cifar_resnet8x4", 32, 128),
    "look-ahead, ViT-Ti at 32 px": partial(look_aheads, VIT_AT_32, 32, 128),
    "look-ahead, ViT-S at 224 px": partial(look_aheads, "timm:vit_small_patch16_224", 224, 128),
}
