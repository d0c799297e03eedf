"""A study as it was when its settings had fewer seeds: what the last declared look saw of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metakd.analysis.table import StudyTable


def first_seeds(table: StudyTable, counts: Sequence[int]) -> StudyTable:
    """Returns a study with the first seeds of each setting alone; later ones are not planned.

    Args:
        table: The study.
        counts: How many seeds of each setting, in the order of the settings.
    """
    within = np.arange(table.shape[1]) < np.asarray(counts)[:, None]

    return replace(
        table,
        strategy_runs=tuple(runs.within(within) for runs in table.strategy_runs),
        planned_pairs=table.planned_pairs & within,
    )
