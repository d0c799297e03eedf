"""What each strategy reached, and what it is charged for that."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.arms import Arm
from metakd.analysis.grid import Grid
from metakd.analysis.rows import PLANNED_STRATEGIES
from metakd.analysis.table import COSTS, Matrix, Runs, StudyTable


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
    """Returns the results of every strategy that the study asks for, in its order."""
    reached = {name: of_runs(runs) for name, runs in table.planned.items() if name != "grid"}
    if grid is not None:
        reached["grid"] = best_of_grid(grid)
    reached |= {arm.strategy: found_by_arm(arm) for arm in table.arms}
    return {name: reached[name] for name in table.strategies if name in reached}


def of_runs(runs: Runs) -> Reached:
    """Returns what runs of one configuration reached, each charged with its share of failures."""
    last, selected = (
        np.where(runs.complete, test, np.nan)
        for test in (runs.test_acc_last, runs.test_acc_selected)
    )
    steps, seconds = (
        np.where(runs.complete, getattr(runs, name), np.nan) * failure_surcharge(runs, name)
        for name in COSTS
    )
    return Reached(last, selected, steps, seconds)


def best_of_grid(grid: Grid) -> Reached:
    """Returns what validation's best of the whole grid reached; all runs are charged."""
    steps, seconds = (
        np.where(grid.complete, getattr(grid.runs, name).sum(axis=0), np.nan)
        * failure_surcharge(grid.runs, name)
        for name in COSTS
    )
    return Reached(grid.best_of(grid.size), grid.best_of(grid.size, True), steps, seconds)


def found_by_arm(arm: Arm) -> Reached:
    """Returns what validation's best of an arm's runs reached; all its legs are charged."""
    last, selected = (np.full(arm.complete.shape, np.nan) for _ in range(2))
    for cell in arm.cells():
        found = arm.found(cell)
        assert found is not None  # a complete arm has a run with scores
        last[cell], selected[cell] = found["test_acc_last"], found["test_acc_selected"]
    steps, seconds = (arm.total(name) for name in COSTS)
    return Reached(last, selected, steps, seconds)


def failure_surcharge(runs: Runs, currency: str) -> float:
    """Returns what was spent on all runs over what was spent on those with a result; 1 or more.

    To have a result where a run failed, it has to be run again: the failed ones are shared among
    the results that there are.

    Args:
        runs: One strategy's runs.
        currency: One of ``COSTS``.
    """
    cost = getattr(runs, currency)
    useful = float(np.nansum(cost[runs.complete]))
    return float(np.nansum(cost)) / useful if useful > 0 else 1.0


def common_pairs(reached: Mapping[str, Reached]) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs over which all of them are averaged, by their results."""
    return shared_pairs({name: np.isfinite(result.test_last) for name, result in reached.items()})


def shared_pairs(
    there: Mapping[str, NDArray[np.bool_]],
) -> tuple[list[str], NDArray[np.bool_]]:
    """Chooses strategies and the pairs over which all of them are averaged.

    A strategy without a single result does not hide the others, and a search that still runs hides
    them no more than by half: of the strategies beside the four that a plan knows, the most
    complete come first, and one that would leave fewer than half of the pairs is left out.

    Args:
        there: Where a strategy has its result, ``[setting, seed]``.

    Returns:
        The names, in the order given, and the pairs; no names and no pairs where there are none.
    """
    known = [name for name in PLANNED_STRATEGIES if name in there and there[name].any()]
    searched = sorted(
        (name for name in there if name not in PLANNED_STRATEGIES and there[name].any()),
        key=lambda name: -int(there[name].sum()),
    )
    first = known or searched[:1]
    if not first:
        return [], np.zeros((1, 1), bool)
    pairs = np.logical_and.reduce([there[name] for name in first])
    least = pairs.sum() / 2
    chosen = {*first}
    for name in searched:
        if (pairs & there[name]).sum() >= max(least, 1):
            pairs = pairs & there[name]
            chosen.add(name)
    return [name for name in there if name in chosen], np.asarray(pairs)
