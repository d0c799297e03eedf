"""The training loop: one student, one distiller, from the first step to the last."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from metakd.core.batches import MetaBatches, TrainingBatches
from metakd.core.distillers.base import Distiller
from metakd.core.hypergradient import TakenStep
from metakd.core.losses import Losses
from metakd.core.meta_temperature import MetaStep


@dataclass(frozen=True)
class Recipe:
    """How long and by what optimiser a model is trained: SGD with momentum, cosine schedule."""

    epochs: int = 30
    """Passes over the (scaled) training set."""
    batch_size: int = 64
    """Samples a step; an epoch's incomplete last batch is left out."""
    lr: float = 0.05
    """Peak learning rate; it falls to 0 along half a cosine over all steps."""
    momentum: float = 0.9
    """Heavy-ball momentum, in [0, 1)."""
    nesterov: bool = True
    """Whether the momentum looks ahead (Nesterov)."""
    weight_decay: float = 5e-4
    """L2 penalty on every parameter."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {name}={getattr(self, name)}")
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got lr={self.lr}")

    def optimiser(self, model: nn.Module) -> Optimizer:
        """Returns the optimiser of the model's parameters."""
        return SGD(
            model.parameters(),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,
        )

    def lr_at(self, step: int, total_steps: int) -> float:
        """Returns the learning rate of a step in [0, total_steps)."""
        return 0.5 * self.lr * (1 + math.cos(math.pi * step / total_steps))


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch showed: means over its steps, and the state at its end.

    ``step_equivalents`` counts this epoch's work in plain student steps (a forward and a backward
    pass of one batch); ``compute_s`` is the time in the loop, evaluation not counted.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    ce_loss: float
    kd_loss: float | None
    temperatures: tuple[float, float] | None
    meta_loss: float | None
    meta_gradient: tuple[float, float] | None
    meta_steps: int
    meta_steps_skipped: int
    step_equivalents: float
    compute_s: float


def train(
    student: nn.Module,
    distiller: Distiller,
    recipe: Recipe,
    batches: TrainingBatches,
    meta_batches: MetaBatches | None = None,
    on_epoch: Callable[[EpochRecord], None] = lambda record: None,
) -> None:
    """Trains the student in place.

    Args:
        student: The model; a DDP wrapper will do where the distiller takes no meta steps.
        distiller: How it is taught.
        recipe: How long, and by what optimiser.
        batches: The training batches, with the teacher's logits where the distiller asks for them.
        meta_batches: The held-out batches; needed where the distiller takes meta steps.
        on_epoch: Called after each epoch.

    Raises:
        FloatingPointError: If the training loss stops being finite.
    """
    distiller.to(next(student.parameters()).device)
    optimiser = recipe.optimiser(student)
    total_steps = recipe.epochs * batches.steps_per_epoch
    step = 0
    awaits_next_batch = False
    student.train()
    for epoch in range(recipe.epochs):
        started = time.perf_counter()
        seen: list[Losses] = []
        meta_seen: list[MetaStep] = []
        for batch in batches.epoch(epoch):
            if awaits_next_batch:
                meta_seen.append(distiller.meta_step(batch.first(distiller.meta_samples(batch))))
            lr = recipe.lr_at(step, total_steps)
            for group in optimiser.param_groups:
                group["lr"] = lr
            taken = TakenStep(student, optimiser) if distiller.remembers(step) else None

            logits = student(batch.inputs)
            losses = distiller.loss(logits, batch)
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()

            if taken is not None:
                distiller.remember(taken, batch)
            is_due = distiller.is_meta_step(step)
            awaits_next_batch = is_due and distiller.meta_data == "train"
            if is_due and not awaits_next_batch:
                if meta_batches is None:
                    raise ValueError("look-aheads on the meta split need meta_batches")
                meta_batch = meta_batches.at(step).first(distiller.meta_samples(batch))
                meta_seen.append(distiller.meta_step(meta_batch))
            seen.append(losses.detach())
            step += 1
        record = _summarise(epoch, step, lr, seen, meta_seen, distiller, started)
        if not math.isfinite(record.train_loss):
            raise FloatingPointError(
                f"the training loss is {record.train_loss} in epoch {epoch}: lower the rate"
            )
        on_epoch(record)


def _summarise(
    epoch: int,
    step: int,
    lr: float,
    seen: list[Losses],
    meta_seen: list[MetaStep],
    distiller: Distiller,
    started: float,
) -> EpochRecord:
    gradient = _mean([m.gradient for m in meta_seen])
    meta_loss = _mean([m.meta_loss for m in meta_seen])
    kd_loss = _mean([losses.kd for losses in seen if losses.kd is not None])
    return EpochRecord(
        epoch=epoch,
        step=step,
        lr=lr,
        train_loss=float(torch.stack([losses.total for losses in seen]).mean()),
        ce_loss=float(torch.stack([losses.ce for losses in seen]).mean()),
        kd_loss=None if kd_loss is None else float(kd_loss),
        temperatures=distiller.temperatures(),
        meta_loss=None if meta_loss is None else float(meta_loss),
        meta_gradient=None if gradient is None else (float(gradient[0]), float(gradient[1])),
        meta_steps=len(meta_seen),
        meta_steps_skipped=sum(m.is_skipped for m in meta_seen),
        step_equivalents=len(seen) + sum(m.step_equivalents for m in meta_seen),
        compute_s=time.perf_counter() - started,
    )


def _mean(values: list[Tensor]) -> Tensor | None:
    return torch.stack(values).mean(dim=0) if values else None
