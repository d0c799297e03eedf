"""How good the best model so far of a search is, segment after segment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.bands import POINTS
from metakd.analysis.logged_steps import LoggedSteps, starts_of_runs
from metakd.analysis.places import Cell
from metakd.analysis.rows import Matrix, Row
from metakd.analysis.strategy_runs import StrategyRuns

# Shares of runs are sums of fractions: what is evaluated at the end of a segment belongs to it.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Unit:
    """What one plain run of a setting costs.

    Attributes:
        currency: One of ``COSTS``.
        cost: In that currency, failed segments of the search shared.
    """

    currency: str
    cost: float


def mean_best_so_far(
    runs: StrategyRuns,
    cells: Sequence[Cell],
    units: Sequence[Unit],
    logged: LoggedSteps,
    rows: Sequence[Row],
) -> tuple[Matrix, Matrix]:
    """Returns what a search has found after some compute, in the mean over pairs.

    A segment's compute is spread evenly over its epochs; a search that has ended keeps its best.

    Args:
        runs: The search.
        cells: The pairs, all with an evaluated segment.
        units: What to count compute in, by setting.
        logged: Lines with the column ``val_acc``.
        rows: What ``logged.row`` and the segments point into.

    Returns:
        Compute in plain runs, ascending, at most 200 points, and the mean of the best validation
        accuracies, fractions, NaN until all pairs have one; both (points,).
    """
    starts = starts_of_runs(logged.row)
    ends = np.append(starts[1:], len(logged.row))
    lines = {
        int(logged.row[start]): slice(start, end) for start, end in zip(starts, ends, strict=True)
    }
    found = [_evaluations(runs, cell, units[cell[0]], logged, rows, lines) for cell in cells]
    most = max(total for _, _, total in found)
    points = min(max(len(at) for at, _, _ in found), POINTS)
    spent = np.arange(1, points + 1) / points * most
    reached = np.empty((len(cells), points))
    for values, (at, best, _) in zip(reached, found, strict=True):
        last = np.searchsorted(at, spent + ROUNDING * most, side="right") - 1
        values[:] = np.where(last < 0, np.nan, best[np.maximum(last, 0)])
    return spent, reached.mean(axis=0)


def _evaluations(
    runs: StrategyRuns,
    cell: Cell,
    unit: Unit,
    logged: LoggedSteps,
    rows: Sequence[Row],
    lines: dict[int, slice],
) -> tuple[Matrix, Matrix, float]:
    """Returns when a search evaluated, in plain runs, the best by then, and its total."""
    times: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    spent = 0.0
    setting, seed = cell
    for at in np.flatnonzero(runs.until_epoch[:, setting, seed] > 0):
        row = int(runs.row[at, setting, seed])
        cost = float(getattr(runs, unit.currency)[at, setting, seed]) / unit.cost
        start, end = (
            int(runs.from_epoch[at, setting, seed]),
            int(runs.until_epoch[at, setting, seed]),
        )
        if row in lines and end > start:
            step = logged.step[lines[row]]
            run = int(rows[row]["epochs"] or end)
            epochs = step / max(int(step[-1]), 1) * run
            here = (epochs > start + ROUNDING) & (epochs <= end + ROUNDING)
            times.append(spent + cost * (epochs[here] - start) / (end - start))
            values.append(logged.columns["val_acc"][lines[row]][here].astype(np.float64))
        spent += cost
    best = np.maximum.accumulate(np.concatenate(values))
    return np.concatenate(times), best, float(spent)
