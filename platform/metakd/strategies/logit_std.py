"""Logit standardisation, at its published weights."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import LogitStdConfig


def _config(choices: Choices) -> "list[LogitStdConfig]":
    from metakd.core.distillers import LogitStdConfig

    return [LogitStdConfig()]


LOGIT_STD = Strategy(
    "standardised logits",
    at_once(_config),
    style=Style("logit std", "@mustard", "pentagon", "solid"),
    min_classes=3,
)
