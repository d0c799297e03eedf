"""What a study's primary comparison shows, at its last look where looks were declared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metakd.analysis.answers import LevelGap, Reuse, StartRange
from metakd.analysis.deciding import DeclaredSchedule, interval_of_look
from metakd.analysis.decision import (
    Allocation,
    Deciding,
    DeclaredLook,
    LookTaken,
    PrimaryComparison,
)
from metakd.analysis.outlook import outlook_of, prospect_of
from metakd.analysis.primary import Primary
from metakd.analysis.questions import FACTORS, START_RANGE, TRANSFER
from metakd.analysis.questions.start_range import verdict_of
from metakd.analysis.statistics.intervals import LEVEL, Interval
from metakd.analysis.statistics.looks import EQUIVALENT, OPEN, ROUNDING_PP
from metakd.analysis.strata import elsewhere_interval, group_means, mean_interval
from metakd.analysis.summary import Baseline, Comparison
from metakd.analysis.table import StudyTable
from metakd.analysis.verdict_rule import accuracy_verdict
from metakd.results.looks import LookRecord


@dataclass(frozen=True)
class Findings:
    """What the headline of a question is worded from; each as in ``summary.Summary``."""

    comparisons: tuple[Comparison, ...]
    baselines: tuple[Baseline, ...]
    gaps: tuple[LevelGap, ...]
    reuse: Reuse | None
    starts: StartRange | None


def primary_comparison(
    primary: Primary, table: StudyTable, deciding: Deciding | None
) -> PrimaryComparison:
    """Returns what the primary comparison shows.

    Args:
        primary: Its differences.
        table: The study.
        deciding: Its looks, where they were declared.
    """
    here = mean_interval(primary.differences, primary.strata, 1 - (1 - LEVEL) / primary.choices)
    if deciding is not None:
        here = _last_look(deciding, here)
    measured = int(np.isfinite(primary.differences).any(axis=1).sum())
    elsewhere = None
    if primary.strata is not None:
        measured = group_means(primary.differences, primary.strata).rows
        if measured > 1:
            elsewhere = elsewhere_interval(primary.differences, primary.strata)
    return PrimaryComparison(
        label=primary.label,
        here=here,
        elsewhere=elsewhere,
        verdict=accuracy_verdict(here, table.margin_pp),
        settings=len(primary.differences),
        measured=measured,
    )


def _last_look(deciding: Deciding, so_far: Interval) -> Interval:
    if deciding.looks:
        return deciding.looks[-1].interval
    return replace(so_far, low_pp=None, high_pp=None, method="no declared look was taken yet")


def deciding_of(
    declared: DeclaredSchedule | None,
    looks: Sequence[LookRecord],
    primary: Primary,
    table: StudyTable,
) -> Deciding | None:
    """Returns the looks of a study, and what it would take; None where none were declared.

    Args:
        declared: Its schedule.
        looks: Those that were taken.
        primary: The primary comparison.
        table: The study.
    """
    if declared is None:
        return None
    schedule, last = declared.looks, looks[-1] if looks else None
    planned = table.planned_pairs.sum(axis=1)
    at_look = np.asarray(last.seed_counts) if last is not None else planned
    beyond = int(np.maximum(planned - at_look, 0).sum())
    margin = max(schedule.margin_pp, table.margin_pp)
    outlook = outlook_of(declared, looks, primary, table)
    # A block that is under way is declared: its seeds are on their way to the next look.
    is_under_way = last is not None and last.next_seed_counts and last.word == OPEN
    return Deciding(
        margin_pp=margin,
        alpha=schedule.alpha,
        pilot_seeds=schedule.pilot_seeds,
        declared=tuple(
            DeclaredLook(at + 1, pilots, 1 - (1 - schedule.level(at)) / primary.choices)
            for at, pilots in enumerate(schedule.pilots)
        ),
        looks=tuple(_taken(look, schedule.pilots) for look in looks),
        allocation=_allocation(declared, looks, table),
        word=OPEN if last is None else last.word,
        undeclared_pairs=0 if is_under_way else beyond,
        prospect=prospect_of(outlook, margin),
        outlook=outlook,
    )


def _taken(look: LookRecord, pilots: Sequence[float]) -> LookTaken:
    return LookTaken(
        number=look.number,
        pilots=pilots[look.number - 1],
        interval=interval_of_look(look),
        word=look.word,
        least_seeds=min(look.seed_counts, default=0),
        most_seeds=max(look.seed_counts, default=0),
        trials=look.trials,
        wall_s=look.wall_s,
    )


def _allocation(
    declared: DeclaredSchedule, looks: Sequence[LookRecord], table: StudyTable
) -> tuple[Allocation, ...]:
    if not looks:
        return ()
    groups = (0,) * len(table.keys) if table.strata is None else table.strata.groups
    steps = [look.seed_counts for look in looks]
    if looks[-1].next_seed_counts:
        steps.append(looks[-1].next_seed_counts)
    total = sum(declared.seed_costs)
    return tuple(
        Allocation(
            key=key,
            seeds=tuple(counts[index] for counts in steps),
            sd_pp=looks[-1].sd_pp[index],
            cost=declared.seed_costs[groups[index]] / total,
        )
        for index, key in enumerate(table.keys)
    )


def at_look(
    findings: Findings, question: str, baseline: str, primary: PrimaryComparison, margin_pp: float
) -> Findings:
    """Returns findings whose primary comparison is that of the last declared look.

    Args:
        findings: By the trials that the look saw.
        question: What the study asks.
        baseline: Whose comparison the headline of a question with a learner is about.
        primary: The primary comparison.
        margin_pp: What counts as equal.
    """
    here, verdict = primary.here, primary.verdict
    if question in FACTORS:
        gaps = tuple(
            _gap_at_look(gap, here, verdict) if gap.factor == FACTORS[question] else gap
            for gap in findings.gaps
        )
        return replace(findings, gaps=gaps)
    if question == TRANSFER and findings.reuse is not None:
        first, *others = findings.reuse.moves
        first = replace(first, learned=here, learned_verdict=verdict)
        return replace(findings, reuse=replace(findings.reuse, moves=(first, *others)))
    if question == START_RANGE and findings.starts is not None:
        starts = findings.starts
        word = verdict_of(starts.fixed_wrong, here, starts.beyond_quarter)
        if verdict == EQUIVALENT:
            word = "depends as much"
        return replace(findings, starts=replace(starts, saved=here, verdict=word))
    comparisons, baselines = list(findings.comparisons), list(findings.baselines)
    main = next((i for i, c in enumerate(comparisons) if c.accuracy_verdict != "no data"), None)
    if main is not None:
        comparisons[main] = replace(comparisons[main], effect=here, accuracy_verdict=verdict)
    for index, each in enumerate(baselines):
        if each.strategy == baseline:
            overall = replace(each.overall, effect=here, accuracy_verdict=verdict)
            baselines[index] = replace(each, overall=overall)
    return replace(findings, comparisons=tuple(comparisons), baselines=tuple(baselines))


def _gap_at_look(gap: LevelGap, drop: Interval, verdict: str) -> LevelGap:
    word = "not shown"
    if verdict == EQUIVALENT:
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
