"""How often a strategy loses how much, and how much a grid flatters itself."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import Grid
from metakd.analysis.reached import common_pairs, has_result, reached_by_strategy
from metakd.analysis.statistics.selection import expected_best_of_k
from metakd.analysis.table import StudyTable

QUANTILES = 200
# Points: accuracies are whole samples, so that losses that differ by less are ties.
DIGITS = 9
# Where the table reads a profile.
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class LossProfile:
    """How often a strategy loses how much against the best fixed temperature of its setting.

    The best fixed temperature is chosen by mean validation accuracy over seeds.

    Attributes:
        strategy: The strategy.
        loss_pp: Losses on test, ascending; negative where it is ahead. At most 200 quantiles.
        share: By loss: the share of pairs that lose at most that, in (0, 1].
        share_not_behind: Share of pairs that lose nothing.
        pairs: How many pairs.
        at_shares: Some shares, ascending, ...
        loss_at_share_pp: ... and the least loss that so many of the pairs do not exceed.
    """

    strategy: str
    loss_pp: tuple[float, ...]
    share: tuple[float, ...]
    share_not_behind: float
    pairs: int
    at_shares: tuple[float, ...]
    loss_at_share_pp: tuple[float, ...]


@dataclass(frozen=True)
class SelectionOptimism:
    """How much a reported accuracy flatters a grid of k, by what is quoted; 0 at k = 1.

    All against the honest score: chosen on validation, read on test. Exact over subsets of k.

    Attributes:
        runs: k.
        validation_quoted_pp: The winner's own validation accuracy is quoted, minus the mean gap of
            validation and test.
        test_picked_pp: The winner is picked on test.
        pairs: How many pairs the means are over.
    """

    runs: tuple[int, ...]
    validation_quoted_pp: tuple[float, ...]
    test_picked_pp: tuple[float, ...]
    pairs: int


def loss_profiles(table: StudyTable, grid: Grid | None) -> tuple[LossProfile, ...]:
    """Returns one profile for each strategy with results; none without a grid.

    All are over the same pairs, those in which every strategy with results is complete. The best
    fixed temperature is the setting's, chosen by mean validation accuracy over seeds.
    """
    if grid is None or not grid.complete.any():
        return ()
    reached = reached_by_strategy(table, grid)
    names, common = common_pairs(table, has_result(reached))
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
