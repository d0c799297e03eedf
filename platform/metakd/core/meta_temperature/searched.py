"""Temperatures that a search moves, for methods that learn them beside something else."""

import math
from collections.abc import Sequence

import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.meta_temperature.rule import SeenStep
from metakd.core.meta_temperature.search import AlignmentSearch
from metakd.core.temperatures.scalar import SeparateTemperatures


class SearchedTemperatures(nn.Module):
    """τ_s and τ_t, from the middle of a range on. Its state dict is all that a resumed run needs.

    Args:
        search_range: The temperatures that the search judges.
        confidence: How fast it makes up its mind.
    """

    def __init__(self, search_range: tuple[float, float], confidence: float) -> None:
        super().__init__()
        low, high = search_range
        middle = math.sqrt(low * high)
        self._temperatures = SeparateTemperatures(middle, middle)
        self._rule = AlignmentSearch(low, high, confidence, shared=False)
        self.requires_grad_(False)

    @property
    def log_tau(self) -> nn.Parameter:
        """(log τ_s, log τ_t), which takes a gradient in look-aheads alone."""
        return self._temperatures.log_tau

    def taus(self, shift: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns τ_s and τ_t, scalars with their graph to φ.

        Args:
            shift: Added to both logarithms, (2,): its gradient is that of a relative change.
        """
        taus = self.log_tau.exp()
        tau_s, tau_t = (taus if shift is None else taus * shift.exp()).unbind()
        return tau_s, tau_t

    def summary(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        return self._temperatures.summary()

    def move(
        self, of_log_tau: Tensor, seen: Sequence[SeenStep], group: dist.ProcessGroup | None
    ) -> None:
        """Moves them after a look-ahead.

        Args:
            of_log_tau: dM/d(log τ_s, log τ_t), finite, (2,).
            seen: The steps of the look-ahead.
            group: The ranks of a DDP student.
        """
        self._rule.move([self.log_tau], [of_log_tau], seen, group)
        self._temperatures.clamp_()
