"""How test accuracy responds to a temperature that stays fixed."""

from collections.abc import Sequence

import numpy as np

from metakd.analysis.accuracy_band import accuracy_band
from metakd.analysis.curves import ResponseCurve
from metakd.analysis.summary import SettingResult
from metakd.analysis.table import Matrix, StudyTable


def response_curves(
    table: StudyTable, settings: Sequence[SettingResult]
) -> tuple[ResponseCurve, ...]:
    """Returns one curve for each setting that has runs of the grid.

    Args:
        table: The study.
        settings: Its results by setting, in the table's order.
    """
    if table.grid is None:
        return ()
    test_by_setting = np.moveaxis(table.grid.test_acc_last, 1, 0)
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
    reached = {score.strategy: score.test_pp for score in setting.scores}
    return ResponseCurve(
        key=setting.key,
        taus=tuple(bands),
        mean_pp=tuple(mean for mean, _, _ in bands.values()),
        low_pp=tuple(low for _, low, _ in bands.values()),
        high_pp=tuple(high for _, _, high in bands.values()),
        best_tau=setting.best_tau,
        ce_pp=reached.get("ce"),
        learned_tau_s=setting.learned_tau_s,
        learned_tau_t=setting.learned_tau_t,
        learned_pp=reached.get("meta"),
    )
