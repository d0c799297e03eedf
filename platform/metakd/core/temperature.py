"""Softmax temperatures that are learned: a student's and a teacher's, on a log scale."""

import math

import torch
from torch import Tensor, nn

TAU_MIN = 0.25
TAU_MAX = 64.0


class LearnedTemperatures(nn.Module):
    """τ_s and τ_t as meta-parameters φ = (log τ_s, log τ_t), kept inside [0.25, 64].

    The logarithm makes a step of the meta optimiser a relative change, the same at τ = 1 and at
    τ = 16.

    Args:
        tau_s: Where the student's temperature starts.
        tau_t: Where the teacher's temperature starts.

    Raises:
        ValueError: If a start lies outside [0.25, 64].
    """

    def __init__(self, tau_s: float, tau_t: float) -> None:
        super().__init__()
        for name, tau in (("tau_s", tau_s), ("tau_t", tau_t)):
            if not TAU_MIN <= tau <= TAU_MAX:
                raise ValueError(
                    f"a learned temperature starts in [{TAU_MIN}, {TAU_MAX:g}], got {name}={tau}"
                )
        self.log_tau = nn.Parameter(torch.tensor([math.log(tau_s), math.log(tau_t)]))

    def forward(self) -> tuple[Tensor, Tensor]:
        """Returns (τ_s, τ_t), scalars that carry the gradient to φ."""
        tau_s, tau_t = self.log_tau.exp().unbind()
        return tau_s, tau_t

    @torch.no_grad()
    def clamp_(self) -> None:
        """Brings both temperatures back inside their bounds."""
        self.log_tau.clamp_(math.log(TAU_MIN), math.log(TAU_MAX))
