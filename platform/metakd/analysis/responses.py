"""How test accuracy responds to a temperature that stays fixed, and where the best ones lie."""

from collections.abc import Sequence

import numpy as np

from metakd.analysis.bands import accuracy_band
from metakd.analysis.curves import ResponseCurve, Trajectory
from metakd.analysis.findings import TauSpans
from metakd.analysis.grid import Grid
from metakd.analysis.rows import Matrix
from metakd.analysis.summary import SettingResult
from metakd.analysis.table import StudyTable

# Temperatures within this factor of each other count as near.
NEAR = 2.0


def response_curves(
    table: StudyTable, grid: Grid | None, settings: Sequence[SettingResult]
) -> tuple[ResponseCurve, ...]:
    """Returns one curve for each setting that has runs of the grid.

    Args:
        table: The study.
        grid: Its grid.
        settings: Its results by setting, in the table's order.
    """
    if grid is None:
        return ()
    test_by_setting = np.moveaxis(grid.runs.test_acc_last, 1, 0)
    return tuple(
        _curve(setting, table.temperatures, test)
        for setting, test in zip(settings, test_by_setting, strict=True)
        if np.isfinite(test).any()
    )


def _curve(setting: SettingResult, temperatures: tuple[float, ...], test: Matrix) -> ResponseCurve:
    """Draws one setting; ``test`` is ``[tau, seed]``."""
    bands = {
        tau: (mean, low, high)
        for tau, accuracies in zip(temperatures, test, strict=True)
        for mean, low, high in [accuracy_band(accuracies)]
        if mean is not None
    }
    means, lows, highs = zip(*bands.values(), strict=True)
    learned = [score.test_pp for score in setting.scores if score.strategy == "meta"]
    # What is the best on validation has a test accuracy, too.
    best = None if setting.best_tau is None else bands[setting.best_tau][0]

    def minus_best(values: Sequence[float | None]) -> tuple[float | None, ...]:
        if best is None:
            return ()
        return tuple(None if value is None else value - best for value in values)

    return ResponseCurve(
        key=setting.key,
        taus=tuple(bands),
        mean_pp=means,
        low_pp=lows,
        high_pp=highs,
        minus_best_pp=() if best is None else tuple(mean - best for mean in means),
        low_minus_best_pp=minus_best(lows),
        high_minus_best_pp=minus_best(highs),
        learned_minus_best_pp=next(iter(minus_best(learned)), None),
    )


def tau_spans(settings: Sequence[SettingResult], learned: Sequence[Trajectory]) -> TauSpans:
    """Returns where the grid's best temperatures and the learned ones lie over the settings."""
    best = {s.key: s.best_tau for s in settings if s.best_tau is not None}
    ends = {trajectory.key: trajectory.tau_s_median[-1] for trajectory in learned}
    ratios = [ends[key] / best[key] for key in ends if key in best]
    return TauSpans(
        best_low=min(best.values(), default=None),
        best_high=max(best.values(), default=None),
        learned_low=min(ends.values(), default=None),
        learned_high=max(ends.values(), default=None),
        compared=len(ratios),
        near=sum(1 / NEAR <= ratio <= NEAR for ratio in ratios),
    )
