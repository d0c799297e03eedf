"""How often a strategy loses how much against the best fixed temperature."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import LossProfile
from metakd.analysis.grid import Grid
from metakd.analysis.reached import common_pairs, reached_by_strategy
from metakd.analysis.table import StudyTable

QUANTILES = 200
# Points: accuracies are whole samples, so that losses that differ by less are ties.
DIGITS = 9
# Where the table reads a profile.
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def loss_profiles(table: StudyTable, grid: Grid | None) -> tuple[LossProfile, ...]:
    """Returns one profile for each strategy with results; none without a grid.

    All are over the same pairs, those in which every strategy with results is complete. The best
    fixed temperature is the setting's, chosen by mean validation accuracy over seeds.
    """
    if grid is None or not grid.complete.any():
        return ()
    reached = reached_by_strategy(table, grid)
    names, common = common_pairs(reached)
    best = np.full(table.shape, np.nan)
    for setting, tau in enumerate(grid.best_on_average):
        if tau is not None:
            best[setting] = grid.runs.test_acc_last[tau, setting]
    return tuple(
        _profile(name, np.sort(np.round(100 * (best - reached[name].test_last)[common], DIGITS)))
        for name in names
        if common.any()
    )


def _profile(strategy: str, losses: NDArray[np.float64]) -> LossProfile:
    """Thins ascending losses to quantiles, each with the exact share that loses at most that."""
    pairs = len(losses)
    ranks = np.ceil(np.arange(1, QUANTILES + 1) * pairs / QUANTILES).astype(int) - 1
    shown = np.unique(losses if pairs <= QUANTILES else losses[ranks])
    share = np.searchsorted(losses, shown, side="right") / pairs
    return LossProfile(
        strategy=strategy,
        loss_pp=tuple(shown.tolist()),
        share=tuple(share.tolist()),
        share_not_behind=float((losses <= 0).mean()),
        pairs=pairs,
        at_shares=SHARES,
        loss_at_share_pp=tuple(float(losses[ceil(at * pairs - 1e-9) - 1]) for at in SHARES),
    )
