"""How a model is trained: for how long, by what optimiser, at what learning rates."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

if TYPE_CHECKING:
    from torch import nn
    from torch.nn import Parameter
    from torch.optim import Optimizer

Algorithm = Literal["sgd", "adamw"]
Match = Literal["epochs", "steps"]
"""Fewer samples are seen for as many epochs, or for as many optimiser steps, as all are."""


@dataclass(frozen=True)
class Recipe:
    """Epochs, batches, optimiser, and a schedule that a linear warm-up may precede.

    The learning rate falls along a cosine, or by steps where it has milestones.

    Both optimisers are ones that a look-ahead differentiates exactly. Gradients are not clipped:
    the factor would depend on the gradient, and a look-ahead would not see that.

    Raises:
        ValueError: If a value is out of its range.
    """

    versions: ClassVar[Mapping[str, int]] = {"recipe": 1}
    """Of the algorithm: raised with every change of what the same recipe computes."""

    epochs: int = 30
    """Passes over the (scaled) training set."""
    batch_size: int = 64
    """Samples a step; an epoch's incomplete last batch is left out."""
    lr: float = 0.05
    """Peak learning rate, which the warm-up rises to and the schedule begins with."""
    momentum: float = 0.9
    """Of SGD: heavy-ball momentum, in [0, 1)."""
    nesterov: bool = True
    """Of SGD: whether the momentum looks ahead (Nesterov)."""
    weight_decay: float = 5e-4
    """Of SGD, an L2 penalty on every parameter. Of AdamW, decoupled (arXiv 1711.05101), and on
    weights alone: see ``parameters_by_decay``."""
    algorithm: Algorithm = "sgd"
    """Which optimiser: SGD with momentum, or AdamW."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW: decay of the first and of the second moment, each in [0, 1)."""
    warmup_epochs: float = 0.0
    """So long the learning rate rises to its peak, in [0, epochs)."""
    min_lr: float = 0.0
    """Where the cosine ends, in [0, lr]."""
    milestones: tuple[float, ...] = ()
    """Epochs after which the rate is multiplied by ``decay``, ascending in (0, epochs); () leaves
    it to the cosine."""
    decay: float = 0.1
    """What a milestone multiplies the rate by, in (0, 1)."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {name}={getattr(self, name)}")
        if not self.lr > 0:
            raise ValueError(f"lr must be above 0, got lr={self.lr}")
        if not 0 <= self.min_lr <= self.lr:
            raise ValueError(f"min_lr must be in [0, lr={self.lr}], got min_lr={self.min_lr}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"warmup_epochs must be in [0, epochs={self.epochs}), "
                f"got warmup_epochs={self.warmup_epochs}"
            )
        if self.algorithm not in get_args(Algorithm):
            raise ValueError(
                f"algorithm must be one of {', '.join(get_args(Algorithm))}, "
                f"got algorithm={self.algorithm!r}"
            )
        if list(self.milestones) != sorted({m for m in self.milestones if 0 < m < self.epochs}):
            raise ValueError(
                f"milestones must ascend in (0, epochs={self.epochs}), "
                f"got milestones={self.milestones}"
            )
        if not 0 < self.decay < 1:
            raise ValueError(f"decay must be in (0, 1), got decay={self.decay}")
        for beta in self.betas:
            if not 0 <= beta < 1:
                raise ValueError(f"betas must be in [0, 1), got betas={self.betas}")

    @property
    def unused_fields(self) -> Collection[str]:
        """Settings of the other optimiser, and of the other schedule."""
        optimiser = {"betas"} if self.algorithm == "sgd" else {"momentum", "nesterov"}
        return optimiser | ({"min_lr"} if self.milestones else {"milestones", "decay"})

    def over(self, epochs: int | None) -> "Recipe":
        """Returns the same recipe over so many epochs; None leaves it as it is.

        A shorter run warms up for a shorter time in proportion, a longer one for no longer;
        milestones stay where they are in proportion.
        """
        if epochs is None or epochs == self.epochs:
            return self
        return replace(
            self,
            epochs=epochs,
            warmup_epochs=self.warmup_epochs * min(1.0, epochs / self.epochs),
            milestones=tuple(m * epochs / self.epochs for m in self.milestones),
        )

    def optimiser(self, model: "nn.Module") -> "Optimizer":
        """Returns the optimiser of the model's parameters."""
        # A recipe is named before anything is trained: PyTorch takes seconds to import.
        from metakd.core.optimisers import EagerAdamW, EagerSGD

        if self.algorithm == "sgd":
            return EagerSGD(
                model.parameters(),
                lr=self.lr,
                momentum=self.momentum,
                nesterov=self.nesterov and self.momentum > 0,
                weight_decay=self.weight_decay,
                fused=True,
            )
        decayed, others = parameters_by_decay(model)
        return EagerAdamW(
            [
                {"params": decayed, "weight_decay": self.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.lr,
            betas=self.betas,
            fused=True,
        )

    def lr_at(self, step: int, total_steps: int) -> float:
        """Returns the learning rate of a step in [0, total_steps).

        Over W warm-up steps it is lr · (step + 1) / W; then it falls from lr towards min_lr along
        half a cosine over the steps that are left, or is lr · decay^n after n milestones.
        """
        warmup = round(total_steps * self.warmup_epochs / self.epochs)
        if step < warmup:
            return self.lr * (step + 1) / warmup
        if self.milestones:
            passed = sum(step >= total_steps * m / self.epochs for m in self.milestones)
            return self.lr * self.decay**passed
        fallen = (step - warmup) / (total_steps - warmup)
        return self.min_lr + 0.5 * (self.lr - self.min_lr) * (1 + math.cos(math.pi * fallen))


def parameters_by_decay(model: "nn.Module") -> "tuple[list[Parameter], list[Parameter]]":
    """Returns the parameters that AdamW's weight decay shrinks, and those that it leaves alone.

    Left alone are vectors (biases, the scales of norms) and what the model itself names in
    ``no_weight_decay``, timm's convention: position embeddings and tokens.
    """
    from metakd.core.lookahead import bare

    model = bare(model)
    named_by_model: Collection[str] = getattr(model, "no_weight_decay", set)()
    decayed: list[Parameter] = []
    others: list[Parameter] = []
    for name, parameter in model.named_parameters():
        is_left_alone = parameter.ndim <= 1 or name in named_by_model
        (others if is_left_alone else decayed).append(parameter)
    return decayed, others
