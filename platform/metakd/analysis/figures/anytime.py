"""How good the best model so far is, if a strategy were stopped after some compute."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.costs import Costs
from metakd.analysis.figures.logged_steps import (
    POINTS,
    LoggedSteps,
    read_logged_steps,
    starts_of_runs,
    thinned,
)
from metakd.analysis.places import Cell, Row
from metakd.analysis.reached import common_pairs
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

# So many temperatures have all their orders tried; of more, some orders are drawn.
ALL_ORDERS_UP_TO = 5
ORDERS = 200
BAND = (0.1, 0.9)
# Shares of runs are sums of fractions: what is evaluated at the end of a segment belongs to it.
ROUNDING = 1e-9


@dataclass(frozen=True)
class AnytimeCurve:
    """Validation accuracy of the best model so far, if a strategy were stopped after some compute.

    Averaged over the pairs in which every shown strategy is complete. A grid is tried in random
    order: the mean over orders, and the band that holds 80 % of them. Other searches are followed
    in the order of their segments.

    Attributes:
        strategy: The strategy.
        runs: Compute in plain runs, ascending, to what the strategy costs (``Summary.runs``); at
            most 200 points.
        mean_pp: Accuracy in percent.
        low_pp: 10 % of the orders lie below; equal to the mean where there is one order.
        high_pp: 10 % of the orders lie above.
        runs_to_match: The first of ``runs`` at which the mean is what a learned run ends with; None
            if there is none, and of learned runs.
    """

    strategy: str
    runs: tuple[float, ...]
    mean_pp: tuple[float, ...]
    low_pp: tuple[float, ...]
    high_pp: tuple[float, ...]
    runs_to_match: float | None = None


def anytime_curves(
    out: Path, table: StudyTable, costs: Costs, study: str
) -> tuple[AnytimeCurve, ...]:
    """Returns one curve for each strategy that has results and a logged curve of validation.

    A strategy is followed in every pair from nothing to all that it spent there, and the axis ends
    at what it costs: what is drawn at half of it is what half of each pair's compute had found. A
    curve begins where every pair has a model that was evaluated.

    Args:
        out: The study's folder.
        table: The study.
        costs: What its strategies cost.
        study: Its name; the orders that are drawn depend on it alone.

    Raises:
        StoreError: If a file of the store is damaged.
    """
    searched = {
        int(row)
        for runs in table.strategy_runs
        for row in runs.row[:, runs.complete][(runs.epochs > 0)[:, runs.complete]]
    }
    logged = read_logged_steps(out, table.rows, searched, ("val_acc",))
    # NO_RUN points at the last of these, which has no curve.
    evaluations = np.bincount(logged.row, minlength=len(table.rows) + 1)
    shown, pairs = common_pairs(
        table, {runs.strategy: _evaluated(runs, evaluations > 0) for runs in table.strategy_runs}
    )
    if not pairs.any():
        return ()
    whole = [runs for runs in table.strategy_runs if runs.is_one_run or runs.strategy == "grid"]
    ended = [evaluations[runs.row[:, runs.complete]].max(initial=1) for runs in whole]
    longest = int(max(ended, default=1))

    @cache
    def best_in(parts: int) -> Matrix:
        return best_so_far(logged, len(table.rows), parts)

    curves = []
    for runs in table.strategy_runs:
        if runs.strategy not in shown:
            continue
        cost = costs.runs(runs.strategy) or float(len(runs.row))
        if runs not in whole:
            cells = [(setting, seed) for setting, seed in np.argwhere(pairs).tolist()]
            shares, mean = mean_best_so_far(runs, cells, costs.currency, logged, table.rows)
            curves.append(_curve(runs.strategy, cost * shares, mean, mean, mean))
            continue
        here = runs.row[:, pairs]
        parts = max(min(longest, POINTS // len(here)), 1)
        best = best_in(parts)[here]
        spent = cost * np.arange(1, len(here) * parts + 1) / (len(here) * parts)
        if len(here) > 1:
            curves.append(_in_random_order(best, spent, study))
        else:
            mean = best[0].mean(axis=0)
            curves.append(_curve(runs.strategy, spent, mean, mean, mean))
    return matched(curves)


def matched(curves: Sequence[AnytimeCurve]) -> tuple[AnytimeCurve, ...]:
    """Returns the curves with the compute at which they have what learning ends with."""
    end = next((c.mean_pp[-1] for c in curves if c.strategy == "meta" and c.runs), None)
    if end is None:
        return tuple(curves)

    def first(curve: AnytimeCurve) -> float | None:
        reached = (run for run, mean in zip(curve.runs, curve.mean_pp, strict=True) if mean >= end)
        return None if curve.strategy == "meta" else next(reached, None)

    return tuple(replace(curve, runs_to_match=first(curve)) for curve in curves)


def _evaluated(runs: StrategyRuns, has_curve: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns where all segments of a complete strategy have a curve, ``[setting, seed]``."""
    return np.asarray(runs.complete & (has_curve[runs.row] | (runs.epochs == 0)).all(axis=0))


