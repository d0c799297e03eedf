"""How learned temperatures moved while students trained."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.curves import Trajectory
from metakd.analysis.table import DONE, Row, StudyTable, cells
from metakd.results.reader import read_steps
from metakd.results.study import StudyRecord

Curve = dict[int, tuple[float, float]]


def trajectories(out: Path, record: StudyRecord, table: StudyTable) -> tuple[Trajectory, ...]:
    """Returns one trajectory for each setting that has learned temperatures on record."""
    if table.meta is None:
        return ()
    learned = [row for row in table.rows if row["method"] == "mkd" and row["status"] == DONE]
    steps = read_steps(out, {row["trial_id"] for row in learned}).to_pylist()
    curves = epoch_ends(steps)
    found = []
    for index, key in enumerate(table.keys):
        here = [
            curves[row["trial_id"]]
            for row in learned
            if row["trial_id"] in curves and any(cell[0] == index for cell in cells(record, row))
        ]
        if here:
            found.append(_trajectory(key, here))
    return tuple(found)


def epoch_ends(steps: Iterable[Row]) -> dict[str, Curve]:
    """Returns by trial the temperatures (τs, τt) at the last logged step of each epoch.

    Args:
        steps: Rows of the steps table, in order of step.
    """
    curves: dict[str, Curve] = {}
    for step in steps:
        if None not in (step["epoch"], step["tau_s"], step["tau_t"]):
            curve = curves.setdefault(step["trial_id"], {})
            curve[step["epoch"]] = (step["tau_s"], step["tau_t"])
    return curves


def _trajectory(key: str, curves: list[Curve]) -> Trajectory:
    epochs = sorted(set().union(*curves))
    tau_s, tau_t = (
        [np.array([curve[epoch][side] for curve in curves if epoch in curve]) for epoch in epochs]
        for side in (0, 1)
    )
    return Trajectory(key, tuple(epochs), *_spread(tau_s), *_spread(tau_t))


def _spread(
    by_epoch: list[NDArray[np.float64]],
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    median = tuple(float(np.median(taus)) for taus in by_epoch)
    return median, tuple(float(t.min()) for t in by_epoch), tuple(float(t.max()) for t in by_epoch)
