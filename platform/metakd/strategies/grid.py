"""A run for each temperature of the grid; validation chooses one of them."""

from typing import TYPE_CHECKING

from metakd.strategies.strategy import Choices, Strategy, Style, at_once

if TYPE_CHECKING:
    from metakd.core.distillers import KDConfig


def _each(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import KDConfig

    return [KDConfig(tau, tau, choices.alpha) for tau in choices.temperatures]


def _each_scale_free(choices: Choices) -> "list[KDConfig]":
    from metakd.core.distillers import ScaleFreeKDConfig

    return [ScaleFreeKDConfig(tau, tau, choices.alpha) for tau in choices.temperatures]


GRID = Strategy(
    "every temperature of the grid",
    at_once(_each),
    label="the grid",
    style=Style("grid", "@grid", "circle", "solid", is_main=True),
)
SCALE_FREE = Strategy(
    "every temperature of the grid, the teacher's gradient as large as at τ = 4",
    at_once(_each_scale_free),
    label="the grid at one gradient size",
    style=Style("grid, one gradient size", "@grid", "circle-open", "dot"),
)
