"""What strategies cost, in plain runs: the one currency of reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.places import COSTS, DONE, SINGLE
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

STEPS, SECONDS = COSTS
# 2.0000001 plain runs pay for two.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Costs:
    """What strategies cost, by what is counted: one of ``COSTS``.

    Attributes:
        currency: What reports count: measured seconds, or steps where a run lacks its seconds.
        plain: Mean cost of one plain run in each setting, ``[setting]``; NaN where there is none.
        spent: What a strategy spent, its share of failed runs included, ``[setting, seed]``; NaN
            where it is incomplete. By currency and strategy.
    """

    currency: str
    plain: Mapping[str, NDArray[np.float64]]
    spent: Mapping[tuple[str, str], Matrix]

    def runs(
        self, strategy: str, settings: Sequence[int] | None = None, currency: str | None = None
    ) -> float | None:
        """Returns what a strategy costs in plain runs.

        That is all that it spent over what as many plain runs of the same settings take.

        Args:
            strategy: Its name.
            settings: Of which settings; of all where None.
            currency: What is counted, if not what reports count.

        Returns:
            None where nothing is known.
        """
        name = currency or self.currency
        if (name, strategy) not in self.spent:
            return None
        at = slice(None) if settings is None else list(settings)
        spent = self.spent[name, strategy][at]
        plain = np.broadcast_to(self.plain[name][at, None], spent.shape)
        known = np.isfinite(spent) & np.isfinite(plain)
        unit = float(plain[known].sum())
        return float(spent[known].sum()) / unit if unit > 0 else None

    def by_setting(self, strategy: str) -> NDArray[np.float64]:
        """Returns what a strategy spent on a seed in the mean, NaN without, ``[setting]``."""
        return _means(self.spent[self.currency, strategy][None])


def costs_of(table: StudyTable) -> Costs:
    """Returns what the strategies of a study cost."""
    is_timed = all(row[SECONDS] is not None for row in table.rows if row["status"] == DONE)
    return Costs(
        currency=SECONDS if is_timed else STEPS,
        plain={name: plain_cost(table, name) for name in COSTS},
        spent={
            (name, runs.strategy): runs.total(name)
            for name in COSTS
            for runs in table.strategy_runs
        },
    )


def plain_cost(table: StudyTable, currency: str) -> NDArray[np.float64]:
    """Returns the mean cost of one plain run in each setting, ``[setting]``.

    Plain runs keep their temperature: those of the grid, or at the default. A study without any
    has runs of single teachers instead, or without a teacher, or else of its first strategy.
    NaN where a setting has none.

    Args:
        table: The study.
        currency: One of ``COSTS``.
    """
    for kinds in (("grid", "fixed"), (SINGLE,), ("ce",), *((name,) for name in table.strategies)):
        found = np.full(len(table.settings), np.nan)
        for runs in filter(None, map(table.runs, kinds)):
            found = np.where(np.isfinite(found), found, _whole_run_cost(runs, currency))
        if np.isfinite(found).any():
            break
    return found


def _whole_run_cost(runs: StrategyRuns, currency: str) -> NDArray[np.float64]:
    """Returns the mean cost of runs that were run from start to end, ``[setting]``."""
    # A failed run may have stopped early: it is not what a run costs.
    is_whole = runs.has_scores & (runs.from_epoch == 0)
    return _means(np.where(is_whole, getattr(runs, currency), np.nan))


def _means(costs: Matrix) -> NDArray[np.float64]:
    """Returns the mean of what is known, ``[setting]``, of ``[segment, setting, seed]``."""
    known = np.isfinite(costs)
    many = known.sum(axis=(0, 2))
    total = np.where(known, costs, 0.0).sum(axis=(0, 2))
    return np.where(many > 0, total / np.maximum(many, 1), np.nan)


def equal_cost_grid_size(cost: float | None, most: int) -> int | None:
    """Returns how many runs of a grid a cost pays for, rounded up, 1 to ``most``; None if unknown.

    Args:
        cost: In plain runs.
        most: The size of the grid.
    """
    return None if cost is None else min(max(ceil(cost - ROUNDING), 1), most)
