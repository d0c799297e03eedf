"""The default temperature, no search."""

from metakd.core.distillers import KDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _config(choices: Choices) -> list[KDConfig]:
    return [KDConfig(choices.fixed_tau, choices.fixed_tau, choices.alpha)]


FIXED = Strategy("the default temperature", at_once(_config))
