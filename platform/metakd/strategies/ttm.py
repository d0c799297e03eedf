"""Transformed teacher matching, plain and weighted, at published values."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import TTMConfig, WTTMConfig


def _plain(choices: Choices) -> "list[TTMConfig]":
    from metakd.core.distillers import TTMConfig

    return [TTMConfig()]


def _weighted(choices: Choices) -> "list[WTTMConfig]":
    from metakd.core.distillers import WTTMConfig

    return [WTTMConfig()]


TTM = Strategy(
    "the teacher alone tempered (TTM)",
    at_once(_plain),
    style=Style("TTM", "@forest", "triangle-up", "dash"),
)
WTTM = Strategy(
    "the teacher alone tempered, smooth samples counting more (WTTM)",
    at_once(_weighted),
    style=Style("WTTM", "@forest", "triangle-up-open", "dot"),
)
