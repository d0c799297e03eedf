"""Temperatures that descend the look-ahead hypergradient (MKD-style): the default and variants."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import MKDConfig


def _learned(**choice: Any) -> "Callable[[Choices], list[MKDConfig]]":  # noqa: ANN401 - fields of MKDConfig
    def configs(choices: Choices) -> "list[MKDConfig]":
        from metakd.core.distillers import MKDConfig

        tau = choices.fixed_tau
        return [MKDConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha, **choice)]

    return configs


def _per_class(choices: Choices) -> "list[MKDConfig]":
    return _learned(form="per_class", num_classes=choices.num_classes)(choices)


def _from_each_start(choices: Choices) -> "list[MKDConfig]":
    from metakd.core.distillers import MKDConfig

    return [MKDConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha) for tau in choices.temperatures]


META = Strategy(
    "both temperatures learned by their hypergradient (MKD-style)",
    at_once(_learned()),
    label="the learned temperature",
    style=Style("learned", "@meta", "diamond", "solid", is_main=True),
    names_in={
        "learning_to_teach": ("the fixed teacher with learned temperatures", "fixed, learned τ")
    },
)
STARTS = Strategy(
    "both learned by their hypergradient, once from each temperature of the grid",
    at_once(_from_each_start),
    label="the learned temperature, best of its starts",
    style=Style("learned, each start", "@meta", "diamond-open", "dot"),
)
HELD_OUT = Strategy(
    "both learned by their hypergradient, judged by held-out samples",
    at_once(_learned(meta_data="held_out")),
)
SHARED = Strategy(
    "one temperature learned by its hypergradient",
    at_once(_learned(form="shared")),
    style=Style("learned, one τ", "@ember", "diamond-open", "dash"),
)
PER_CLASS = Strategy("temperatures of each class learned by hypergradients", at_once(_per_class))
PER_SAMPLE = Strategy(
    "a network from logits to temperatures, learned by its hypergradient",
    at_once(_learned(form="per_sample")),
)
WITH_ALPHA = Strategy(
    "both temperatures and the loss weight learned by their hypergradient",
    at_once(_learned(learn_alpha=True)),
)
