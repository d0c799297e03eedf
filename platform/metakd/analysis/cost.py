"""What strategies cost: every run charged, in student-step equivalents and in measured seconds."""

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import CostPoint
from metakd.analysis.grid import Grid
from metakd.analysis.table import COSTS, Matrix, Runs, StudyTable


def plain_cost(table: StudyTable, currency: str) -> NDArray[np.float64]:
    """Returns the median cost of one plain run in each setting, ``[setting]``.

    Plain runs keep their temperature: those of the grid and at the default; without any, runs
    without a teacher. NaN where a setting has none.

    Args:
        table: The study.
        currency: One of ``COSTS``.
    """
    distilled = [runs for runs in (table.grid, table.fixed) if runs is not None]
    plain = distilled or [runs for runs in (table.ce,) if runs is not None]
    by_setting = [
        np.concatenate([getattr(runs, currency)[..., setting, :].ravel() for runs in plain] or [[]])
        for setting in range(len(table.settings))
    ]
    return np.array([_median(costs) for costs in by_setting])


def learned_cost_in_plain_runs(table: StudyTable) -> float | None:
    """Returns the median cost of a learned run, as a number of plain runs of its setting.

    Steps and seconds both count: the dearer view is taken, in the rival's favour.
    """
    if table.meta is None:
        return None
    ratios = [
        _median((getattr(table.meta, currency) / plain_cost(table, currency)[:, None]).ravel())
        for currency in COSTS
    ]
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    return max(known) if known else None


def equal_cost_grid_size(table: StudyTable) -> int | None:
    """Returns how many grid runs the cost of a learned run pays for, rounded up, 1 to K."""
    cost = learned_cost_in_plain_runs(table)
    if cost is None or table.grid is None:
        return None
    # 2.0000001 plain runs pay for two.
    return min(max(ceil(cost - 1e-6), 1), len(table.temperatures))


def total_ratio(rival: Matrix, learned: Matrix, where: NDArray[np.bool_]) -> float | None:
    """Returns rival's total cost over the learned runs', on the pairs ``where`` both are known."""
    known = where & np.isfinite(rival) & np.isfinite(learned)
    paid = float(learned[known].sum())
    return float(rival[known].sum()) / paid if paid > 0 else None


def cost_points(table: StudyTable, grid: Grid | None) -> tuple[CostPoint, ...]:
    """Returns accuracy for compute of every strategy that has results.

    All points average the same pairs, those where every strategy with results is complete: the
    mean over settings of the mean over seeds.
    """
    single = {"ce": table.ce, "fixed": table.fixed, "meta": table.meta}
    ran = {name: runs for name, runs in single.items() if runs is not None and runs.complete.any()}
    masks = [runs.complete for runs in ran.values()]
    if grid is not None and grid.complete.any():
        masks.append(grid.complete)
    if not masks or not (common := np.logical_and.reduce(masks)).any():
        return ()
    points = [_point(name, 1, runs, runs.test_acc_last, 1.0, common) for name, runs in ran.items()]
    if grid is not None and grid.complete.any():
        points += _grid_points(grid, common)
    return tuple(points)


def _grid_points(grid: Grid, common: NDArray[np.bool_]) -> Iterator[CostPoint]:
    per_run = Runs(**{name: getattr(grid.runs, name).mean(axis=0) for name in vars(grid.runs)})
    for k in range(1, grid.size + 1):
        yield _point("grid", k, per_run, grid.best_of(k), float(k), common)


def _point(
    strategy: str, k: int, runs: Runs, test: Matrix, times: float, common: NDArray[np.bool_]
) -> CostPoint:
    return CostPoint(
        strategy=strategy,
        runs=k,
        step_equivalents=times * mean_over_settings(runs.step_equivalents, common),
        seconds=times * mean_over_settings(runs.student_compute_s, common),
        test_pp=100 * mean_over_settings(test, common),
    )


def mean_over_settings(matrix: Matrix, where: NDArray[np.bool_]) -> float:
    """Returns the mean over settings of the mean over seeds, of ``[setting, seed]`` on a mask."""
    rows = [row[mask].mean() for row, mask in zip(matrix, where, strict=True) if mask.any()]
    return float(np.mean(rows))


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
