"""What it costs to use in one setting the temperature that was tuned in another."""

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import TransferRegret
from metakd.analysis.grid import Grid
from metakd.analysis.table import Matrix, Runs, StudyTable


def transfer_regret(table: StudyTable, grid: Grid | None) -> TransferRegret | None:
    """Returns the regret of every source in every target, on test.

    Source and target choose by one rule, the best mean validation accuracy over seeds, so that the
    diagonal is zero and the rest is due to the move alone. None with fewer than two settings that
    have a complete seed.
    """
    if grid is None or sum(best is not None for best in grid.best_on_average) < 2:
        return None
    settings = range(len(table.settings))
    test = np.where(grid.complete, grid.runs.test_acc_last, np.nan)
    return TransferRegret(
        keys=table.keys,
        regret_pp=tuple(
            tuple(_moved(test, grid.best_on_average, source, target) for target in settings)
            for source in settings
        ),
        fixed_pp=tuple(_against_own(test, grid, table.fixed, target) for target in settings),
        learned_pp=tuple(_against_own(test, grid, table.meta, target) for target in settings),
    )


def _moved(test: Matrix, best: tuple[int | None, ...], source: int, target: int) -> float | None:
    source_tau, target_tau = best[source], best[target]
    if source_tau is None or target_tau is None:
        return None
    return _mean_loss_pp(test[target_tau, target], test[source_tau, target])


def _against_own(test: Matrix, grid: Grid, runs: Runs | None, target: int) -> float | None:
    target_tau = grid.best_on_average[target]
    if runs is None or target_tau is None:
        return None
    return _mean_loss_pp(test[target_tau, target], runs.test_acc_last[target])


def _mean_loss_pp(own: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    losses = 100 * (own - other)
    known = losses[np.isfinite(losses)]
    return float(known.mean()) if known.size else None
