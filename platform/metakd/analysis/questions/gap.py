"""Whether better teachers, or stronger augmentations, make worse students, and who mends that.

The contrast is between the last level and the one before it that validation puts first. That choice
and the test accuracies come from the same students: a lucky level is chosen and then looks good on
test. Every interval and p value of a contrast is therefore corrected for all the levels that could
have been chosen (Bonferroni), which holds however validation and test depend on each other.

One claim is what a study of a gap asks, by itself: that there is a drop at the default temperature.
Whether strategies drop less, the learned one among them, is corrected for their number (Holm).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from metakd.analysis.along import NO_SETTING, Along, along
from metakd.analysis.answers import GapLevel, LevelGap, StrategyGap
from metakd.analysis.grid import Grid
from metakd.analysis.own_accuracy import own_accuracy
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.rows import Matrix
from metakd.analysis.statistics.claims import SIGNIFICANT, holm, mean_p_value, paired_p_value
from metakd.analysis.statistics.intervals import Interval, paired_interval
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable
from metakd.results.teachers import TeacherScore

FACTORS = ("teacher", "augmentation")
REFERENCE = "fixed"
NO_TEACHER = "ce"
# Whose mending the headline tells: the first of these that the study ran.
LEARNERS = ("meta", "grid")


def level_gaps(
    table: StudyTable, grid: Grid | None, teachers: Sequence[TeacherScore]
) -> tuple[LevelGap, ...]:
    """Returns the gaps along each factor with two levels or more, by accuracy, then by gain.

    Gains, along augmentations alone and where there are runs without a teacher, tell what
    distillation loses from what the student loses anyway. None without complete runs at the default
    temperature.
    """
    if table.runs(REFERENCE) is None:
        return ()
    found = []
    reached = {name: 100 * r.test_last for name, r in reached_by_strategy(table, grid).items()}
    chosen_on = _validation(table)
    for factor in FACTORS:
        levels, order, settings = _ordered(along(table, factor), teachers)
        if len(levels) < 2:
            continue
        scores = {name: settings.stacked(test) for name, test in reached.items()}
        validation = {name: settings.stacked(values) for name, values in chosen_on.items()}
        alone, alone_on_validation = scores.get(NO_TEACHER), validation.get(NO_TEACHER)
        if factor == "teacher":
            # It is the same run beside every teacher.
            scores.pop(NO_TEACHER, None)
        found.append(_gap("accuracy", order, levels, settings, scores, validation, table))
        if factor == "augmentation" and alone is not None and alone_on_validation is not None:
            gains = {name: test - alone for name, test in scores.items() if name != NO_TEACHER}
            on_validation = {n: values - alone_on_validation for n, values in validation.items()}
            found.append(_gap("gain", order, levels, settings, gains, on_validation, table))
    return tuple(gap for gap in found if gap is not None)


def held_strata(table: StudyTable, settings: Along) -> Strata | None:
    """Returns which combinations of what is held are independent of each other."""
    if table.strata is None:
        return None
    # All levels of a combination share their seeds.
    return table.strata.of([int(rows[rows != NO_SETTING][0]) for rows in settings.rows.T])


def _validation(table: StudyTable) -> dict[str, Matrix]:
    """Returns by which validation accuracies a strategy's levels can be ranked."""
    return {runs.strategy: runs.best("val_acc_last") for runs in table.strategy_runs}


def _ordered(
    settings: Along, teachers: Sequence[TeacherScore]
) -> tuple[tuple[GapLevel, ...], str, Along]:
    """Puts teachers in the order of their accuracy, where that of all is known."""
    levels = [_level(level, settings, teachers) for level in settings.levels]
    accuracies = [level.val_pp for level in levels if level.val_pp is not None]
    if len(accuracies) < len(levels):
        return tuple(levels), "study", settings
    order = sorted(range(len(levels)), key=lambda index: round(accuracies[index], 9))
    return tuple(levels[i] for i in order), "teacher accuracy", settings.ordered(order)


def _level(level: str | None, settings: Along, teachers: Sequence[TeacherScore]) -> GapLevel:
    name = str(level)
    own = own_accuracy(name, settings.datasets, teachers) if settings.factor == "teacher" else None
    return (
        GapLevel(name) if own is None else GapLevel(name, own.parameters, own.val_pp, own.test_pp)
    )


def _gap(
    measure: str,
    order: str,
    levels: tuple[GapLevel, ...],
    settings: Along,
    scores: Mapping[str, Matrix],
    validation: Mapping[str, Matrix],
    table: StudyTable,
) -> LevelGap | None:
    chosen = best_before_last(validation[REFERENCE])
    if chosen is None:
        return None
    strata = held_strata(table, settings)
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
        levels: tuple[GapLevel, ...],
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
