"""Temperatures in proportion to each sample's logits, at their published weights."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import NormKDConfig


def _config(choices: Choices) -> "list[NormKDConfig]":
    from metakd.core.distillers import NormKDConfig

    return [NormKDConfig()]


NORMKD = Strategy(
    "temperatures in proportion to each sample's logits (NormKD)",
    at_once(_config),
    style=Style("NormKD", "@steel", "pentagon", "dash"),
    min_classes=3,
)
