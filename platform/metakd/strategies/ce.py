"""No teacher: the student learns from the labels alone."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import CrossEntropyConfig


def _config(choices: Choices) -> "list[CrossEntropyConfig]":
    from metakd.core.distillers import CrossEntropyConfig

    return [CrossEntropyConfig()]


CE = Strategy(
    "no teacher",
    at_once(_config),
    label="no teacher",
    style=Style("no teacher", "@ce", "triangle-up", "dot", is_main=True),
    uses_teacher=False,
)
