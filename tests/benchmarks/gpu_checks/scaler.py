"""Fused AdamW under a GradScaler that overflows: the temperatures and weights of no scaler.

A fused step is handed the scaled gradients, and unscales them in place; an overflowed one leaves
all as it was. A look-ahead has to see the step as it was taken.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import AdamW

from gpu_checks.case import Found, Setup, largest_difference
from metakd.core import MetaTemperature
from metakd.models.create import create_model

SHAPE, CLASSES, BATCH = (1, 8, 8), 10, 32
STEPS = 12
OVERFLOWS = 2.0**127
TOLERANCE = 5e-3
"""AdamW takes rounding to whole steps where a gradient is nothing else."""


class Run(NamedTuple):
    """A run's end.

    Attributes:
        weights: All parameters, one after the other.
        temperatures: τ_s and τ_t.
        taken: The numbers of the batches whose steps moved the student.
    """

    weights: Tensor
    temperatures: tuple[float, float]
    taken: list[int]


def run(setup: Setup, numbers: list[int], is_fused: bool, is_scaled: bool) -> Run:
    """Trains on these batches, with a look-ahead after every step."""
    device = torch.device(setup.device)
    student = create_model("digit_cnn_tiny", SHAPE, CLASSES, seed=0).to(device).train()
    optimiser = AdamW(student.parameters(), lr=0.01, fused=is_fused)
    scaler = torch.amp.GradScaler(setup.device, init_scale=OVERFLOWS, enabled=is_scaled)
    temps = MetaTemperature(interval=1).watch(student, optimiser)
    taken = []
    for number in numbers:
        random = torch.Generator().manual_seed(number)
        inputs, judging = torch.randn(2, BATCH, *SHAPE, generator=random).to(device)
        teacher_logits = 3 * torch.randn(BATCH, CLASSES, generator=random).to(device)
        labels = torch.randint(CLASSES, (BATCH,), generator=random).to(device)
        optimiser.zero_grad()
        loss = 10 * temps.loss(student(inputs), teacher_logits, labels)
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()
        if temps.meta_step(judging, labels) is not None:
            taken.append(number)
    weights = torch.cat([parameter.detach().flatten() for parameter in student.parameters()])
    return Run(weights.cpu(), temps.temperatures, taken)


def without_a_scaler(setup: Setup) -> Found:
    """Compares with runs, fused and not, that skip what overflowed and have no scaler."""
    scaled = run(setup, list(range(STEPS)), is_fused=True, is_scaled=True)
    numbers: dict[str, float] = {"overflowed": STEPS - len(scaled.taken)}
    for name, is_fused in (("fused", True), ("not fused", False)):
        plain = run(setup, scaled.taken, is_fused, is_scaled=False)
        numbers[f"weights from {name}"] = largest_difference(scaled.weights, plain.weights)
        numbers[f"τ from {name}"] = largest_difference(scaled.temperatures, plain.temperatures)
    moved = largest_difference(scaled.temperatures, (4.0, 4.0))
    differences = [value for name, value in numbers.items() if " from " in name]
    ok = 0 < numbers["overflowed"] < STEPS and moved > 0.01 and max(differences) < TOLERANCE
    return Found(ok, {**numbers, "τ moved": moved})


CASES = {"as without a scaler": without_a_scaler}
