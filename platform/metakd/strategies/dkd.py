"""Decoupled distillation, at its published weights."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import DKDConfig


def _config(choices: Choices) -> "list[DKDConfig]":
    from metakd.core.distillers import DKDConfig

    return [DKDConfig()]


DKD = Strategy(
    "decoupled distillation (DKD)",
    at_once(_config),
    style=Style("DKD", "@brown", "cross", "solid"),
    min_classes=3,
    mixed_labels="largest",
)
