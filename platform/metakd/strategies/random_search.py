"""Random search: temperatures drawn evenly over the logarithm of the grid's range.

Source: Bergstra & Bengio 2012 (JMLR 13).
"""

from typing import TYPE_CHECKING

import numpy as np

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDConfig


def _configs(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import KDConfig

    draws = np.random.default_rng(choices.seed)
    low, high = np.log(choices.range)
    taus = np.exp(draws.uniform(low, high, size=int(choices.budget)))
    return [KDConfig(tau, tau, choices.alpha) for tau in taus.tolist()]


RANDOM = Strategy(
    "random search",
    at_once(_configs),
    style=Style("random", "@teal", "circle", "solid"),
    is_searcher=True,
    needs_range=True,
)
