"""The learned temperature against its three rivals, paired by setting and seed."""

from dataclasses import dataclass

import numpy as np

from metakd.analysis.cost import equal_cost_grid_size, plain_cost, total_ratio
from metakd.analysis.grid import Grid
from metakd.analysis.intervals import crossed_interval
from metakd.analysis.summary import Comparison
from metakd.analysis.table import COSTS, Matrix, Runs, StudyTable
from metakd.analysis.verdict_rule import ROUNDING_PP, accuracy_verdict
from metakd.analysis.wording import counted


@dataclass(frozen=True)
class Rival:
    """What learning is compared with; every matrix is ``[setting, seed]``.

    Attributes:
        name: As in ``Comparison.rival``.
        label: In words.
        test_last: Test accuracies at the last epoch.
        test_selected: The same at the validation-selected epoch.
        steps: Cost in student-step equivalents.
        seconds: Cost in measured seconds.
    """

    name: str
    label: str
    test_last: Matrix
    test_selected: Matrix
    steps: Matrix
    seconds: Matrix


def compare(table: StudyTable, grid: Grid | None) -> tuple[Comparison, ...]:
    """Compares learning with the full grid, a grid of equal cost, and the default temperature."""
    size = equal_cost_grid_size(table)
    all_of_it = counted(len(table.temperatures), "temperature")
    rivals = [
        ("full_grid", f"Full grid ({all_of_it})", grid and _full_grid(grid)),
        (
            "equal_cost_grid",
            f"Grid of equal cost ({size} of {all_of_it})" if size else "Grid of equal cost",
            grid and size and _smaller_grid(table, grid, size),
        ),
        ("no_search", f"No search (τ = {table.fixed_tau:g})", table.fixed and _single(table.fixed)),
    ]
    return tuple(
        _against(Rival(name, label, *matrices), table.meta, table.margin_pp)
        if matrices and table.meta
        else _no_data(name, label)
        for name, label, matrices in rivals
    )


def paired_differences_pp(learned: Matrix, rival: Matrix) -> Matrix:
    """Returns learned minus rival in percentage points, ``[setting, seed]``."""
    return 100 * (learned - rival)


Matrices = tuple[Matrix, Matrix, Matrix, Matrix]


def _full_grid(grid: Grid) -> Matrices:
    steps, seconds = (np.asarray(getattr(grid.runs, name).sum(axis=0)) for name in COSTS)
    return grid.best_of(grid.size), grid.best_of(grid.size, selected_epoch=True), steps, seconds


def _smaller_grid(table: StudyTable, grid: Grid, size: int) -> Matrices:
    steps, seconds = (
        np.broadcast_to(size * plain_cost(table, name)[:, None], table.shape) for name in COSTS
    )
    return grid.best_of(size), grid.best_of(size, selected_epoch=True), steps, seconds


def _single(runs: Runs) -> Matrices:
    return (
        np.where(runs.complete, runs.test_acc_last, np.nan),
        np.where(runs.complete, runs.test_acc_selected, np.nan),
        runs.step_equivalents,
        runs.student_compute_s,
    )


def _against(rival: Rival, learned: Runs, margin_pp: float) -> Comparison:
    mine = _single(learned)
    last = paired_differences_pp(mine[0], rival.test_last)
    pairs = np.isfinite(last)
    effect = crossed_interval(last)
    return Comparison(
        rival=rival.name,
        label=rival.label,
        effect=effect,
        effect_selected=crossed_interval(paired_differences_pp(mine[1], rival.test_selected)),
        share_ahead=float((last[pairs] > ROUNDING_PP).mean()) if pairs.any() else None,
        accuracy_verdict=accuracy_verdict(effect, margin_pp),
        cost_ratio_steps=total_ratio(rival.steps, learned.step_equivalents, pairs),
        cost_ratio_seconds=total_ratio(rival.seconds, learned.student_compute_s, pairs),
        missing_pairs=int(pairs.size - pairs.sum()),
    )


def _no_data(name: str, label: str) -> Comparison:
    nothing = crossed_interval(np.full((1, 1), np.nan))
    return Comparison(name, label, nothing, nothing, None, "no data", None, None, 0)
