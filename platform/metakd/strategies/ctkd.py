"""Curriculum temperature."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import CTKDConfig


def _config(choices: Choices) -> "list[CTKDConfig]":
    from metakd.core.distillers import CTKDConfig

    return [CTKDConfig(alpha=choices.alpha)]


CTKD = Strategy(
    "one temperature, learned against the student (CTKD)",
    at_once(_config),
    style=Style("CTKD", "@wine", "triangle-down", "solid"),
)
