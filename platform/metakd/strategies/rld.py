"""Refined logits, at their published weights."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import RLDConfig


def _config(choices: Choices) -> "list[RLDConfig]":
    from metakd.core.distillers import RLDConfig

    return [RLDConfig()]


RLD = Strategy(
    "the teacher's logits refined by the labels (RLD)",
    at_once(_config),
    style=Style("RLD", "@brown", "x", "dot"),
    min_classes=3,
    mixed_labels="largest",
)
