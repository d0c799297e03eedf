"""The look that is due at a study that runs until its primary comparison is decided.

Looks that were taken stand in ``looks.json`` and are never taken again.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from metakd.analysis.deciding import Primary
from metakd.analysis.places import DONE, STOPPED
from metakd.analysis.questions.analysis import question_name, question_of, results_of
from metakd.analysis.schedule import DeclaredSchedule, group_of_setting, groups_of
from metakd.analysis.statistics.looks import OPEN, decision
from metakd.analysis.statistics.planning import next_counts
from metakd.analysis.statistics.strata import GroupMeans, Strata, group_means, method_in_words
from metakd.analysis.table import StudyTable, read_table
from metakd.results.look_records import LookRecord
from metakd.results.reader import read_study
from metakd.results.study import StoreError, StudyRecord
from metakd.results.teacher_scores import read_teachers


def look_at(out: Path, looks: Sequence[LookRecord], wall_s: float) -> LookRecord:
    """Takes the look that is due, and allocates the seeds of the next block.

    Args:
        out: The study's folder; all trials of the block have run.
        looks: Those that were taken before.
        wall_s: How long the study has run.

    Raises:
        StoreError: If the folder holds no study with a schedule.
    """
    record = read_study(out)
    declared = DeclaredSchedule.of(record)
    if declared is None:
        raise StoreError(f"{out} holds no study that runs until it is decided")
    table = read_table(out, record)
    primary = primary_of_table(record, table, out)
    schedule, number = declared.looks, len(looks)
    finished = sum(row["status"] in (DONE, STOPPED) for row in table.rows)
    seed_counts = tuple(int(count) for count in table.planned_pairs.sum(axis=1))
    strata = primary.strata or Strata((0,) * len(primary.differences), 0.0)
    found = group_means(primary.differences, strata)
    level = 1 - (1 - schedule.level(number)) / primary.choices
    taken = LookRecord(
        number=number + 1,
        level=level,
        mean_pp=None,
        low_pp=None,
        high_pp=None,
        word=OPEN,
        pairs=found.pairs,
        method="no group of settings has two pairs",
        seed_counts=seed_counts,
        sd_pp=_sd_by_setting(found, table),
        next_seed_counts=(),
        trials=finished,
        wall_s=wall_s,
        comparison=primary.label,
    )
    if not found.groups:
        return taken
    estimate = found.mean()
    half, word = decision(estimate, level, max(schedule.margin_pp, table.margin_pp))
    mean = float(estimate.mean)
    taken = replace(
        taken,
        mean_pp=mean,
        low_pp=mean - float(half),
        high_pp=mean + float(half),
        word=str(word),
        method=method_in_words(found),
    )
    if taken.word != OPEN or number + 1 == len(schedule.pilots):
        return taken
    return replace(taken, next_seed_counts=_allocated(declared, number + 1, found, table))


def primary_of_table(record: StudyRecord, table: StudyTable, out: Path) -> Primary:
    """Returns the primary comparison of a study's trials.

    Args:
        record: The study.
        table: Its trials.
        out: Its folder, for the order of its teachers.
    """
    results = results_of(question_name(record), table, read_teachers(out))
    return question_of(record).analysis.primary(results)


def _allocated(
    declared: DeclaredSchedule, number: int, found: GroupMeans, table: StudyTable
) -> tuple[int, ...]:
    """Returns the seeds of each setting at the look with this number, counted from 0."""
    groups = groups_of(declared, found, table)
    pilot = declared.looks.pilot_seeds * groups.pilot_cost
    spent = float((groups.counts * groups.costs).sum())
    budget = max(0.0, declared.looks.pilots[number] * pilot - spent)
    by_group = next_counts(
        groups.counts,
        groups.variances,
        groups.costs,
        groups.weights,
        np.array(budget),
        found.unit_pp,
    )
    return tuple(int(by_group[group]) for group in group_of_setting(table))


def _sd_by_setting(found: GroupMeans, table: StudyTable) -> tuple[float | None, ...]:
    known = dict(zip(found.groups, np.sqrt(found.variances).tolist(), strict=True))
    return tuple(known.get(group) for group in group_of_setting(table))
