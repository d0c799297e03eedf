"""Random search: temperatures drawn evenly over the logarithm of the grid's range.

Source: Bergstra & Bengio 2012 (JMLR 13).
"""

import numpy as np

from metakd.core.distillers import KDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _configs(choices: Choices) -> list[KDConfig]:
    draws = np.random.default_rng(choices.seed)
    low, high = np.log(choices.range)
    taus = np.exp(draws.uniform(low, high, size=int(choices.budget)))
    return [KDConfig(tau, tau, choices.alpha) for tau in taus.tolist()]


RANDOM = Strategy("random search", at_once(_configs), is_searcher=True, needs_range=True)
