"""The interface of every form that a learned temperature takes."""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from metakd.core.temperature_bounds import TAU_MAX, TAU_MIN


class TemperaturePair(NamedTuple):
    """τ_s and τ_t: both scalars, or both one number a sample, (B,). They carry the graph to φ."""

    student: Tensor
    teacher: Tensor


class Temperatures(nn.Module, ABC):
    """τ_s and τ_t as functions of φ, this module's parameters."""

    @abstractmethod
    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> TemperaturePair:
        """Returns the temperatures of a batch.

        Args:
            student_logits: z_s, (B, C); no gradient flows back into them.
            teacher_logits: z_t, (B, C).
            labels: Class indices (B,), or class probabilities (B, C).
        """

    @abstractmethod
    def summary(self) -> tuple[float, float]:
        """Returns one (τ_s, τ_t) that stands for all: geometric means where there are many."""

    def clamp_(self) -> None:
        """Clamps φ to its bounds, after a meta step."""


def clamp_log_(log_tau: Tensor) -> None:
    """Clamps log temperatures to the bounds, in place."""
    log_tau.clamp_(math.log(TAU_MIN), math.log(TAU_MAX))
