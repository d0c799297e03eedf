"""How much a grid's accuracy flatters it, by which number is quoted."""

import numpy as np

from metakd.analysis.curves import SelectionOptimism
from metakd.analysis.grid import Grid
from metakd.analysis.statistics.best_of_k import expected_best_of_k


def selection_optimism(grid: Grid | None) -> SelectionOptimism | None:
    """Compares three ways to score the best of k temperatures, exactly, over all subsets of k.

    Chosen on validation and read on test is honest. Quoting the winner's own validation accuracy
    keeps the luck that made it win; the mean gap of validation and test over the temperatures of
    the pair is taken off, as that is no fault of the choice. Picking on test keeps test's luck.
    All at the last epoch, averaged over the complete pairs.

    Returns:
        None without a complete pair, or with a single temperature.
    """
    if grid is None or grid.size < 2 or not grid.complete.any():
        return None
    validation = np.sort(grid.runs.val_acc_last[:, grid.complete], axis=0)[::-1]
    test = np.sort(grid.runs.test_acc_last[:, grid.complete], axis=0)[::-1]
    honest = grid.ranked_test_last[:, grid.complete]
    gap = validation.mean(axis=0) - test.mean(axis=0)
    sizes = range(1, grid.size + 1)
    read = [expected_best_of_k(honest, k) for k in sizes]
    quoted = [expected_best_of_k(validation, k) - gap for k in sizes]
    picked = [expected_best_of_k(test, k) for k in sizes]
    return SelectionOptimism(
        runs=tuple(sizes),
        validation_quoted_pp=tuple(
            100 * float((score - fair).mean()) for score, fair in zip(quoted, read, strict=True)
        ),
        test_picked_pp=tuple(
            100 * float((score - fair).mean()) for score, fair in zip(picked, read, strict=True)
        ),
        pairs=int(grid.complete.sum()),
    )
