"""Whether better teachers, or stronger augmentations, make worse students, and what mends that.

The contrast is between the last level and the one before it that validation puts first. That choice
and the test accuracies come from the same students: a lucky level is chosen and then looks good on
test. Every interval and p value of a contrast is therefore corrected for all the levels that could
have been chosen (Bonferroni), which holds however validation and test depend on each other.

One claim is a gap's primary comparison, by itself: that there is a drop at the default temperature.
Whether strategies drop less, the learned one among them, is corrected for their number (Holm).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metakd.analysis.along import Along, Level, along, by_own_accuracy
from metakd.analysis.deciding import PrimaryComparison
from metakd.analysis.questions.analysis import Results
from metakd.analysis.sentences import Answer
from metakd.analysis.statistics.claims import SIGNIFICANT, holm, mean_p_value, paired_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix, paired_interval
from metakd.analysis.statistics.looks import EQUIVALENT, ROUNDING_PP
from metakd.analysis.statistics.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable

REFERENCE = "fixed"
NO_TEACHER = "ce"


@dataclass(frozen=True)
class StrategyGap:
    """How one strategy fares along the levels.

    A drop is the chosen level minus the last: positive where the last is worse.

    Attributes:
        strategy: The strategy.
        by_level: What it reaches at each level.
        drop: At the chosen level minus at the last: positive where the last is worse. At the gap's
            ``confidence``.
        drop_p: Of the drop against 0, corrected for the choice of the level; beside the reference
            also for the number of strategies (Holm). None where there is no interval.
        verdict: "there", "not shown", "the reverse", "no data", or, at a declared look, "none":
            within the margin.
        by_held: The drop in each combination of what is held, at the same confidence.
        held_verdicts: As ``verdict``, for each of them; corrected for their number, too (Holm).
        cells_pp: The drops, by combination and seed; None where a run is missing.
        trend: Points by level, from first to last: the least-squares slope of each seed.
        own_level: The level before the last that this strategy's own validation puts first; None
            where its validation is not known.
        own_drop: From there to the last, at the same confidence.
        mending: The reference's drop minus this one's; None for the reference.
        mending_p: Of the mending against 0, corrected as ``drop_p`` is.
        mended: "mended", "reduced", "not shown to be reduced", "enlarged", "nothing to mend" or "no
            data"; None for the reference.
        at_last: "gain", "harm" or "open": what distillation does at the last level; None where
            accuracy is measured, not a gain.
    """

    strategy: str
    by_level: tuple[Interval, ...]
    drop: Interval
    drop_p: float | None
    verdict: str
    by_held: tuple[Interval, ...]
    held_verdicts: tuple[str, ...]
    cells_pp: tuple[tuple[float | None, ...], ...]
    trend: Interval
    own_level: str | None
    own_drop: Interval | None
    mending: Interval | None
    mending_p: float | None
    mended: str | None
    at_last: str | None


@dataclass(frozen=True)
class LevelGap:
    """What becomes of students along better teachers, or along stronger augmentations.

    The contrast is between the last level and the one before it that validation puts first; its
    intervals and p values are corrected for all levels that could have been chosen.

    Attributes:
        factor: "teacher" or "augmentation".
        measure: "accuracy", or "gain": accuracy minus that without a teacher.
        order: "teacher accuracy": levels by the teachers' own validation accuracy; or "study": as
            the study has them.
        levels: The levels in that order; the last is compared with the best before it.
        held: Combinations of all else, in words.
        reference: The strategy whose gap it is: "fixed".
        chosen: The level before the last with the reference's best mean validation.
        confidence: Of the intervals of drops and mendings: 1 − 5 % / (levels − 1), so that the
            choice cannot make a gap.
        strategies: The reference first, then the others in the study's order.
    """

    factor: str
    measure: str
    order: str
    levels: tuple[Level, ...]
    held: tuple[str, ...]
    reference: str
    chosen: str
    confidence: float
    strategies: tuple[StrategyGap, ...]


@dataclass(frozen=True)
class LevelGaps(Answer):
    """What becomes of students along the factor of a study of a gap.

    Attributes:
        by_measure: By accuracy, then by gain where that is known.
    """

    by_measure: tuple[LevelGap, ...]

    @property
    def main(self) -> LevelGap:
        """The gap that the headline is about: of gains where they are known."""
        return self.by_measure[-1]


def level_gaps(results: Results, factor: str) -> LevelGaps | None:
    """Returns the gap along a factor, by accuracy and by gain.

    Gains, along augmentations alone and where there are runs without a teacher, separate what
    distillation loses from what the student loses anyway.

    Args:
        results: The study's results.
        factor: "teacher" or "augmentation".

    Returns:
        None with one level, and without complete runs at the default temperature.
    """
    table = results.table
    levels, order, settings = by_own_accuracy(along(table, factor), results.teachers)
    if table.runs(REFERENCE) is None or len(levels) < 2:
        return None
    scores = {
        name: settings.stacked(100 * found.test_last) for name, found in results.reached.items()
    }
    validation = {name: settings.stacked(values) for name, values in _validation(table).items()}
    alone, alone_on_validation = scores.get(NO_TEACHER), validation.get(NO_TEACHER)
    if factor == "teacher":
        # It is the same run beside every teacher.
        scores.pop(NO_TEACHER, None)
    found = [_gap("accuracy", order, levels, settings, scores, validation, table)]
    if factor == "augmentation" and alone is not None and alone_on_validation is not None:
        gains = {name: test - alone for name, test in scores.items() if name != NO_TEACHER}
        on_validation = {n: values - alone_on_validation for n, values in validation.items()}
        found.append(_gap("gain", order, levels, settings, gains, on_validation, table))
    known = tuple(gap for gap in found if gap is not None)
    return LevelGaps(known) if known else None


def gap_at_look(gap: LevelGap, primary: PrimaryComparison) -> LevelGap:
    """Returns a gap whose drop is the primary comparison of the last declared look."""
    drop, word = primary.here, "not shown"
    if primary.verdict == EQUIVALENT:
        word = "none"
    elif drop.low_pp is not None and drop.low_pp > ROUNDING_PP:
        word = "there"
    elif drop.high_pp is not None and drop.high_pp < -ROUNDING_PP:
        word = "the reverse"
    reference, *others = gap.strategies
    reference = replace(reference, drop=drop, drop_p=None, verdict=word)
    if word != "there":
        others = [replace(each, mended="nothing to mend") for each in others]
    return replace(gap, strategies=(reference, *others))


def _validation(table: StudyTable) -> dict[str, Matrix]:
    """Returns by which validation accuracies a strategy's levels can be ranked."""
    return {runs.strategy: runs.best("val_acc_last") for runs in table.strategy_runs}


