"""The default temperature, no search."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDConfig


def _config(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import KDConfig

    return [KDConfig(choices.fixed_tau, choices.fixed_tau, choices.alpha)]


def _without_labels(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import KDConfig

    return [KDConfig(choices.fixed_tau, choices.fixed_tau, alpha=1.0)]


NO_LABELS = Strategy(
    "the default temperature, the teacher's outputs alone: function matching (arXiv 2106.05237)",
    at_once(_without_labels),
    label="the teacher alone, without labels",
    style=Style("no labels", "@teal", "square-open", "dot"),
)
FIXED = Strategy(
    "the default temperature",
    at_once(_config),
    label="the default temperature",
    style=Style("fixed τ", "@fixed", "square", "dash", is_main=True),
    names_in={"learning_to_teach": ("the fixed teacher", "fixed teacher")},
)
