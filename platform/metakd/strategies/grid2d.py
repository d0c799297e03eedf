"""A grid over both temperatures, as coarse as the budget wants it."""

from itertools import product
from math import isqrt
from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDConfig


def evenly_from(temperatures: tuple[float, ...], count: int) -> list[float]:
    """Returns so many of the temperatures, from the middles of as many equal parts of them."""
    return [temperatures[(2 * i + 1) * len(temperatures) // (2 * count)] for i in range(count)]


def _configs(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import KDConfig

    side = min(isqrt(int(choices.budget)), len(choices.temperatures))
    taus = evenly_from(choices.temperatures, side)
    return [KDConfig(tau_s, tau_t, choices.alpha) for tau_s, tau_t in product(taus, taus)]


GRID2D = Strategy(
    "a grid over both temperatures",
    at_once(_configs),
    style=Style("grid 2D", "@olive", "square", "solid"),
    is_searcher=True,
    min_runs=4,
)
