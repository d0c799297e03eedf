"""What strategies reached and what that cost: student-step equivalents and measured seconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import Grid
from metakd.analysis.places import COSTS, SINGLE
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

# 2.0000001 plain runs pay for two.
ROUNDING = 1e-6


@dataclass(frozen=True)
class CostPoint:
    """Accuracy for compute, averaged over settings: a strategy after ``runs`` of its runs.

    For the grid, ``runs`` = k means the expected test accuracy of the validation best of k
    temperatures, over all subsets of size k (exact). Of any other strategy they are the runs that
    it began, the median over pairs.

    Attributes:
        strategy: As in ``strategies``.
        runs: How many of its runs; for the grid the expected validation best of so many, over all
            subsets; for any other search those that it began, median over pairs.
        step_equivalents: What they cost in student-step equivalents, failed runs shared.
        seconds: What they cost in measured seconds, failed runs shared; None if not measured.
        test_pp: Test accuracy at the last epoch: mean over settings of the mean over seeds.
    """

    strategy: str
    runs: int
    step_equivalents: float
    seconds: float
    test_pp: float


@dataclass(frozen=True)
class WallClock:
    """How long it takes to get one setting's student, if p runs can go at once; medians, seconds.

    A grid's runs go side by side, a learned run cannot be split.

    Attributes:
        workers: p.
        grid_s: ceil(K / p) plain runs.
        learned_s: One learned run.
        done_first: "grid", "learned" or "both".
    """

    workers: tuple[int, ...]
    grid_s: tuple[float, ...]
    learned_s: tuple[float, ...]
    done_first: tuple[str, ...]


@dataclass(frozen=True)
class Reached:
    """One strategy's results; every field is ``[setting, seed]``, NaN where it is incomplete.

    Attributes:
        test_last: Test accuracies at the last epoch, fractions.
        test_selected: The same at the validation-selected epoch.
        step_equivalents: Cost in student-step equivalents, its share of failed runs included.
        student_compute_s: Cost in measured seconds, likewise.
    """

    test_last: Matrix
    test_selected: Matrix
    step_equivalents: Matrix
    student_compute_s: Matrix


def reached_by_strategy(table: StudyTable, grid: Grid | None) -> dict[str, Reached]:
    """Returns the results of every strategy of the study, in its order."""
    return {
        runs.strategy: best_of_grid(grid)
        if grid is not None and runs.strategy == grid.runs.strategy
        else best_of_runs(runs)
        for runs in table.strategy_runs
    }


def best_of_runs(runs: StrategyRuns) -> Reached:
    """Returns what validation's best of a strategy's runs reached; all segments are charged."""
    return Reached(
        runs.best("test_acc_last"),
        runs.best("test_acc_selected"),
        *(runs.total(name) for name in COSTS),
    )


def best_of_grid(grid: Grid) -> Reached:
    """Returns what validation's best of the whole grid reached; all runs are charged."""
    costs = (grid.runs.total(name) for name in COSTS)
    return Reached(grid.best_of(grid.size), grid.best_of(grid.size, True), *costs)


def common_pairs(reached: Mapping[str, Reached]) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs over which all of them are averaged, by their results."""
    return shared_pairs({name: np.isfinite(result.test_last) for name, result in reached.items()})


def shared_pairs(
    there: Mapping[str, NDArray[np.bool_]],
) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs over which all of them are averaged.

    A strategy without a single result does not hide the others, and one that still runs hides them
    no more than by half: the most complete come first, and one that would leave fewer than half of
    the pairs is left out.

    Args:
        there: Where a strategy has its result, ``[setting, seed]``.

    Returns:
        The names, in the order given, and the pairs; no names and no pairs where there are none.
    """
    names = sorted(
        (name for name, found in there.items() if found.any()),
        key=lambda name: -int(there[name].sum()),
    )
    if not names:
        return [], np.zeros((1, 1), bool)
    pairs, chosen = there[names[0]], {names[0]}
    least = pairs.sum() / 2
    for name in names[1:]:
        if (pairs & there[name]).sum() >= max(least, 1):
            pairs = pairs & there[name]
            chosen.add(name)
    return [name for name in there if name in chosen], np.asarray(pairs)


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
    """Returns the baseline's total cost over the learner's, on the pairs where both are known."""
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


def wall_clock(table: StudyTable, grid: Grid | None) -> WallClock | None:
    """Returns wall-clock seconds of a whole grid and of a learned run, with p runs at once.

    The median over settings of their median finished run; only settings count in which plain and
    learned runs were both timed, so that the two are of the same work. None without such a setting.
    """
    meta = table.runs("meta")
    if grid is None or meta is None:
        return None
    plain, learned = _median_by_setting(grid.runs), _median_by_setting(meta)
    both = np.isfinite(plain) & np.isfinite(learned)
    if not both.any():
        return None
    K = len(table.temperatures)
    workers = [*(2**n for n in range(K.bit_length()) if 2**n < K), K]
    plain_s, learned_s = median(plain[both]), median(learned[both])
    grid_s = tuple(ceil(K / p) * plain_s for p in workers)
    return WallClock(
        workers=tuple(workers),
        grid_s=grid_s,
        learned_s=tuple(learned_s for _ in workers),
        done_first=tuple(
            "learned" if learned_s < spent else "grid" if spent < learned_s else "both"
            for spent in grid_s
        ),
    )


def _median_by_setting(runs: StrategyRuns) -> NDArray[np.float64]:
    timed = np.moveaxis(np.where(runs.has_scores, runs.wall_s, np.nan), 1, 0)
    return np.array([median(setting) for setting in timed])
