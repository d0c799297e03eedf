"""How learned temperatures moved while students trained."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import Trajectory
from metakd.analysis.logged_steps import LoggedSteps, read_logged_steps, starts_of_runs
from metakd.analysis.table import NO_RUN, StudyTable
from metakd.analysis.thinning import thinned


def trajectories(out: Path, table: StudyTable) -> tuple[Trajectory, ...]:
    """Returns one trajectory for each setting that has learned temperatures on record.

    Of more than 200 epochs 200 are shown, evenly spread, the first and the last among them.
    """
    if table.meta is None:
        return ()
    rows = np.where(table.meta.complete, table.meta.row, NO_RUN)
    learned = set(rows[rows != NO_RUN].tolist())
    logged = read_logged_steps(out, table.rows, learned, ("epoch", "tau_s", "tau_t"))
    epochs, curves = epoch_ends(logged, len(table.rows))
    by_setting = [
        (key, curves[:, here[here != NO_RUN]]) for key, here in zip(table.keys, rows, strict=True)
    ]
    return tuple(
        _trajectory(key, epochs, found) for key, found in by_setting if np.isfinite(found).any()
    )


def epoch_ends(logged: LoggedSteps, trials: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the epochs on record, and the temperatures at the last logged step of each.

    Args:
        logged: Lines with the columns ``epoch``, ``tau_s`` and ``tau_t``.
        trials: How many rows ``logged.row`` points into.

    Returns:
        Epochs (epochs,), and ``[side, trial, epoch]``, the student's side first, NaN where a trial
        has no such epoch.
    """
    epoch = logged.columns["epoch"]
    starts = starts_of_runs(logged.row, epoch)
    ends = np.append(starts[1:], len(epoch)) - 1 if len(starts) else starts
    epochs, column = np.unique(epoch[ends], return_inverse=True)
    curves = np.full((2, trials, len(epochs)), np.nan)
    for side, name in enumerate(("tau_s", "tau_t")):
        curves[side, logged.row[ends], column] = logged.columns[name][ends]
    return epochs.astype(np.int64), curves


def _trajectory(key: str, epochs: NDArray[np.int64], curves: NDArray[np.float64]) -> Trajectory:
    """Draws one setting; ``curves`` is ``[side, trial, epoch]``."""
    known = thinned(np.flatnonzero(np.isfinite(curves).any(axis=(0, 1))))
    shown = curves[:, :, known]
    spread = [np.nanmedian(shown, axis=1), np.nanmin(shown, axis=1), np.nanmax(shown, axis=1)]
    (s_median, t_median), (s_low, t_low), (s_high, t_high) = (
        tuple(tuple(side.tolist()) for side in statistic) for statistic in spread
    )
    return Trajectory(
        key,
        tuple(epochs[known].tolist()),
        *(s_median, s_low, s_high),
        *(t_median, t_low, t_high),
    )
