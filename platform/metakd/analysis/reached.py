"""What strategies reached, and how good that is for what it cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.costs import Costs
from metakd.analysis.grid import Grid
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


@dataclass(frozen=True)
class CostPoint:
    """Accuracy for compute, averaged over settings.

    Attributes:
        strategy: As in ``strategies``.
        temperatures: How many temperatures of the grid, k: the point is the expected validation
            best of k, over all subsets (exact). None of any other strategy.
        runs: What that costs in plain runs; None where unknown.
        test_pp: Test accuracy at the last epoch: mean over settings of the mean over seeds. Of a
            strategy that stopped after the pilot, the mean of learning less the paired difference,
            as in ``Baseline``.
    """

    strategy: str
    temperatures: int | None
    runs: float | None
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
    """

    test_last: Matrix
    test_selected: Matrix


def reached_by_strategy(table: StudyTable, grid: Grid | None) -> dict[str, Reached]:
    """Returns the results of every strategy of the study, in its order."""
    return {
        runs.strategy: best_of_grid(grid)
        if grid is not None and runs.strategy == grid.runs.strategy
        else best_of_runs(runs)
        for runs in table.strategy_runs
    }


def best_of_runs(runs: StrategyRuns) -> Reached:
    """Returns what validation's best of a strategy's runs reached."""
    return Reached(runs.best("test_acc_last"), runs.best("test_acc_selected"))


def best_of_grid(grid: Grid, size: int | None = None) -> Reached:
    """Returns what validation's best of so many temperatures reaches; of all where None."""
    size = size or grid.size
    return Reached(grid.best_of(size), grid.best_of(size, True))


def common_pairs(
    table: StudyTable, there: Mapping[str, NDArray[np.bool_]]
) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs over which all of them are averaged.

    Where one of them stops after the first seeds, none is averaged over more.

    Args:
        table: The study.
        there: Where a strategy has its result, ``[setting, seed]``.

    Returns:
        As ``shared_pairs``.
    """
    planned = table.planned(*(name for name, found in there.items() if found.any()))
    return shared_pairs({name: found & planned for name, found in there.items()})


def shared_pairs(
    there: Mapping[str, NDArray[np.bool_]],
) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs that all of them have.

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


def has_result(reached: Mapping[str, Reached]) -> dict[str, NDArray[np.bool_]]:
    """Returns where each strategy has its result, ``[setting, seed]``."""
    return {name: np.isfinite(result.test_last) for name, result in reached.items()}


def cost_points(
    table: StudyTable, grid: Grid | None, costs: Costs, learner: str = "meta"
) -> tuple[CostPoint, ...]:
    """Returns accuracy for compute of every strategy that has results.

    All points average the same pairs, those of ``common_pairs``: the mean over settings of the
    mean over seeds. Strategies that stopped after the pilot take none of them away: they are
    brought to the others' seeds by their paired difference to the learner.

    Args:
        table: The study.
        grid: Its grid.
        costs: What its strategies cost.
        learner: The strategy that the stopped ones are compared with.
    """
    reached = reached_by_strategy(table, grid)
    there = has_result(reached)
    going = {name: found for name, found in there.items() if name not in table.stopped}
    names, common = common_pairs(table, going)
    if learner not in names:
        # Nothing brings the stopped ones to further seeds.
        going = there
        names, common = common_pairs(table, going)
    points = []
    for name, result in reached.items():
        if name in going and name not in names:
            continue
        for size, runs, test in _tests_for_compute(name, result, grid, costs.runs(name)):
            brought = test if name in going else on_seeds_of(reached[learner].test_last, test)
            pairs = common & np.isfinite(brought)
            if pairs.any():
                points.append(CostPoint(name, size, runs, 100 * mean_over_settings(brought, pairs)))
    return tuple(points)


def on_seeds_of(longer: Matrix, shorter: Matrix) -> Matrix:
    """Returns what a strategy with fewer seeds is expected to reach on all seeds of another one.

    Args:
        longer: The other strategy's accuracies, ``[setting, seed]``.
        shorter: Its own, NaN where it was not run.

    Returns:
        The other's less the mean difference of their common seeds in the setting; NaN in settings
        without one.
    """
    found = np.full(longer.shape, np.nan)
    for setting, differences in enumerate(longer - shorter):
        known = differences[np.isfinite(differences)]
        if known.size:
            found[setting] = longer[setting] - known.mean()
    return found


def _tests_for_compute(
    name: str, reached: Reached, grid: Grid | None, runs: float | None
) -> Iterator[tuple[int | None, float | None, Matrix]]:
    if grid is None or name != grid.runs.strategy:
        yield None, runs, reached.test_last
        return
    for k in range(1, grid.size + 1):
        yield k, None if runs is None else runs * k / grid.size, grid.best_of(k)


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
