"""Temperatures that descend the look-ahead hypergradient (MKD-style): the default and variants."""

from collections.abc import Callable
from typing import Any

from metakd.core.distillers import MKDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _learned(**choice: Any) -> Callable[[Choices], list[MKDConfig]]:  # noqa: ANN401 - fields of MKDConfig
    def configs(choices: Choices) -> list[MKDConfig]:
        tau = choices.fixed_tau
        return [MKDConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha, **choice)]

    return configs


def _per_class(choices: Choices) -> list[MKDConfig]:
    return _learned(form="per_class", num_classes=choices.num_classes)(choices)


def _from_each_start(choices: Choices) -> list[MKDConfig]:
    return [MKDConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha) for tau in choices.temperatures]


META = Strategy("both temperatures learned by their hypergradient (MKD-style)", at_once(_learned()))
STARTS = Strategy(
    "both learned by their hypergradient, once from each temperature of the grid",
    at_once(_from_each_start),
)
HELD_OUT = Strategy(
    "both learned by their hypergradient, judged by held-out samples",
    at_once(_learned(meta_data="held_out")),
)
SHARED = Strategy("one temperature learned by its hypergradient", at_once(_learned(form="shared")))
PER_CLASS = Strategy("temperatures of each class learned by hypergradients", at_once(_per_class))
PER_SAMPLE = Strategy(
    "a network from logits to temperatures, learned by its hypergradient",
    at_once(_learned(form="per_sample")),
)
WITH_ALPHA = Strategy(
    "both temperatures and the loss weight learned by their hypergradient",
    at_once(_learned(learn_alpha=True)),
)
