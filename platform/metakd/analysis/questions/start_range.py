"""Does a learned temperature forget its start? Fixed temperatures, and learned from each of them.

What is compared is defined in :class:`StartRange`; the words are chosen by
fixed rules from numbers already there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.comparison import Pair
from metakd.analysis.deciding import Primary, PrimaryComparison
from metakd.analysis.grid import Grid
from metakd.analysis.questions.analysis import Analysis, Findings, Results
from metakd.analysis.sentences import (
    Answer,
    Evidence,
    Verdict,
    interval_words,
    missing_sentence,
    no_answer,
)
from metakd.analysis.statistics.intervals import (
    LEVEL,
    Interval,
    Matrix,
    paired_interval,
    seeds_interval,
)
from metakd.analysis.statistics.looks import EQUIVALENT, ROUNDING_PP
from metakd.analysis.statistics.selection import UNKNOWN, chosen_by_others, mean_of_others, picked
from metakd.analysis.statistics.strata import elsewhere_interval, mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import counted, runs_charged

LEARNED, SCALE_FREE, ALIGNED = "meta-starts", "grid-scale-free", "align"
WIDE_PP = 2.0
QUARTER = 0.25
BADGES = {
    "forgets": "Forgets its start",
    "depends less": "Depends less on its start",
    "depends more": "Depends more on its start",
    "depends as much": "Depends on its start as much",
    "undecided": "Undecided",
    "nothing to forget": "No cost of a start shown",
    "no data": "No complete seed",
}
HEADLINES = {
    "forgets": "A learned temperature forgets its start: the wrong one costs {learned}, a wrong "
    "fixed temperature {fixed}",
    "depends less": "A learned temperature depends less on its start: the wrong one costs "
    "{learned}, a wrong fixed temperature {fixed}",
    "depends more": "A learned temperature depends more on its start than fixed ones differ: the "
    "wrong start costs {learned}, a wrong fixed temperature {fixed}",
    "depends as much": "A learned temperature depends on its start as much as fixed ones differ, "
    "within the margin: the wrong start costs {learned}, a wrong fixed temperature {fixed}",
    "undecided": "These runs leave open whether a learned temperature forgets its start",
    "nothing to forget": "These runs do not show that a wrong fixed temperature costs anything, so "
    "they cannot show that a learned one forgets its start",
    "no data": "No seed has all starts yet, with those of another seed to choose by",
}


@dataclass(frozen=True)
class StartsOfSetting:
    """What each start reaches in a setting, at the last epoch, over the seeds that have all runs.

    Attributes:
        key: The setting's.
        seeds: How many seeds that are.
        fixed_pp: Mean test accuracy at each fixed temperature, in the order of the starts.
        learned_pp: Of temperatures that are learned from there, likewise.
        learned_tau_s: Median student temperature at the end, by start.
        learned_tau_t: Median teacher temperature at the end, likewise.
        scale_free_pp: Of fixed temperatures whose teacher's gradient is as large as at τ = 4, as
            that of learned ones is; empty without.
        aligned_pp: Mean test accuracy of the alignment rule, which has no start; None without.
        fixed_range_pp: Largest minus smallest of ``fixed_pp``.
        learned_range_pp: Largest minus smallest of ``learned_pp``.
        scale_free_range_pp: Of ``scale_free_pp``; None without.
        fixed_wrong: What the wrong fixed temperature costs, see ``StartRange``.
        learned_wrong: What the wrong start of a learned one costs.
        regret: The fixed temperature that validation chooses minus the mean over learned starts.
    """

    key: str
    seeds: int
    fixed_pp: tuple[float, ...]
    learned_pp: tuple[float, ...]
    learned_tau_s: tuple[float, ...]
    learned_tau_t: tuple[float, ...]
    scale_free_pp: tuple[float, ...]
    aligned_pp: float | None
    fixed_range_pp: float
    learned_range_pp: float
    scale_free_range_pp: float | None
    fixed_wrong: Interval
    learned_wrong: Interval
    regret: Interval


@dataclass(frozen=True)
class StartRange(Answer):
    """Whether a learned temperature depends on where it starts, beside fixed ones at the same τ.

    What the wrong start costs is the test accuracy of the start that validation ranks first minus
    that of the one it ranks last, both by the mean of the other seeds: where starts do not matter
    it is 0 on average, which the range of means, inflated by noise, is not.

    Attributes:
        starts: The temperatures.
        settings: Those that have a result.
        fixed_wrong: What the wrong fixed temperature costs, the mean over these settings; this
            and the next ones with the interval over seeds (``seeds_interval``).
        learned_wrong: What the wrong start of a learned one costs, likewise.
        saved: The first minus the second.
        saved_elsewhere: The same with an interval for other settings like these: two-way, settings
            and seeds as samples of more.
        beyond_quarter: The second minus a quarter of the first: below 0 where learning removes
            three quarters or more.
        regret: The fixed temperature that validation chooses minus the mean over learned starts.
        aligned_regret: The same, minus the alignment rule; None without it.
        scale_free_wrong: What the wrong fixed temperature costs at the learned ones' scale; None
            without.
        scale_free_regret: ``regret`` against fixed temperatures at that scale; None without.
        verdict: "forgets", "depends less", "depends more", "depends as much" (at a declared
            look, within the margin), "undecided", "nothing to forget" (the wrong fixed temperature
            is not shown to cost anything) or "no data".
        wide_settings: Settings whose fixed range is above 2 points.
        forgetting_settings: Those of them whose learned range is at most a quarter of it.
    """

    starts: tuple[float, ...]
    settings: tuple[StartsOfSetting, ...]
    fixed_wrong: Interval
    learned_wrong: Interval
    saved: Interval
    saved_elsewhere: Interval
    beyond_quarter: Interval
    regret: Interval
    aligned_regret: Interval | None
    scale_free_wrong: Interval | None
    scale_free_regret: Interval | None
    verdict: str
    wide_settings: int
    forgetting_settings: int


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


class Starts(Analysis):
    """What the wrong fixed temperature costs against what the wrong start costs."""

    answer_type = StartRange

    def primary(self, results: Results) -> Primary:
        """Returns the first cost minus the second."""
        label = "cost of the wrong fixed temperature − of the wrong start"
        return Primary(label, saved_pp(results.table, results.grid), results.table.strata)

    def answer(self, results: Results, level: float) -> StartRange | None:
        """Returns how much the start decides."""
        return start_range(results.table, results.grid, level)

    def at_look(self, findings: Findings, pair: Pair, primary: PrimaryComparison) -> Findings:
        """Returns findings whose saved cost is that of the last declared look."""
        starts = findings.answer
        if not isinstance(starts, StartRange):
            return findings
        word = verdict_of(starts.fixed_wrong, primary.here, starts.beyond_quarter)
        if primary.verdict == EQUIVALENT:
            word = "depends as much"
        return replace(findings, answer=replace(starts, saved=primary.here, verdict=word))

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words how much the start decides."""
        return starts_verdict(evidence, answer if isinstance(answer, StartRange) else None)


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