def _gap(
    measure: str,
    order: str,
    levels: tuple[Level, ...],
    settings: Along,
    scores: Mapping[str, Matrix],
    validation: Mapping[str, Matrix],
    table: StudyTable,
) -> LevelGap | None:
    chosen = best_before_last(validation[REFERENCE])
    if chosen is None:
        return None
    strata = settings.strata(table)
    contrast = _Contrast(levels, validation, chosen, strata)
    there = {name: test for name, test in scores.items() if np.isfinite(test).any()}
    reference = contrast.measured(REFERENCE, there[REFERENCE], measure)
    others = []
    for name, test in there.items():
        if name != REFERENCE:
            mending = drop(there[REFERENCE], chosen) - drop(test, chosen)
            others.append(
                replace(
                    contrast.measured(name, test, measure),
                    mending=contrast.interval(mending),
                    mending_p=contrast.p_value(mending),
                )
            )
    return LevelGap(
        factor=settings.factor,
        measure=measure,
        order=order,
        levels=levels,
        held=settings.held,
        reference=REFERENCE,
        chosen=levels[chosen].name,
        confidence=contrast.confidence,
        strategies=_judged(reference, others, there, table.margin_pp, strata),
    )


class _Contrast:
    """Intervals and p values that are corrected for the choice of the level."""

    def __init__(
        self,
        levels: tuple[Level, ...],
        validation: Mapping[str, Matrix],
        chosen: int,
        strata: Strata | None,
    ) -> None:
        self._levels, self._validation, self._chosen = levels, validation, chosen
        self._strata = strata
        self._choices = len(levels) - 1
        self.confidence = 1 - SIGNIFICANT / self._choices

    def interval(self, differences: Matrix) -> Interval:
        return mean_interval(differences, self._strata, self.confidence)

    def p_value(self, differences: Matrix) -> float | None:
        p = mean_p_value(differences, self._strata)
        return None if p is None else min(1.0, self._choices * p)

    def p_value_of(self, row: Matrix) -> float | None:
        """Returns the p value of one combination of what is held (seed,)."""
        p = paired_p_value(row[np.isfinite(row)])
        return None if p is None else min(1.0, self._choices * p)

    def measured(self, name: str, scores: Matrix, measure: str) -> StrategyGap:
        """Returns a strategy's numbers; its words are still to be found."""
        drops = drop(scores, self._chosen)
        own = best_before_last(self._validation[name]) if name in self._validation else None
        by_held = tuple(paired_interval(row, self.confidence) for row in drops)
        held_p = holm([self.p_value_of(row) for row in drops])
        return StrategyGap(
            strategy=name,
            by_level=tuple(mean_interval(level, self._strata) for level in scores),
            drop=self.interval(drops),
            drop_p=self.p_value(drops),
            verdict="",
            by_held=by_held,
            held_verdicts=tuple(map(drop_verdict, by_held, held_p)),
            cells_pp=tuple(
                tuple(value if np.isfinite(value) else None for value in row.tolist())
                for row in drops
            ),
            trend=mean_interval(slope(scores), self._strata),
            own_level=None if own is None else self._levels[own].name,
            own_drop=None if own is None else self.interval(drop(scores, own)),
            mending=None,
            mending_p=None,
            mended=None,
            at_last="" if measure == "gain" else None,
        )


