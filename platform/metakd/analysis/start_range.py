"""Does a learned temperature forget its start? Fixed temperatures, and learned from each of them.

What is compared is defined in :class:`~metakd.analysis.answers.StartRange`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.answers import StartRange, StartsOfSetting
from metakd.analysis.grid import Grid
from metakd.analysis.intervals import LEVEL, Interval, paired_interval, seeds_interval
from metakd.analysis.rows import Matrix
from metakd.analysis.selection import UNKNOWN, chosen_by_others, mean_of_others, picked
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.strata import elsewhere_interval, mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

LEARNED, SCALE_FREE, ALIGNED = "meta-starts", "grid-scale-free", "align"
WIDE_PP = 2.0
QUARTER = 0.25


@dataclass(frozen=True)
class ByStart:
    """Runs from each start, ``[start, setting, seed]``; NaN where any start's run is missing."""

    validation: Matrix
    test: Matrix
    tau_s: Matrix
    tau_t: Matrix

    def best_fixed(self, table: StudyTable) -> Matrix:
        """Returns the test accuracy where other seeds' validation chooses, ``[setting, seed]``."""
        chosen = chosen_by_others(self.validation, table.temperatures, table.fixed_tau)
        return picked(self.test, chosen)

    def wrong_pp(self) -> Matrix:
        """Returns what the wrong start costs, in points, ``[setting, seed]``.

        Of starts that other seeds' validation ranks alike the lowest is first, the highest last.
        """
        means = mean_of_others(self.validation)
        is_known = np.isfinite(means).all(axis=0)
        ends = means.argmax(axis=0), len(means) - 1 - means[::-1].argmin(axis=0)
        first, last = (picked(self.test, np.where(is_known, end, UNKNOWN)) for end in ends)
        return 100 * (first - last)


def start_range(table: StudyTable, grid: Grid | None, level: float = LEVEL) -> StartRange | None:
    """Returns how much the start decides; None without fixed and learned runs of two starts.

    Args:
        table: The study.
        grid: Its fixed temperatures.
        level: How often the intervals over settings cover.
    """
    learned_runs, aligned_runs, scale_free_runs = map(table.runs, (LEARNED, ALIGNED, SCALE_FREE))
    if grid is None or learned_runs is None or grid.size < 2:
        return None
    fixed, learned = _common(*(_by_start(runs, table) for runs in (grid.runs, learned_runs)))
    there = np.asarray(np.isfinite(learned.test).all(axis=0))
    if not there.any():
        return None

    def over_settings(differences: Matrix) -> Interval:
        if table.strata is None:
            return seeds_interval(differences, level)
        return mean_interval(differences, table.strata, level)

    wrong = [runs.wrong_pp() for runs in (fixed, learned)]
    best, mean_of_starts = fixed.best_fixed(table), learned.test.mean(axis=0)
    regret = 100 * (best - mean_of_starts)
    aligned = None if aligned_runs is None else aligned_runs.best("test_acc_last")
    aligned_regret = None if aligned is None else over_settings(100 * (best - aligned))
    scale_free = None if scale_free_runs is None else _by_start(scale_free_runs, table)
    scale_free_wrong = scale_free_regret = None
    if scale_free is not None:
        scale_free_wrong = over_settings(scale_free.wrong_pp())
        scale_free_regret = over_settings(100 * (scale_free.best_fixed(table) - mean_of_starts))
    settings = [
        _setting(table.keys[index], index, fixed, learned, scale_free, aligned, (*wrong, regret))
        for index in range(len(table.settings))
        if there[index].any()
    ]
    fixed_wrong, learned_wrong, saved, beyond = (
        over_settings(differences)
        for differences in (*wrong, wrong[0] - wrong[1], wrong[1] - QUARTER * wrong[0])
    )
    wide = [setting for setting in settings if setting.fixed_range_pp > WIDE_PP]
    forgetting = [s for s in wide if s.learned_range_pp <= QUARTER * s.fixed_range_pp]
    return StartRange(
        starts=table.temperatures,
        settings=tuple(settings),
        fixed_wrong=fixed_wrong,
        learned_wrong=learned_wrong,
        saved=saved,
        saved_elsewhere=elsewhere_interval(wrong[0] - wrong[1], table.strata),
        beyond_quarter=beyond,
        regret=over_settings(regret),
        aligned_regret=aligned_regret,
        scale_free_wrong=scale_free_wrong,
        scale_free_regret=scale_free_regret,
        verdict=verdict_of(fixed_wrong, saved, beyond),
        wide_settings=len(wide),
        forgetting_settings=len(forgetting),
    )


