"""One temperature for each side, or one for both, the same for all samples."""

import math

import torch
from torch import Tensor, nn

from metakd.core.temperatures.base import TemperaturePair, Temperatures, clamp_log_


class SeparateTemperatures(Temperatures):
    """φ = (log τ_s, log τ_t), as in MKD's abstract: both sides have their own.

    The logarithm makes a step of the meta optimiser a relative change, the same at τ = 1 and at
    τ = 16.

    Args:
        tau_s: Where the student's temperature starts.
        tau_t: Where the teacher's temperature starts.
    """

    def __init__(self, tau_s: float, tau_t: float) -> None:
        super().__init__()
        self.log_tau = nn.Parameter(torch.tensor([math.log(tau_s), math.log(tau_t)]))

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> TemperaturePair:
        """Returns two scalars, whatever the batch."""
        tau_s, tau_t = self.log_tau.exp().unbind()
        return TemperaturePair(tau_s, tau_t)

    def summary(self) -> tuple[float, float]:
        """Returns (τ_s, τ_t)."""
        tau_s, tau_t = self.log_tau.detach().exp().tolist()
        return tau_s, tau_t

    @torch.no_grad()
    def clamp_(self) -> None:
        """Clamps both to their bounds."""
        clamp_log_(self.log_tau)


class SharedTemperature(Temperatures):
    """φ = log τ, one temperature for student and teacher, as in Hinton's distillation.

    Args:
        tau: Where it starts.
    """

    def __init__(self, tau: float) -> None:
        super().__init__()
        self.log_tau = nn.Parameter(torch.tensor(math.log(tau)))

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> TemperaturePair:
        """Returns the same scalar twice, whatever the batch."""
        tau = self.log_tau.exp()
        return TemperaturePair(tau, tau)

    def summary(self) -> tuple[float, float]:
        """Returns (τ, τ)."""
        tau = float(self.log_tau.detach().exp())
        return tau, tau

    @torch.no_grad()
    def clamp_(self) -> None:
        """Clamps it to its bounds."""
        clamp_log_(self.log_tau)