def best_so_far(logged: LoggedSteps, trials: int, parts: int) -> Matrix:
    """Returns the best validation accuracy after each part of a run, NaN before the first.

    Args:
        logged: Lines with the column ``val_acc``.
        trials: How many rows ``logged.row`` points into.
        parts: Into how many equal parts of its steps a run is cut.

    Returns:
        Fractions, ``[trial, part]``.
    """
    starts = starts_of_runs(logged.row)
    ends = np.append(starts[1:], len(logged.row)) - 1
    best = np.full((trials, parts), np.nan)
    if not len(starts):
        return best
    total = np.repeat(np.maximum(logged.step[ends], 1), ends - starts + 1)
    # In whole numbers: an evaluation at the very end of a part belongs to it.
    part = np.maximum(logged.step * parts - 1, 0) // total
    blocks = starts_of_runs(logged.row * parts + part)
    best[logged.row[blocks], part[blocks]] = np.maximum.reduceat(logged.columns["val_acc"], blocks)
    return np.fmax.accumulate(best, axis=1)


def mean_by_order(best: Matrix, orders: NDArray[np.intp]) -> Matrix:
    """Returns the mean over pairs of the best so far, if temperatures are tried in given orders.

    Args:
        best: Of each temperature's run, ``[tau, pair, part]``.
        orders: Permutations of the temperatures, ``[order, tau]``.

    Returns:
        ``[order, tau × part]``, NaN until all pairs have been evaluated.
    """
    means = np.empty((len(orders), len(best) * best.shape[-1]))
    for mean, order in zip(means, orders, strict=True):
        tried = best[order]
        earlier = np.fmax.accumulate(tried[..., -1], axis=0)[:-1]
        tried[1:] = np.fmax(tried[1:], earlier[..., None])
        mean[:] = tried.mean(axis=1).ravel()
    return means


def _in_random_order(best: Matrix, spent: Matrix, study: str) -> AnytimeCurve:
    K = len(best)
    if K <= ALL_ORDERS_UP_TO:
        orders = np.array(list(permutations(range(K))))
    else:
        random = np.random.default_rng(zlib.crc32(study.encode()))
        orders = np.stack([random.permutation(K) for _ in range(ORDERS)])
    by_order = mean_by_order(best, orders)
    low, high = np.quantile(by_order, BAND, axis=0)
    return _curve("grid", spent, by_order.mean(axis=0), low, high)


def _curve(strategy: str, runs: Matrix, mean: Matrix, low: Matrix, high: Matrix) -> AnytimeCurve:
    known = thinned(np.flatnonzero(np.isfinite(mean)))
    return AnytimeCurve(
        strategy=strategy,
        runs=tuple(runs[known].tolist()),
        mean_pp=tuple((100 * mean[known]).tolist()),
        low_pp=tuple((100 * low[known]).tolist()),
        high_pp=tuple((100 * high[known]).tolist()),
    )


def mean_best_so_far(
    runs: StrategyRuns,
    cells: Sequence[Cell],
    currency: str,
    logged: LoggedSteps,
    rows: Sequence[Row],
) -> tuple[Matrix, Matrix]:
    """Returns what a search has found after a share of its compute, in the mean over pairs.

    A segment's compute is spread evenly over its epochs.

    Args:
        runs: The search.
        cells: The pairs, all with an evaluated segment.
        currency: What compute is counted in; epochs where that is unknown.
        logged: Lines with the column ``val_acc``.
        rows: What ``logged.row`` and the segments point into.

    Returns:
        Shares of the compute, ascending, at most 200 points, and the mean of the best validation
        accuracies, fractions, NaN until all pairs have one; both (points,).
    """
    starts = starts_of_runs(logged.row)
    ends = np.append(starts[1:], len(logged.row))
    lines = {
        int(logged.row[start]): slice(start, end) for start, end in zip(starts, ends, strict=True)
    }
    cost = getattr(runs, currency)
    cost = np.where(np.isfinite(cost), cost, runs.epochs)
    found = [_evaluations(runs, cell, cost, logged, rows, lines) for cell in cells]
    points = min(max(len(at) for at, _ in found), POINTS)
    shares = np.arange(1, points + 1) / points
    reached = np.empty((len(cells), points))
    for values, (at, best) in zip(reached, found, strict=True):
        last = np.searchsorted(at, shares + ROUNDING, side="right") - 1
        values[:] = np.where(last < 0, np.nan, best[np.maximum(last, 0)])
    return shares, reached.mean(axis=0)


def _evaluations(
    runs: StrategyRuns,
    cell: Cell,
    costs: Matrix,
    logged: LoggedSteps,
    rows: Sequence[Row],
    lines: dict[int, slice],
) -> tuple[Matrix, Matrix]:
    """Returns when a search evaluated, in shares of its compute, and the best by then."""
    times: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    spent = 0.0
    setting, seed = cell
    for at in np.flatnonzero(runs.until_epoch[:, setting, seed] > 0):
        row = int(runs.row[at, setting, seed])
        cost = float(costs[at, setting, seed])
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
    return np.concatenate(times) / spent, best
