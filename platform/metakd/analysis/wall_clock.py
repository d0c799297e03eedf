"""How long it takes to get one student, by how many runs can go at once."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.cost import median
from metakd.analysis.curves import WallClock
from metakd.analysis.grid import Grid
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable


def wall_clock(table: StudyTable, grid: Grid | None) -> WallClock | None:
    """Returns wall-clock seconds of a whole grid and of a learned run, with p runs at once.

    The median over settings of their median finished run; only settings count in which plain and
    learned runs were both timed, so that the two are of the same work. None without such a setting.
    """
    meta = table.runs("meta")
    if grid is None or meta is None:
        return None
    plain, learned = _median_by_setting(grid.runs), _median_by_setting(meta)
    both = np.isfinite(plain) & np.isfinite(learned)
    if not both.any():
        return None
    K = len(table.temperatures)
    workers = [*(2**n for n in range(K.bit_length()) if 2**n < K), K]
    plain_s, learned_s = median(plain[both]), median(learned[both])
    grid_s = tuple(ceil(K / p) * plain_s for p in workers)
    return WallClock(
        workers=tuple(workers),
        grid_s=grid_s,
        learned_s=tuple(learned_s for _ in workers),
        done_first=tuple(
            "learned" if learned_s < spent else "grid" if spent < learned_s else "both"
            for spent in grid_s
        ),
    )


def _median_by_setting(runs: StrategyRuns) -> NDArray[np.float64]:
    timed = np.moveaxis(np.where(runs.has_scores, runs.wall_s, np.nan), 1, 0)
    return np.array([median(setting) for setting in timed])
