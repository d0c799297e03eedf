"""How good the best model so far is, if a strategy were stopped after some compute."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.figures.logged_steps import (
    POINTS,
    LoggedSteps,
    read_logged_steps,
    starts_of_runs,
    thinned,
)
from metakd.analysis.grid import Grid
from metakd.analysis.places import COSTS, Cell, Row
from metakd.analysis.reached import (
    Reached,
    cost_in_plain_runs,
    dearer_median,
    median,
    plain_cost,
    reached_by_strategy,
    shared_pairs,
)
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
        runs: Compute in plain student runs, ascending; at most 200 points. A learned run ends at
            what it costs (``SearchGain.learned_runs``, of its setting).
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


@dataclass(frozen=True)
class Unit:
    """What one plain run of a setting costs.

    Attributes:
        currency: One of ``COSTS``.
        cost: In that currency, failed segments of the search shared.
    """

    currency: str
    cost: float


def anytime_curves(
    out: Path, table: StudyTable, grid: Grid | None, study: str
) -> tuple[AnytimeCurve, ...]:
    """Returns one curve for each strategy that has results and a logged curve of validation.

    Compute is counted in plain runs of the setting: a run at the default temperature or without a
    teacher is one, a strategy of another single run costs what the median run of the setting does,
    and a search what its segments cost, in their order; all in the dearer currency. A
    curve begins where every pair has a model that was evaluated, and a run that has ended keeps its
    best.

    Args:
        out: The study's folder.
        table: The study.
        grid: Its grid.
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
    shown, pairs = shared_pairs(
        {runs.strategy: _evaluated(runs, evaluations > 0) for runs in table.strategy_runs}
    )
    if not pairs.any():
        return ()
    reached = reached_by_strategy(table, grid)
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
        if runs not in whole:
            cells = [(setting, seed) for setting, seed in np.argwhere(pairs).tolist()]
            units = [_unit(table, runs, setting) for setting in range(len(table.settings))]
            runs_spent, mean = mean_best_so_far(runs, cells, units, logged, table.rows)
            curves.append(_curve(runs.strategy, runs_spent, mean, mean, mean))
            continue
        here = runs.row[:, pairs]
        parts = max(min(longest, POINTS // len(here)), 1)
        best = best_in(parts)[here]
        if len(here) > 1:
            curves.append(_in_random_order(best, study))
        else:
            cost = _cost_of_run(table, runs.strategy, reached[runs.strategy])
            curves.append(_of_one_run(runs.strategy, best[0], cost[pairs]))
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


def _unit(table: StudyTable, runs: StrategyRuns, setting: int) -> Unit:
    """Returns what to count a search in: plain runs of its setting, in the dearer currency."""
    plain = {name: plain_cost(table, name)[setting] for name in COSTS}
    totals = {name: runs.total(name)[setting, runs.complete[setting]] for name in COSTS}
    known = [name for name in COSTS if np.isfinite([plain[name], *totals[name]]).all()]
    if known:
        dearer = max(known, key=lambda name: median(totals[name]) / plain[name])
        return Unit(dearer, plain[dearer] / runs.failure_surcharge(dearer))
    # Nothing says what a plain run costs: one of its own whole runs is.
    epochs = np.maximum(runs.epochs, 1)
    own = np.where(runs.has_scores, getattr(runs, COSTS[0]) / epochs * runs.until_epoch, np.nan)
    return Unit(COSTS[0], median(own[:, setting].ravel()))


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


def _in_random_order(best: Matrix, study: str) -> AnytimeCurve:
    K, _, parts = best.shape
    if K <= ALL_ORDERS_UP_TO:
        orders = np.array(list(permutations(range(K))))
    else:
        random = np.random.default_rng(zlib.crc32(study.encode()))
        orders = np.stack([random.permutation(K) for _ in range(ORDERS)])
    by_order = mean_by_order(best, orders)
    low, high = np.quantile(by_order, BAND, axis=0)
    return _curve("grid", np.arange(1, K * parts + 1) / parts, by_order.mean(axis=0), low, high)


def _of_one_run(strategy: str, best: Matrix, cost: NDArray[np.float64]) -> AnytimeCurve:
    """Draws runs ``[pair, part]`` that cost so many plain runs each, ``[pair]``."""
    parts = best.shape[1]
    spent = np.arange(1, parts + 1) / parts * cost.max()
    done = np.minimum(spent / cost[:, None], 1)
    last = np.floor(done * parts + 1e-9).astype(np.intp) - 1
    reached = np.where(last < 0, np.nan, np.take_along_axis(best, np.maximum(last, 0), axis=1))
    mean = reached.mean(axis=0)
    return _curve(strategy, spent, mean, mean, mean)


def _curve(strategy: str, runs: Matrix, mean: Matrix, low: Matrix, high: Matrix) -> AnytimeCurve:
    known = thinned(np.flatnonzero(np.isfinite(mean)))
    return AnytimeCurve(
        strategy=strategy,
        runs=tuple(runs[known].tolist()),
        mean_pp=tuple((100 * mean[known]).tolist()),
        low_pp=tuple((100 * low[known]).tolist()),
        high_pp=tuple((100 * high[known]).tolist()),
    )


def _cost_of_run(table: StudyTable, strategy: str, reached: Reached) -> Matrix:
    """Returns what the median run of a setting costs in plain runs, ``[setting, seed]``.

    1 where it is a plain run itself, and where nothing says what a plain run costs.
    """
    ratios = cost_in_plain_runs(table, reached)
    by_setting = [
        1.0 if strategy in ("ce", "fixed") else dearer_median(ratios[:, setting]) or 1.0
        for setting in range(len(table.settings))
    ]
    return np.broadcast_to(np.array(by_setting)[:, None], table.shape)


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