def starts_verdict(evidence: Evidence, starts: StartRange | None) -> Verdict:
    """Words how much the start decides.

    Args:
        evidence: The study.
        starts: Its numbers; None where there are none.
    """
    if starts is None:
        return _no_answer(evidence)
    costs = {
        name: f"{interval.mean_pp:.2f} points"
        for name, interval in (("fixed", starts.fixed_wrong), ("learned", starts.learned_wrong))
        if interval.mean_pp is not None
    }
    headline = HEADLINES[starts.verdict].format(**{"fixed": "", "learned": "", **costs})
    sentences = [
        _wrong_sentence(starts),
        _ranges_sentence(starts),
        _regret_sentence(starts),
        _scale_sentence(starts),
        _cost_sentence(evidence.runs.get("meta")),
        missing_sentence(evidence.inventory),
    ]
    return Verdict(
        BADGES[starts.verdict],
        f"{headline}.",
        tuple(sentence for sentence in sentences if sentence),
    )


def _wrong_sentence(starts: StartRange) -> str | None:
    if starts.saved.mean_pp is None:
        return None
    return (
        "The start that other seeds' validation ranks first minus the one it ranks last, on test, "
        f"in these settings: fixed {interval_words(starts.fixed_wrong)}, learned "
        f"{interval_words(starts.learned_wrong)}; the difference is "
        f"{interval_words(starts.saved)}, and for other settings like these "
        f"{interval_words(starts.saved_elsewhere)}."
    )


def _ranges_sentence(starts: StartRange) -> str:
    many = counted(starts.wide_settings, "setting")
    if not starts.wide_settings:
        return f"In no setting do the means of fixed temperatures range over {WIDE_PP:g} points."
    return (
        f"Means over seeds range over more than {WIDE_PP:g} points between fixed temperatures in "
        f"{many}; in {starts.forgetting_settings} of them over a quarter of that or less between "
        "learned ones."
    )


def _regret_sentence(starts: StartRange) -> str | None:
    if starts.regret.mean_pp is None:
        return None
    aligned = (
        ""
        if starts.aligned_regret is None or starts.aligned_regret.mean_pp is None
        else "; minus the alignment rule, which has no start, "
        f"{interval_words(starts.aligned_regret)}"
    )
    return (
        "The fixed temperature that validation chooses minus the mean over all learned starts is "
        f"{interval_words(starts.regret)}{aligned}."
    )


def _scale_sentence(starts: StartRange) -> str | None:
    """Says what of it is due to the loss's factor, which learned temperatures do not have."""
    wrong, regret = starts.scale_free_wrong, starts.scale_free_regret
    if wrong is None or regret is None or regret.mean_pp is None:
        return None
    return (
        "With the teacher’s gradient as large at any fixed temperature as at τ = 4, which is the "
        f"scale of learned ones, the wrong fixed temperature costs {interval_words(wrong)}, and "
        f"the best one minus the mean over learned starts is {interval_words(regret)}."
    )


def _cost_sentence(learned_runs: float | None) -> str | None:
    if learned_runs is None:
        return None
    return f"A learned run costs {runs_charged(learned_runs)} fixed ones."


def _no_answer(evidence: Evidence) -> Verdict:
    if LEARNED not in evidence.strategies or "grid" not in evidence.strategies:
        badge = "No starts"
        headline = f"A study of starts needs the strategies grid and {LEARNED}"
    elif len(evidence.temperatures) < 2:
        badge, headline = (
            "One start only",
            "One start has no range: give --temperatures two or more",
        )
    else:
        badge, headline = BADGES["no data"], "No seed has all its fixed and learned runs yet"
    return no_answer(evidence, badge, f"{headline}.")


START_RANGE = Starts()
