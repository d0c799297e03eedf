"""What it costs to use in one setting the temperature that was tuned in another."""

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import TransferRegret
from metakd.analysis.grid import Grid
from metakd.analysis.rows import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


def transfer_regret(table: StudyTable, grid: Grid | None) -> TransferRegret | None:
    """Returns the regret of every source in every target, on test.

    Source and target choose by one rule, the best mean validation accuracy over seeds, so that the
    diagonal is zero and the rest is due to the move alone. None with fewer than two settings that
    have a complete seed.
    """
    if grid is None or sum(best is not None for best in grid.best_on_average) < 2:
        return None
    test = np.where(grid.complete, grid.runs.test_acc_last, np.nan)
    # [tau, target]: what each temperature loses there against the target's own.
    losses = np.full(test.shape[:2], np.nan)
    for target, best in enumerate(grid.best_on_average):
        if best is not None:
            losses[:, target] = mean_loss_pp(test[best, target], test[:, target])
    regret_pp = tuple(
        (None,) * len(table.keys) if best is None else _known(losses[best])
        for best in grid.best_on_average
    )
    moved = [
        loss
        for source, row in enumerate(regret_pp)
        for target, loss in enumerate(row)
        if source != target and loss is not None
    ]
    return TransferRegret(
        keys=table.keys,
        regret_pp=regret_pp,
        fixed_pp=_known(_against_own(test, grid, table.runs("fixed"))),
        learned_pp=_known(_against_own(test, grid, table.runs("meta"))),
        mean_pp=sum(moved) / len(moved) if moved else None,
    )


def _against_own(test: Matrix, grid: Grid, runs: StrategyRuns | None) -> NDArray[np.float64]:
    losses = np.full(test.shape[1], np.nan)
    reached = None if runs is None else runs.best("test_acc_last")
    for target, best in enumerate(grid.best_on_average):
        if best is not None and reached is not None:
            losses[target] = mean_loss_pp(test[best, target], reached[target])
    return losses


def mean_loss_pp(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean over seeds, the last axis, of those where both are known; NaN if none."""
    losses = 100 * (own - other)
    known = np.isfinite(losses)
    pairs = known.sum(axis=-1)
    total = np.where(known, losses, 0.0).sum(axis=-1)
    return np.asarray(np.where(pairs, total / np.maximum(pairs, 1), np.nan))


def _known(losses: NDArray[np.float64]) -> tuple[float | None, ...]:
    return tuple(loss if np.isfinite(loss) else None for loss in losses.tolist())