def saved_pp(table: StudyTable, grid: Grid | None) -> Matrix:
    """Returns what the wrong fixed temperature costs minus the wrong start, ``[setting, seed]``."""
    learned_runs = table.runs(LEARNED)
    if grid is None or learned_runs is None or grid.size < 2:
        return np.full(table.shape, np.nan)
    fixed, learned = _common(*(_by_start(runs, table) for runs in (grid.runs, learned_runs)))
    return np.asarray(fixed.wrong_pp() - learned.wrong_pp())


def verdict_of(fixed_wrong: Interval, saved: Interval, beyond_quarter: Interval) -> str:
    """Names what intervals say of the start; arguments and words as in ``StartRange``."""
    if saved.mean_pp is None:
        return "no data"
    if fixed_wrong.low_pp is None or saved.low_pp is None or saved.high_pp is None:
        return "undecided"
    if beyond_quarter.high_pp is not None and beyond_quarter.high_pp < -ROUNDING_PP:
        return "forgets"
    if saved.low_pp > ROUNDING_PP:
        return "depends less"
    if saved.high_pp < -ROUNDING_PP:
        return "depends more"
    return "undecided" if fixed_wrong.low_pp > ROUNDING_PP else "nothing to forget"


def _by_start(runs: StrategyRuns, table: StudyTable) -> ByStart:
    """Returns the runs of a strategy that has one at each temperature of the grid."""
    shape = (len(table.temperatures), *table.shape)
    names = ("val_acc_last", "test_acc_last", "tau_s_last", "tau_t_last")
    found = [np.full(shape, np.nan) for _ in names]
    place = {tau: index for index, tau in enumerate(table.temperatures)}
    for segment, *cell in np.argwhere(runs.has_scores).tolist():
        row = table.rows[runs.row[segment, *cell]]
        for values, name in zip(found, names, strict=True):
            values[place[row["tau_s_init"]], *cell] = getattr(runs, name)[segment, *cell]
    return ByStart(*found)


def _common(*runs: ByStart) -> Sequence[ByStart]:
    """Returns the same runs where all starts of all of them are there."""
    there = np.logical_and.reduce([np.isfinite(each.test).all(axis=0) for each in runs])

    def kept(values: Matrix) -> Matrix:
        return np.where(there, values, np.nan)

    return [ByStart(kept(r.validation), kept(r.test), kept(r.tau_s), kept(r.tau_t)) for r in runs]


def _setting(
    key: str,
    index: int,
    fixed: ByStart,
    learned: ByStart,
    scale_free: ByStart | None,
    aligned: Matrix | None,
    differences: Sequence[Matrix],
) -> StartsOfSetting:
    seeds = np.isfinite(learned.test[:, index]).all(axis=0)

    def means(values: Matrix) -> NDArray[np.float64]:
        return np.asarray(100 * values[:, index, seeds].mean(axis=1))

    fixed_pp, learned_pp = means(fixed.test), means(learned.test)
    taus = [np.median(t[:, index, seeds], axis=1) for t in (learned.tau_s, learned.tau_t)]
    known = [] if aligned is None else aligned[index][np.isfinite(aligned[index])]
    scaled = means(scale_free.test) if scale_free is not None else np.array([])
    has_scaled = bool(scaled.size and np.isfinite(scaled).all())
    fixed_wrong, learned_wrong, regret = (paired_interval(each[index]) for each in differences)
    return StartsOfSetting(
        key=key,
        seeds=int(seeds.sum()),
        fixed_pp=tuple(fixed_pp.tolist()),
        learned_pp=tuple(learned_pp.tolist()),
        learned_tau_s=tuple(taus[0].tolist()),
        learned_tau_t=tuple(taus[1].tolist()),
        scale_free_pp=tuple(scaled.tolist()) if has_scaled else (),
        aligned_pp=100 * float(np.mean(known)) if len(known) else None,
        fixed_range_pp=float(np.ptp(fixed_pp)),
        learned_range_pp=float(np.ptp(learned_pp)),
        scale_free_range_pp=float(np.ptp(scaled)) if has_scaled else None,
        fixed_wrong=fixed_wrong,
        learned_wrong=learned_wrong,
        regret=regret,
    )
