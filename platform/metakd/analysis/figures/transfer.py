"""What a temperature that was tuned in one setting loses in another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import Grid
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


@dataclass(frozen=True)
class TransferRegret:
    """What a temperature tuned in one setting costs in another, on test, mean over seeds.

    Attributes:
        keys: Settings, in the order of rows and columns.
        regret_pp: ``[source][target]``: target's own validation-chosen accuracy minus the
            accuracy there of the source's temperature. Positive: the transfer lost accuracy.
        fixed_pp: The same for the default temperature, by target; None if it was not run.
        learned_pp: The same for the learned temperature, by target; None if it was not run.
        mean_pp: Mean of ``regret_pp`` over all moves to another setting.
        worst_pp: The largest of them.
        worst_source: Its source's key; "" without a move.
        worst_target: Its target's key, likewise.
    """

    keys: tuple[str, ...]
    regret_pp: tuple[tuple[float | None, ...], ...]
    fixed_pp: tuple[float | None, ...]
    learned_pp: tuple[float | None, ...]
    mean_pp: float | None = None
    worst_pp: float | None = None
    worst_source: str = ""
    worst_target: str = ""


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
        (loss, table.keys[source], table.keys[target])
        for source, row in enumerate(regret_pp)
        for target, loss in enumerate(row)
        if source != target and loss is not None
    ]
    # Of equal losses the first.
    worst = max(moved, key=lambda move: move[0], default=(None, "", ""))
    return TransferRegret(
        keys=table.keys,
        regret_pp=regret_pp,
        fixed_pp=_known(_against_own(test, grid, table.runs("fixed"))),
        learned_pp=_known(_against_own(test, grid, table.runs("meta"))),
        mean_pp=sum(loss for loss, _, _ in moved) / len(moved) if moved else None,
        worst_pp=worst[0],
        worst_source=worst[1],
        worst_target=worst[2],
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
