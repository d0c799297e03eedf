"""A study as it was when its settings had fewer seeds: what the last declared look saw of it."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from metakd.analysis.arms import Arm
from metakd.analysis.rows import NO_RUN
from metakd.analysis.table import Runs, StudyTable


def first_seeds(table: StudyTable, counts: Sequence[int]) -> StudyTable:
    """Returns a study with the first seeds of each setting alone; later ones are not planned.

    Args:
        table: The study.
        counts: How many seeds of each setting, in the order of the settings.
    """
    within = np.arange(table.shape[1]) < np.asarray(counts)[:, None]

    def kept(runs: Runs | None) -> Runs | None:
        if runs is None:
            return None
        found = {f.name: np.where(within, getattr(runs, f.name), np.nan) for f in fields(Runs)}
        return Runs(**found | {"row": np.where(within, runs.row, NO_RUN)})

    def kept_arm(arm: Arm) -> Arm:
        return replace(
            arm,
            legs={cell: legs for cell, legs in arm.legs.items() if within[cell]},
            ended=arm.ended & within,
            blocked=arm.blocked & within,
            complete=arm.complete & within,
        )

    return replace(
        table,
        ce=kept(table.ce),
        fixed=kept(table.fixed),
        grid=kept(table.grid),
        meta=kept(table.meta),
        arms=tuple(map(kept_arm, table.arms)),
        planned_pairs=table.planned_pairs & within,
    )
