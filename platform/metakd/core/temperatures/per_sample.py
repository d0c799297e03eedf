"""A small network that softens each sample as its logits suggest."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.temperature_bounds import TAU_MAX, TAU_MIN
from metakd.core.temperatures.base import TemperaturePair, Temperatures

HIDDEN = 16
STATISTICS = 7


class PerSampleTemperatures(Temperatures):
    """φ = a network from statistics of (z_s, z_t) to log τ_s and log τ_t of each sample.

    The last layer starts at zero, so that all samples start at the given temperatures. The
    statistics are bounded or logarithmic: spread and largest probability of both sides' logits,
    both entropies relative to log C, and the cosine between the centred logits.

    Args:
        tau_s: Where the student's temperatures start.
        tau_t: Where the teacher's temperatures start.
    """

    start: Tensor
    recent: Tensor

    def __init__(self, tau_s: float, tau_t: float) -> None:
        super().__init__()
        # The same network on every rank, and no draw from the caller's generator.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.network = nn.Sequential(
                nn.Linear(STATISTICS, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2)
            )
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("start", torch.tensor([math.log(tau_s), math.log(tau_t)]))
        self.register_buffer("recent", self.start.clone())

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor
    ) -> TemperaturePair:
        """Returns (B,) temperatures of each side."""
        statistics = _statistics(student_logits.detach(), teacher_logits.detach())
        log_tau = self.start + self.network(statistics.to(self.start.dtype))
        log_tau = log_tau.clamp(math.log(TAU_MIN), math.log(TAU_MAX))
        self.recent = log_tau.detach().mean(dim=0)
        tau_s, tau_t = log_tau.exp().unbind(dim=1)
        return TemperaturePair(tau_s, tau_t)

    def summary(self) -> tuple[float, float]:
        """Returns the geometric means over the most recent batch."""
        tau_s, tau_t = self.recent.exp().tolist()
        return tau_s, tau_t


def _statistics(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    columns: list[Tensor] = []
    centred: list[Tensor] = []
    for logits in (student_logits, teacher_logits):
        logits = logits - logits.mean(dim=1, keepdim=True)
        log_p = F.log_softmax(logits, dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1) / math.log(logits.shape[1])
        spread = logits.std(dim=1).clamp_min(1e-6).log()
        columns += [spread, log_p.amax(dim=1).exp(), entropy]
        centred.append(logits)
    columns.append(F.cosine_similarity(centred[0], centred[1], dim=1))
    return torch.stack(columns, dim=1)
