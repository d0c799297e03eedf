"""A run for each temperature of the grid; validation chooses one of them."""

from collections.abc import Callable

from metakd.core.distillers import KDConfig, ScaleFreeKDConfig
from metakd.study.strategies.strategy import Choices, Strategy, at_once


def _each(kind: type[KDConfig]) -> Callable[[Choices], list[KDConfig]]:
    def configs(choices: Choices) -> list[KDConfig]:
        return [kind(tau, tau, choices.alpha) for tau in choices.temperatures]

    return configs


GRID = Strategy("every temperature of the grid", at_once(_each(KDConfig)))
SCALE_FREE = Strategy(
    "every temperature of the grid, the teacher's gradient as large as at τ = 4",
    at_once(_each(ScaleFreeKDConfig)),
)
