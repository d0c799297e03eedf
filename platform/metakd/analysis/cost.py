"""What strategies cost: every run charged, in student-step equivalents and in measured seconds."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import CostPoint
from metakd.analysis.grid import Grid
from metakd.analysis.pair import SINGLE
from metakd.analysis.reached import Reached, best_of_runs, common_pairs, reached_by_strategy
from metakd.analysis.rows import COSTS, Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

# 2.0000001 plain runs pay for two.
ROUNDING = 1e-6


def plain_cost(table: StudyTable, currency: str) -> NDArray[np.float64]:
    """Returns the median cost of one plain run in each setting, ``[setting]``.

    Plain runs keep their temperature: those of the grid, at the default, and of single teachers;
    without any, runs without a teacher. NaN where a setting has none.

    Args:
        table: The study.
        currency: One of ``COSTS``.
    """
    of_teacher, alone = (
        [runs for runs in table.strategy_runs if runs.strategy in names]
        for names in (("grid", "fixed"), (SINGLE,))
    )
    if of_teacher:
        return _whole_run_cost(of_teacher, currency, len(table.settings))
    without = [runs for runs in table.strategy_runs if runs.strategy == "ce"]
    known, otherwise = (
        _whole_run_cost(each, currency, len(table.settings)) for each in (alone, without)
    )
    return np.where(np.isfinite(known), known, otherwise)


def _whole_run_cost(
    kinds: Sequence[StrategyRuns], currency: str, settings: int
) -> NDArray[np.float64]:
    """Returns the median cost of runs that were run from start to end, ``[setting]``."""
    # A failed run may have stopped early: it is not what a run costs.
    whole = [
        np.where(runs.has_scores & (runs.from_epoch == 0), getattr(runs, currency), np.nan)
        for runs in kinds
    ]
    return np.array(
        [
            median(np.concatenate([np.empty(0), *(c[:, at].ravel() for c in whole)]))
            for at in range(settings)
        ]
    )


def cost_in_plain_runs(table: StudyTable, strategy: Reached) -> Matrix:
    """Returns what results cost in plain runs of their setting, ``[currency, setting, seed]``."""
    return np.stack(
        [getattr(strategy, currency) / plain_cost(table, currency)[:, None] for currency in COSTS]
    )


def dearer_median(ratios: Matrix) -> float | None:
    """Returns the median of the dearer currency, in the baseline's favour; None if none is known.

    Args:
        ratios: As :func:`cost_in_plain_runs` gives them, of some settings or of all.
    """
    known = [middle for middle in map(median, ratios) if np.isfinite(middle)]
    return max(known) if known else None


def learned_cost_ratios(table: StudyTable) -> Matrix:
    """Returns what learned runs cost in plain runs of their setting, ``[currency, setting, seed]``.

    Learned runs that failed are shared among those with a result. NaN where nothing is known.
    """
    learned = table.runs("meta")
    if learned is None:
        return np.full((len(COSTS), *table.shape), np.nan)
    return cost_in_plain_runs(table, best_of_runs(learned))


def learned_cost_in_plain_runs(table: StudyTable) -> float | None:
    """Returns what a learned run costs, as a number of plain runs of its setting."""
    return dearer_median(learned_cost_ratios(table))


def equal_cost_grid_size(ratios: Matrix, most: int) -> int | None:
    """Returns how many runs of a grid a cost pays for, rounded up, 1 to ``most``; None if unknown.

    Args:
        ratios: The cost, as :func:`cost_in_plain_runs` gives it, of one setting or of all.
        most: The size of the grid.
    """
    cost = dearer_median(ratios)
    return None if cost is None else min(max(ceil(cost - ROUNDING), 1), most)


def total_ratio(baseline: Matrix, learned: Matrix, where: NDArray[np.bool_]) -> float | None:
    """Returns baseline's total cost over the learned runs', on the pairs ``where`` both are known."""
    known = where & np.isfinite(baseline) & np.isfinite(learned)
    paid = float(learned[known].sum())
    return float(baseline[known].sum()) / paid if paid > 0 else None


def cost_points(table: StudyTable, grid: Grid | None) -> tuple[CostPoint, ...]:
    """Returns accuracy for compute of every strategy that has results.

    All points average the same pairs, those of ``common_pairs``: the mean over settings of the
    mean over seeds.
    """
    reached = reached_by_strategy(table, grid)
    names, common = common_pairs(reached)
    if not common.any():
        return ()
    begun = {runs.strategy: _runs_begun(runs, common) for runs in table.strategy_runs}
    points: list[CostPoint] = []
    for name in names:
        result = reached[name]
        if name == "grid" and grid is not None:
            points += _grid_points(grid, result, common)
        else:
            points.append(_point(name, begun[name], result, result.test_last, 1.0, common))
    return tuple(points)


def _runs_begun(runs: StrategyRuns, where: NDArray[np.bool_]) -> int:
    """Returns how many runs a strategy began, the median over pairs."""
    begun = ((runs.until_epoch > 0) & (runs.from_epoch == 0)).sum(axis=0)[where & runs.complete]
    return int(np.median(begun)) if begun.size else 0


def _grid_points(grid: Grid, whole: Reached, common: NDArray[np.bool_]) -> Iterator[CostPoint]:
    for k in range(1, grid.size + 1):
        yield _point("grid", k, whole, grid.best_of(k), k / grid.size, common)


def _point(
    strategy: str, k: int, paid: Reached, test: Matrix, share: float, common: NDArray[np.bool_]
) -> CostPoint:
    return CostPoint(
        strategy=strategy,
        runs=k,
        step_equivalents=share * mean_over_settings(paid.step_equivalents, common),
        seconds=share * mean_over_settings(paid.student_compute_s, common),
        test_pp=100 * mean_over_settings(test, common),
    )


def mean_over_settings(matrix: Matrix, where: NDArray[np.bool_]) -> float:
    """Returns the mean over settings of the mean over seeds, of ``[setting, seed]`` on a mask."""
    rows = [row[mask].mean() for row, mask in zip(matrix, where, strict=True) if mask.any()]
    return float(np.mean(rows))


def median(values: NDArray[np.float64]) -> float:
    """Returns the median of the finite ones among some numbers, NaN without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
