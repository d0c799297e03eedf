"""A study's primary comparison, the looks taken at it, and what it would take to decide."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from metakd.analysis.comparison import accuracy_verdict
from metakd.analysis.schedule import DeclaredSchedule, counts_by_group, groups_of, interval_of_look
from metakd.analysis.statistics.intervals import LEVEL, Interval, Matrix
from metakd.analysis.statistics.looks import OPEN, Schedule
from metakd.analysis.statistics.planning import chances, plausible_differences
from metakd.analysis.statistics.strata import (
    FEWEST_SEEDS,
    Strata,
    elsewhere_interval,
    group_means,
    mean_interval,
)
from metakd.analysis.table import StudyTable
from metakd.results.look_records import LookRecord

POWER = 0.8
MARGINS = (0.5, 1.0, 1.5, 2.0)
"""In that of the study; none is below one test sample."""


@dataclass(frozen=True)
class Primary:
    """The differences that a study's headline is about, in points.

    Attributes:
        label: What is subtracted from what.
        differences: ``[row, seed]``, NaN where a pair is missing; a row is a setting, or what the
            settings of a gap have in common.
        strata: Which rows are independent of each other; None where all share their seeds.
        choices: From how many contrasts this one was chosen on validation: its interval is
            corrected for that (Bonferroni).
    """

    label: str
    differences: Matrix
    strata: Strata | None
    choices: int = 1


@dataclass(frozen=True)
class Prospect:
    """What it would take to decide, by the variances and costs so far.

    Attributes:
        wall_s: Further seconds like those so far, until the look that is likely to decide.
        probability: That it has decided by then.
        is_enough: Whether that reaches 80 %; else it is the last look's.
    """

    wall_s: float
    probability: float
    is_enough: bool


@dataclass(frozen=True)
class Outlook:
    """How likely the looks to come decide.

    Variances are those of all pairs so far; the true difference is drawn from what the last look
    leaves plausible.

    Attributes:
        is_anew: Whether they are those of a study anew, as this one's have all been taken.
        margins_pp: Ascending, the declared one among them.
        looks: Numbers of the looks to come.
        wall_s: Further seconds like those so far until each of them.
        probability: ``[margin][look]``: that it is decided by then.
    """

    is_anew: bool
    margins_pp: tuple[float, ...]
    looks: tuple[int, ...]
    wall_s: tuple[float, ...]
    probability: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class DeclaredLook:
    """A look as it was declared before the first trial.

    Attributes:
        number: From 1 on.
        pilots: Compute behind it, in that of the pilot.
        level: How often its interval covers.
    """

    number: int
    pilots: float
    level: float


@dataclass(frozen=True)
class LookTaken:
    """A look as it was taken; it is never taken again.

    Attributes:
        number: From 1 on.
        pilots: Compute behind it, in that of the pilot.
        interval: The primary comparison.
        word: "equivalent", "ahead", "behind" or "open".
        least_seeds: Of any setting.
        most_seeds: Likewise.
        trials: Finished by then.
        wall_s: How long the study had run.
    """

    number: int
    pilots: float
    interval: Interval
    word: str
    least_seeds: int
    most_seeds: int
    trials: int
    wall_s: float


@dataclass(frozen=True)
class Allocation:
    """What a setting was given.

    Attributes:
        key: The setting.
        seeds: At each look that was taken, and behind the next one where a block follows.
        sd_pp: Standard deviation of its differences at the last look; None where unknown.
        cost: What a seed costs there, in all settings that share it, as a share of one seed
            everywhere.
    """

    key: str
    seeds: tuple[int, ...]
    sd_pp: float | None
    cost: float


@dataclass(frozen=True)
class Deciding:
    """A study that runs until its primary comparison is decided.

    Attributes:
        margin_pp: What counts as equal.
        alpha: Probability that any look's interval misses.
        pilot_seeds: Of every setting at the first look.
        declared: The looks that were declared.
        looks: Those that were taken.
        allocation: By setting, in the order of the report.
        word: Of the last look; "open" before the first.
        undeclared_pairs: Pairs that came after the last look; they show in the numbers alone.
        prospect: What it would take to decide; None where it is decided or nothing more can be.
        outlook: The same by look and margin, of a study anew where all looks were taken; None where
            it is decided or nothing is known.
    """

    margin_pp: float
    alpha: float
    pilot_seeds: int
    declared: tuple[DeclaredLook, ...]
    looks: tuple[LookTaken, ...]
    allocation: tuple[Allocation, ...]
    word: str
    undeclared_pairs: int
    prospect: Prospect | None
    outlook: Outlook | None

    @property
    def is_decided(self) -> bool:
        """Whether a look has decided."""
        return self.word != OPEN

    @property
    def seeds_at_last_look(self) -> tuple[int, ...]:
        """How many seeds each setting had at the last look; there must be one."""
        return tuple(each.seeds[len(self.looks) - 1] for each in self.allocation)

    @property
    def is_at_its_end(self) -> bool:
        """Whether all declared looks were taken."""
        return len(self.looks) == len(self.declared)

    @property
    def goes_on(self) -> bool:
        """Whether a look is still to come: the first one, or one whose block was allocated."""
        steps = [len(each.seeds) for each in self.allocation]
        return not self.is_decided and max(steps, default=1) > len(self.looks)


@dataclass(frozen=True)
class PrimaryComparison:
    """The one comparison that a study's headline is about.

    Attributes:
        label: What is subtracted from what.
        here: The mean over the study's settings, with seeds as the only chance: at the last look
            where looks were declared. Where settings share their seeds, as in stores of before, the
            two-way interval over settings and seeds.
        elsewhere: For other settings like these; None where ``here`` is that already, and of one
            setting.
        verdict: One of the words of ``Comparison.accuracy_verdict``.
        settings: How many settings, or combinations of what a gap holds, the study has.
        measured: How many of them went in; the others have no two pairs.
    """

    label: str
    here: Interval
    elsewhere: Interval | None
    verdict: str
    settings: int
    measured: int


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


def outlook_of(
    declared: DeclaredSchedule, looks: Sequence[LookRecord], primary: Primary, table: StudyTable
) -> Outlook | None:
    """Returns how likely the looks to come decide; None where nothing more can, or is known.

    Variances are those of all pairs so far, the mean is that of the last look. Where all looks were
    taken it is about a study anew, with other seeds, the same looks and this one's pilot.

    Args:
        declared: The schedule.
        looks: Those that were taken.
        primary: The primary comparison.
        table: The study.
    """
    last = looks[-1] if looks else None
    if last is None or last.word != OPEN or last.mean_pp is None or primary.strata is None:
        return None
    found = group_means(primary.differences, primary.strata)
    is_anew = len(looks) == len(declared.looks.pilots)
    if not found.groups or not (is_anew or last.next_seed_counts):
        return None
    counts = counts_by_group(last.seed_counts, table)
    groups = replace(groups_of(declared, found, table), counts=counts)
    spread = np.nan_to_num(groups.variances) / np.maximum(counts, FEWEST_SEEDS)
    error = float(np.sqrt((groups.weights**2 * spread).sum()))
    true = plausible_differences(last.mean_pp, error)
    taken = 0 if is_anew else len(looks)
    schedule = declared.looks
    usual = max(schedule.margin_pp, table.margin_pp)
    margins = [usual * part for part in MARGINS]
    margins = [each for each in margins if each >= primary.strata.unit_pp or each == usual]
    rows = []
    for margin in margins:
        # The primary comparison's own correction makes its intervals wider (Bonferroni).
        looked = replace(schedule, margin_pp=margin, alpha=schedule.alpha / primary.choices)
        decided, _ = chances(looked, groups, true, taken, last.mean_pp)
        rows.append(tuple(decided.tolist()))
    return Outlook(
        is_anew=is_anew,
        margins_pp=tuple(margins),
        looks=tuple(range(taken + 1, len(schedule.pilots) + 1)),
        wall_s=_further_seconds(schedule, len(looks), taken, last.wall_s),
        probability=tuple(rows),
    )


def _further_seconds(schedule: Schedule, done: int, taken: int, wall_s: float) -> tuple[float, ...]:
    """Returns how long it is until each look to come, if compute goes on as fast as so far."""
    spent = schedule.pilots[done - 1]
    paid = schedule.pilots[taken - 1] if taken else 0.0
    return tuple((pilots - paid) / spent * wall_s for pilots in schedule.pilots[taken:])


def prospect_of(outlook: Outlook | None, margin_pp: float) -> Prospect | None:
    """Returns what it would take at a margin; None where no declared look is to come.

    Args:
        outlook: By look and margin, this one among them.
        margin_pp: The margin.
    """
    if outlook is None or outlook.is_anew:
        return None
    by_look = outlook.probability[outlook.margins_pp.index(margin_pp)]
    enough = [index for index, probability in enumerate(by_look) if probability >= POWER]
    at = enough[0] if enough else len(by_look) - 1
    return Prospect(outlook.wall_s[at], by_look[at], is_enough=bool(enough))
