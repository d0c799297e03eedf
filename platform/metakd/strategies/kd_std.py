"""The control of standardised logits: each sample's own temperatures, plain KD's gradient size."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDStdConfig


def _with(through_deviation: bool) -> "Callable[[Choices], list[KDStdConfig]]":
    def configs(choices: Choices) -> "list[KDStdConfig]":
        from metakd.core.distillers import KDStdConfig

        return [KDStdConfig(alpha=choices.alpha, through_deviation=through_deviation)]

    return configs


KD_STD = Strategy(
    "standardised logits, the teacher's gradient as large as at τ = 4",
    at_once(_with(through_deviation=True)),
    style=Style("logit std, size of τ = 4", "@mustard", "pentagon-open", "dot"),
    min_classes=3,
)
DETACHED = Strategy(
    "temperatures in proportion to each sample's logits, as constants, the teacher's gradient as "
    "large as at τ = 4",
    at_once(_with(through_deviation=False)),
    style=Style("τ by sample, size of τ = 4", "@mustard", "circle-open", "dashdot"),
    min_classes=3,
)
