"""The rule of MKD's abstract: descend the hypergradient, by Adam."""

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.meta_temperature.rule import MetaRule, SeenStep
from metakd.core.optimisers import EagerAdam


class GradientRule(MetaRule):
    """Adam on φ. The start matters to it: it travels ``lr`` in log τ a meta step, no more.

    Args:
        phi: The meta-parameters that it will move.
        lr: Adam's rate: about the relative change of a temperature in one meta step.
        betas: How Adam's first and second moments decay.
        weight_decay: L2 penalty on φ, inside Adam.
    """

    def __init__(
        self,
        phi: Sequence[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self._optimiser = EagerAdam(phi, lr=lr, betas=betas, weight_decay=weight_decay)

    def move(
        self,
        phi: Sequence[nn.Parameter],
        gradients: Sequence[Tensor],
        seen: Sequence[SeenStep],
        group: dist.ProcessGroup | None,
    ) -> None:
        """Takes one step of Adam."""
        for parameter, gradient in zip(phi, gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad()

    def get_extra_state(self) -> dict[str, Any]:
        """Returns Adam's state, for the state dict."""
        return self._optimiser.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes Adam's state from a state dict."""
        self._optimiser.load_state_dict(state)
