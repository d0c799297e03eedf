"""The grid strategy, and grids of fewer temperatures, as score matrices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.statistics.selection import (
    best_on_average,
    expected_best_of_k,
    rank_by_validation,
)
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


@dataclass(frozen=True)
class Grid:
    """A grid's runs with the choices that validation makes among them.

    Attributes:
        runs: Its segments are the temperatures, ascending.
        complete: Where all temperatures have their scores, ``[setting, seed]``.
        ranked_test_last: Test at the last epoch, in the order of validation at the last epoch,
            ``[rank, setting, seed]``, NaN where incomplete.
        ranked_test_selected: The same with test and validation at the selected epoch.
        chosen_tau: The temperature that each seed's validation chose at the last epoch,
            ``[setting, seed]``, NaN where incomplete.
        best_on_average: Index of the temperature with the best mean validation, by setting.
    """

    runs: StrategyRuns
    complete: NDArray[np.bool_]
    ranked_test_last: Matrix
    ranked_test_selected: Matrix
    chosen_tau: Matrix
    best_on_average: tuple[int | None, ...]

    @property
    def size(self) -> int:
        """How many temperatures."""
        return len(self.ranked_test_last)

    def best_of(self, k: int, selected_epoch: bool = False) -> Matrix:
        """Returns test accuracies of validation's best of k, ``[setting, seed]``."""
        ranked = self.ranked_test_selected if selected_epoch else self.ranked_test_last
        return expected_best_of_k(ranked, k)


def choose(table: StudyTable) -> Grid | None:
    """Lets validation choose in every setting and seed; None when the study has no grid."""
    runs = table.runs("grid")
    if runs is None:
        return None
    runs = runs.padded(len(table.temperatures))
    complete = runs.complete
    taus, fixed_tau = table.temperatures, table.fixed_tau

    def ranked(values: Matrix, validation: Matrix) -> Matrix:
        order = rank_by_validation(validation, taus, fixed_tau)
        return np.where(complete, np.take_along_axis(values, order, axis=0), np.nan)

    tau_values = np.broadcast_to(np.asarray(taus)[:, None, None], runs.val_acc_last.shape)
    validation = np.where(complete, runs.val_acc_last, np.nan)
    return Grid(
        runs=runs,
        complete=complete,
        ranked_test_last=ranked(runs.test_acc_last, runs.val_acc_last),
        ranked_test_selected=ranked(runs.test_acc_selected, runs.val_acc_selected),
        chosen_tau=ranked(tau_values, runs.val_acc_last)[0],
        best_on_average=tuple(best_on_average(validation, taus, fixed_tau)),
    )
