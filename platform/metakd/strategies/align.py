"""Temperatures set by their mean alignment score: no gradient by τ, and no start."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import AlignConfig


def _aligned(**choice: Any) -> "Callable[[Choices], list[AlignConfig]]":  # noqa: ANN401 - fields of AlignConfig
    def configs(choices: Choices) -> "list[AlignConfig]":
        from metakd.core.distillers import AlignConfig

        return [AlignConfig(alpha=choices.alpha, **choice)]

    return configs


ALIGN = Strategy(
    "both temperatures set by alignment scores in the run",
    at_once(_aligned()),
    label="the aligned temperature",
    style=Style("aligned τ", "@indigo", "diamond", "dot"),
)
SHARED = Strategy(
    "one temperature set by alignment scores in the run", at_once(_aligned(form="shared"))
)
