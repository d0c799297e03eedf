"""φ of several teachers: the networks that weigh them, their temperatures, and how both move."""

from collections.abc import Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.lookahead.sweep import MetaGradient
from metakd.core.meta_temperature.rules import AlignedTemperatures, GradientRule, SeenStep
from metakd.core.teacher_weights.config import TeacherWeightsConfig
from metakd.core.teacher_weights.network import WeightNetwork

ADAM_BETAS = (0.9, 0.999)


class LearnedWeights(nn.Module):
    """φ of several teachers. Its state dict is all that a resumed run needs.

    No parameter takes a gradient outside a look-ahead.

    Args:
        config: What is learned.

    Attributes:
        networks: By what they weigh: "logits", "features"; empty before ``make_networks``, and
            where no weights are learned.
        temperatures: None where they are fixed.
    """

    def __init__(self, config: TeacherWeightsConfig) -> None:
        super().__init__()
        self._config = config
        self.networks = nn.ModuleDict()
        self.temperatures: AlignedTemperatures | None = None
        self._weights_rule: GradientRule | None = None
        if config.learns_temperatures:
            self.temperatures = AlignedTemperatures(config.tau_range, config.confidence)
        self.requires_grad_(False)

    def make_networks(
        self, widths: Mapping[str, int], teachers: int, seed: int, dtype: torch.dtype
    ) -> None:
        """Makes the networks, once.

        Args:
            widths: How many numbers each reads of a sample, by what it weighs.
            teachers: K.
            seed: Of their weights.
            dtype: Of their weights, and of the temperatures.
        """
        for index, (of, width) in enumerate(widths.items()):
            self.networks[of] = WeightNetwork(width, teachers, self._config.start, seed + index)
        self.networks.to(dtype)
        if self.temperatures is not None:
            self.temperatures.to(dtype)
        self._weights_rule = GradientRule(
            self._in_networks, self._config.meta_lr, ADAM_BETAS, self._config.meta_weight_decay
        )
        self.requires_grad_(False)

    def weigh(self, of: str, read: Tensor) -> Tensor:
        """Returns what a network makes of (B, width) numbers: weights (B, K)."""
        weights: Tensor = self.networks[of](read)
        return weights

    @property
    def phi(self) -> list[nn.Parameter]:
        """What is learned: the networks first."""
        return [*self._in_networks, *self._log_tau]

    def move(
        self, found: MetaGradient, seen: Sequence[SeenStep], group: dist.ProcessGroup | None
    ) -> None:
        """Moves all of it after a look-ahead.

        Args:
            found: The gradient, finite.
            seen: The steps of the look-ahead that the teachers had a part in.
            group: The ranks of a DDP student.
        """
        networks = self._in_networks
        if self._weights_rule is not None:
            self._weights_rule.move(networks, found.of_phi[: len(networks)], seen, group)
        if self.temperatures is not None:
            self.temperatures.move(found.of_phi[-1], seen, group)

    @property
    def _in_networks(self) -> list[nn.Parameter]:
        return list(self.networks.parameters())

    @property
    def _log_tau(self) -> list[nn.Parameter]:
        return [] if self.temperatures is None else [self.temperatures.log_tau]
