"""What it would take to decide: how likely each look to come does, and how long it takes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metakd.analysis.deciding import DeclaredSchedule, counts_by_group, groups_of
from metakd.analysis.decision import Outlook, Prospect
from metakd.analysis.primary import Primary
from metakd.analysis.statistics.looks import OPEN, Schedule
from metakd.analysis.statistics.prospect import chances, plausible_differences
from metakd.analysis.statistics.stratified import FEWEST_SEEDS
from metakd.analysis.strata import group_means
from metakd.analysis.table import StudyTable
from metakd.results.looks import LookRecord

POWER = 0.8
MARGINS = (0.5, 1.0, 1.5, 2.0)
"""In that of the study; none is below one test sample."""


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
