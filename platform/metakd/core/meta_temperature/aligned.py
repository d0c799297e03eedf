"""Temperatures moved by the alignment rule, for methods that learn something else beside them."""

from collections.abc import Sequence

import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.meta_temperature.alignment import AlignmentRule
from metakd.core.meta_temperature.rule import SeenStep
from metakd.core.temperatures.scalar import SeparateTemperatures


class AlignedTemperatures(nn.Module):
    """τ_s and τ_t, from the middle of a range on. Its state dict is all that a resumed run needs.

    Args:
        tau_range: The lowest and the highest temperature that are scored.
        confidence: How fast the weights concentrate.
    """

    def __init__(self, tau_range: tuple[float, float], confidence: float) -> None:
        super().__init__()
        self._rule = AlignmentRule(*tau_range, confidence, shared=False)
        self._temperatures = SeparateTemperatures(self._rule.middle, self._rule.middle)
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
