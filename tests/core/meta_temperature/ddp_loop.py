"""One rank of a DDP loop with learned temperatures: ``python ddp_loop.py RANK WORLD STORE OUT``."""

from collections.abc import Iterator
from typing import Any

import torch
from ranks import joined, write
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD

from metakd.core import MetaTemperature

BATCH, WIDTH, CLASSES, STEPS = 16, 6, 4, 50
SETTINGS: dict[str, dict[str, Any]] = {
    "alignment": {"scale": "product", "rule": "alignment", "confidence": 1.0},
    "gradient": {"scale": "product"},
    "two steps": {"scale": "product", "horizon": 2},
    "per sample": {"scale": "product", "form": "per_sample"},
    "two steps of a free scale": {"horizon": 2},
    "alignment on a quarter": {"rule": "alignment", "meta_fraction": 0.25},
}


def batches(rank: int, world: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields this rank's share of every global batch, in float64."""
    teacher = torch.randn(WIDTH, CLASSES, generator=torch.Generator().manual_seed(0)).double()
    for step in range(2 * STEPS):
        generator = torch.Generator().manual_seed(step + 1)
        inputs = torch.randn(BATCH, WIDTH, generator=generator).double()[rank::world]
        logits = 3 * inputs @ teacher
        noise = torch.randn(BATCH, CLASSES, generator=generator).double()[rank::world]
        yield inputs, logits, (logits + 2 * noise).argmax(dim=1)


def train(rank: int, world: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns what was learned, as this rank has it."""
    torch.manual_seed(0)
    student: nn.Module = nn.Sequential(
        nn.Linear(WIDTH, 10), nn.Tanh(), nn.Linear(10, CLASSES)
    ).double()
    if world > 1:
        student = DistributedDataParallel(student)
    optimiser = SGD(student.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    temps = MetaTemperature(**{"interval": 2, "meta_fraction": 1.0, **settings}).double()
    temps.watch(student, optimiser)
    data = batches(rank, world)
    for _ in range(STEPS):
        inputs, teacher_logits, labels = next(data)
        loss = temps.loss(student(inputs), teacher_logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        held_inputs, _, held_labels = next(data)
        temps.meta_step(held_inputs, held_labels)
    phi = torch.cat([p.detach().flatten() for p in temps.parameters()])
    return {"phi": [value.hex() for value in phi.tolist()], "taus": temps.temperatures}


def main() -> None:
    with joined() as (rank, world):
        write({name: train(rank, world, settings) for name, settings in SETTINGS.items()})


if __name__ == "__main__":
    main()
