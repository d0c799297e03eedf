"""A grid over both temperatures, as coarse as the budget wants it."""

from itertools import product
from math import isqrt

from metakd.core.distillers import KDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def evenly_from(temperatures: tuple[float, ...], count: int) -> list[float]:
    """Returns so many of the temperatures, from the middles of as many equal parts of them."""
    return [temperatures[(2 * i + 1) * len(temperatures) // (2 * count)] for i in range(count)]


def _configs(choices: Choices) -> list[KDConfig]:
    side = min(isqrt(int(choices.budget)), len(choices.temperatures))
    taus = evenly_from(choices.temperatures, side)
    return [KDConfig(tau_s, tau_t, choices.alpha) for tau_s, tau_t in product(taus, taus)]


GRID2D = Strategy("a grid over both temperatures", at_once(_configs), is_searcher=True, min_runs=4)
