"""Temperatures set by their mean alignment score: no gradient by τ, and no start."""

from collections.abc import Callable
from typing import Any

from metakd.core.distillers import AlignConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _aligned(**choice: Any) -> Callable[[Choices], list[AlignConfig]]:  # noqa: ANN401 - fields of AlignConfig
    def configs(choices: Choices) -> list[AlignConfig]:
        return [AlignConfig(alpha=choices.alpha, **choice)]

    return configs


ALIGN = Strategy("both temperatures set by alignment scores in the run", at_once(_aligned()))
SHARED = Strategy(
    "one temperature set by alignment scores in the run", at_once(_aligned(form="shared"))
)
