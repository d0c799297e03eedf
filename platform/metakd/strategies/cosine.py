"""One temperature that follows half a cosine over the run, down or up."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDCosineConfig

LOW, HIGH = 4.0, 8.0
"""The range of DTS (arXiv 2511.13767)."""


def _from_to(start: float, end: float) -> "Callable[[Choices], list[KDCosineConfig]]":
    def configs(choices: Choices) -> "list[KDCosineConfig]":
        from metakd.core.distillers import KDCosineConfig

        return [KDCosineConfig(start, end, choices.alpha)]

    return configs


DOWN = Strategy(
    "a temperature that falls from 8 to 4 along a cosine",
    at_once(_from_to(HIGH, LOW)),
    style=Style("τ 8 → 4", "@rose", "triangle-down", "dot"),
)
UP = Strategy(
    "a temperature that rises from 4 to 8 along a cosine",
    at_once(_from_to(LOW, HIGH)),
    style=Style("τ 4 → 8", "@rose", "triangle-up", "dashdot"),
)
