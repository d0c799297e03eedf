"""How learned temperatures moved while students trained."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.figures.logged_steps import epoch_ends, read_logged_steps, thinned
from metakd.analysis.places import NO_RUN
from metakd.analysis.table import StudyTable

SIDES = ("tau_s", "tau_t")


@dataclass(frozen=True)
class Trajectory:
    """Learned temperatures over the epochs of one setting: median over seeds, and the range.

    At most 200 epochs, evenly spread over a longer training.

    Attributes:
        key: The setting.
        epochs: Epochs, from 0.
        tau_s_median: Student temperature at each epoch's end, median over seeds.
        tau_s_low: Its least over seeds.
        tau_s_high: Its greatest over seeds.
        tau_t_median: Teacher temperature at each epoch's end, median over seeds.
        tau_t_low: Its least over seeds.
        tau_t_high: Its greatest over seeds.
    """

    key: str
    epochs: tuple[int, ...]
    tau_s_median: tuple[float, ...]
    tau_s_low: tuple[float, ...]
    tau_s_high: tuple[float, ...]
    tau_t_median: tuple[float, ...]
    tau_t_low: tuple[float, ...]
    tau_t_high: tuple[float, ...]


def trajectories(out: Path, table: StudyTable) -> tuple[Trajectory, ...]:
    """Returns one trajectory for each setting that has learned temperatures on record.

    Of more than 200 epochs 200 are shown, evenly spread, the first and the last among them.
    """
    runs = table.runs("meta")
    if runs is None:
        return ()
    rows = runs.best_row()
    learned = set(rows[rows != NO_RUN].tolist())
    logged = read_logged_steps(out, table.rows, learned, ("epoch", *SIDES))
    epochs, curves = epoch_ends(logged, len(table.rows), SIDES)
    by_setting = [
        (key, curves[:, here[here != NO_RUN]]) for key, here in zip(table.keys, rows, strict=True)
    ]
    return tuple(
        _trajectory(key, epochs, found) for key, found in by_setting if np.isfinite(found).any()
    )


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
