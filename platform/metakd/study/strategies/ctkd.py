"""Curriculum temperature."""

from metakd.core.distillers import CTKDConfig
from metakd.study.strategies.strategy import Strategy, at_once

CTKD = Strategy(
    "one temperature, learned against the student (CTKD)",
    at_once(lambda choices: [CTKDConfig(alpha=choices.alpha)]),
)
