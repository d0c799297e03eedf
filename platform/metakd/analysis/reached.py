"""What each strategy reached, and what it is charged for that."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import Grid
from metakd.analysis.rows import COSTS, Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


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
