"""How test accuracy responds to a temperature that stays fixed, and where the best ones lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.grid import Grid
from metakd.analysis.settings import SettingResult
from metakd.analysis.statistics.intervals import Matrix, accuracy_band
from metakd.analysis.table import StudyTable

# Temperatures within this factor of each other count as near.
NEAR = 2.0


@dataclass(frozen=True)
class ResponseCurve:
    """Test accuracy at the last epoch against a fixed temperature, in one setting.

    Attributes:
        key: The setting.
        taus: Temperatures with results, ascending.
        mean_pp: Mean over seeds, by temperature.
        low_pp: Lower end of the mean's 95 % t interval; None below 3 seeds.
        high_pp: Upper end, likewise.
        minus_best_pp: ``mean_pp`` minus that at the setting's ``best_tau``; empty without one.
        low_minus_best_pp: ``low_pp`` minus the same.
        high_minus_best_pp: ``high_pp`` minus the same.
        learned_minus_best_pp: What learned temperatures reach, minus the same; None without.
    """

    key: str
    taus: tuple[float, ...]
    mean_pp: tuple[float, ...]
    low_pp: tuple[float | None, ...]
    high_pp: tuple[float | None, ...]
    minus_best_pp: tuple[float, ...]
    low_minus_best_pp: tuple[float | None, ...]
    high_minus_best_pp: tuple[float | None, ...]
    learned_minus_best_pp: float | None


@dataclass(frozen=True)
class TauSpans:
    """Where temperatures lie over the settings; None where no setting has one.

    Attributes:
        best_low: The least of the grid's best temperatures (``SettingResult.best_tau``).
        best_high: The greatest of them.
        learned_low: The least student temperature at the end of training, of the medians over
            seeds (``Trajectory.tau_s_median``).
        learned_high: The greatest of them.
        compared: How many settings have both.
        near: In how many of these they are within a factor of two.
    """

    best_low: float | None
    best_high: float | None
    learned_low: float | None
    learned_high: float | None
    compared: int
    near: int


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