def _judged(
    reference: StrategyGap,
    others: Sequence[StrategyGap],
    scores: Mapping[str, Matrix],
    margin_pp: float,
    strata: Strata | None,
) -> tuple[StrategyGap, ...]:
    """Corrects p values for the number of strategies and finds the words."""
    names = [gap.strategy for gap in others]
    drop_p = [reference.drop_p, *holm([gap.drop_p for gap in others])]
    last_p = {name: mean_p_value(test[-1], strata) for name, test in scores.items()}
    at_last = [last_p[reference.strategy], *holm([last_p[name] for name in names])]
    mending_p: list[float | None] = [None, *holm([gap.mending_p for gap in others])]
    verdict = drop_verdict(reference.drop, drop_p[0])
    return tuple(
        replace(
            gap,
            drop_p=drop_p[index],
            verdict=drop_verdict(gap.drop, drop_p[index]),
            mending_p=mending_p[index],
            mended=None
            if gap.mending is None
            else mending_verdict(verdict, gap.mending, mending_p[index], gap.drop, margin_pp),
            at_last=None if gap.at_last is None else gain_verdict(gap.by_level[-1], at_last[index]),
        )
        for index, gap in enumerate([reference, *others])
    )


def best_before_last(validation: Matrix) -> int | None:
    """Returns the level before the last with the best mean; the first of equals.

    Args:
        validation: ``[level, held, seed]``, two levels or more. Only cells that are complete at
            every level count.

    Returns:
        None where no cell is complete.
    """
    complete = np.isfinite(validation).all(axis=0)
    if not complete.any():
        return None
    # Rounded: equal sums in another order are equal.
    return int(np.round(validation[:-1, complete].mean(axis=1), 9).argmax())


def drop(scores: Matrix, level: int) -> Matrix:
    """Returns what a level has over the last, ``[held, seed]``.

    Args:
        scores: ``[level, held, seed]``.
        level: An index.
    """
    return np.asarray(scores[level] - scores[-1])


def slope(scores: Matrix) -> Matrix:
    """Returns the least-squares slope over the levels' ranks, by level, ``[held, seed]``.

    Args:
        scores: ``[level, held, seed]``; a cell that lacks a level has no slope.
    """
    ranks = np.arange(len(scores)) - (len(scores) - 1) / 2
    return np.asarray(np.tensordot(ranks, scores, axes=1) / (ranks**2).sum())


def drop_verdict(drop: Interval, p_value: float | None) -> str:
    """Names a drop: "there", "the reverse", "not shown" or "no data".

    Args:
        drop: At the better level minus at the last.
        p_value: Of the drop against 0, corrected.
    """
    return _word(drop, p_value, ("there", "the reverse", "not shown", "no data"))


def mending_verdict(
    reference: str, mending: Interval, p_value: float | None, rest: Interval, margin_pp: float
) -> str:
    """Names what a strategy does about the reference's drop.

    Args:
        reference: The reference's own verdict: only a gap that is there can be mended.
        mending: The reference's drop minus this strategy's.
        p_value: Of the mending against 0, corrected.
        rest: This strategy's own drop.
        margin_pp: A rest of at most so many points does not matter.

    Returns:
        "mended" where the drop is reduced and its rest is shown to be within the margin, "reduced",
        "not shown to be reduced", "enlarged", "nothing to mend" or "no data".
    """
    if mending.mean_pp is None:
        return "no data"
    if reference != "there":
        return "nothing to mend"
    word = _word(mending, p_value, ("reduced", "enlarged", "not shown to be reduced", "no data"))
    within = rest.high_pp is not None and rest.high_pp <= margin_pp + ROUNDING_PP
    return "mended" if word == "reduced" and within else word


def gain_verdict(gain: Interval, p_value: float | None) -> str:
    """Names what distillation does against no teacher: "gain", "harm" or "open"."""
    return _word(gain, p_value, ("gain", "harm", "open", "open"))


def _word(effect: Interval, p_value: float | None, words: tuple[str, str, str, str]) -> str:
    above, below, unknown, nothing = words
    if effect.mean_pp is None:
        return nothing
    if p_value is None or p_value >= SIGNIFICANT:
        return unknown
    return above if effect.mean_pp > 0 else below
