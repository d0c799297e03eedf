"""The learned temperature against its three baselines, paired by setting and seed."""

from collections.abc import Mapping

import numpy as np

from metakd.analysis.cost import (
    equal_cost_grid_size,
    learned_cost_ratios,
    plain_cost,
    total_ratio,
)
from metakd.analysis.grid import Grid
from metakd.analysis.reached import Reached, reached_by_strategy
from metakd.analysis.rows import COSTS, Matrix
from metakd.analysis.statistics.intervals import crossed_interval
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.strata import mean_interval
from metakd.analysis.summary import Comparison
from metakd.analysis.table import StudyTable
from metakd.analysis.verdict_rule import accuracy_verdict, cost_verdict
from metakd.analysis.wording import counted


def compare(table: StudyTable, grid: Grid | None) -> tuple[Comparison, ...]:
    """Compares learning with the full grid, a grid of equal cost, and the default temperature."""
    reached = reached_by_strategy(table, grid)
    learned = reached.get("meta")
    size = None if grid is None else equal_cost_grid_size(learned_cost_ratios(table), grid.size)
    all_of_it = counted(len(table.temperatures), "temperature")
    baselines = [
        ("full_grid", f"Full grid ({all_of_it})", reached.get("grid")),
        (
            "equal_cost_grid",
            f"Grid of equal cost ({size} of {all_of_it})" if size else "Grid of equal cost",
            _smaller_grid(table, grid, size) if grid and size else None,
        ),
        ("no_search", f"No search (τ = {table.fixed_tau:g})", reached.get("fixed")),
    ]
    return tuple(
        against(name, label, baseline, learned, table)
        if baseline and learned
        else no_data(name, label)
        for name, label, baseline in baselines
    )


def paired_differences_pp(learned: Matrix, baseline: Matrix) -> Matrix:
    """Returns learned minus baseline in percentage points, ``[setting, seed]``."""
    return 100 * (learned - baseline)


def minus_pp(
    table: StudyTable, reached: Mapping[str, Reached], strategy: str, other: str
) -> Matrix:
    """Returns one strategy minus another at the last epoch, in points, ``[setting, seed]``.

    NaN where either is incomplete, or was not run at all.
    """
    if strategy not in reached or other not in reached:
        return np.full(table.shape, np.nan)
    return paired_differences_pp(reached[strategy].test_last, reached[other].test_last)


def _smaller_grid(table: StudyTable, grid: Grid, size: int) -> Reached:
    steps, seconds = (
        np.broadcast_to(
            size * grid.runs.failure_surcharge(name) * plain_cost(table, name)[:, None],
            table.shape,
        )
        for name in COSTS
    )
    return Reached(grid.best_of(size), grid.best_of(size, True), steps, seconds)


def against(
    name: str, label: str, baseline: Reached, learned: Reached, table: StudyTable
) -> Comparison:
    """Compares learning with one baseline, over the pairs in which both are complete."""
    last = paired_differences_pp(learned.test_last, baseline.test_last)
    selected = paired_differences_pp(learned.test_selected, baseline.test_selected)
    pairs = np.isfinite(last)
    effect = mean_interval(last, table.strata)
    steps, seconds = (
        total_ratio(getattr(baseline, currency), getattr(learned, currency), pairs)
        for currency in COSTS
    )
    verdict, factor = cost_verdict((steps, seconds))
    return Comparison(
        baseline=name,
        label=label,
        effect=effect,
        effect_selected=mean_interval(selected, table.strata),
        share_ahead=float((last[pairs] > ROUNDING_PP).mean()) if pairs.any() else None,
        accuracy_verdict=accuracy_verdict(effect, table.margin_pp),
        cost_ratio_steps=steps,
        cost_ratio_seconds=seconds,
        missing_pairs=int((table.planned_pairs & ~pairs).sum()),
        cost_verdict=verdict,
        cost_factor=factor,
    )


def no_data(name: str, label: str) -> Comparison:
    """Returns the comparison with a baseline where one of the two was not run."""
    nothing = crossed_interval(np.full((1, 1), np.nan))
    return Comparison(name, label, nothing, nothing, None, "no data", None, None, 0)
