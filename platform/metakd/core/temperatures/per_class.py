"""A temperature pair for each class."""

import math

import torch
from torch import Tensor, nn

from metakd.core.temperatures.base import TemperaturePair, Temperatures, clamp_log_


class PerClassTemperatures(Temperatures):
    """φ = log τ of shape (2, C): a sample is softened by the temperatures of its label's class.

    With class probabilities as labels (mixup), log τ is their mean under these probabilities.

    Args:
        tau_s: Where the student's temperatures start.
        tau_t: Where the teacher's temperatures start.
        num_classes: C.
    """

    def __init__(self, tau_s: float, tau_t: float, num_classes: int) -> None:
        super().__init__()
        start = torch.tensor([[math.log(tau_s)], [math.log(tau_t)]])
        self.log_tau = nn.Parameter(start.repeat(1, num_classes))

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> TemperaturePair:
        """Returns (B,) temperatures of each side."""
        if labels.is_floating_point():
            log_tau = self.log_tau @ labels.to(self.log_tau.dtype).T
        else:
            log_tau = self.log_tau[:, labels]
        tau_s, tau_t = log_tau.exp().unbind()
        return TemperaturePair(tau_s, tau_t)

    def summary(self) -> tuple[float, float]:
        """Returns the geometric means over classes."""
        tau_s, tau_t = self.log_tau.detach().mean(dim=1).exp().tolist()
        return tau_s, tau_t

    @torch.no_grad()
    def clamp_(self) -> None:
        """Clamps all to their bounds."""
        clamp_log_(self.log_tau)
