"""A run for each temperature of the grid; validation chooses one of them."""

from metakd.core.distillers import KDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _configs(choices: Choices) -> list[KDConfig]:
    return [KDConfig(tau, tau, choices.alpha) for tau in choices.temperatures]


GRID = Strategy("every temperature of the grid", at_once(_configs))
