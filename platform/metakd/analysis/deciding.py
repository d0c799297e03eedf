"""A study that runs until its primary comparison is decided: the look that is due, and its words.

The schedule was declared before the first trial and stands in ``study.json``; looks that were taken
stand in ``looks.json`` and are never taken again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import choose
from metakd.analysis.pair import pair_of
from metakd.analysis.primary import Primary, primary_of
from metakd.analysis.questions import question_of
from metakd.analysis.questions.gap import level_gaps
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.rows import DONE, STOPPED
from metakd.analysis.statistics.allocation import next_counts
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.looks import OPEN, Schedule, decision
from metakd.analysis.statistics.prospect import Groups
from metakd.analysis.strata import GroupMeans, Strata, group_means, method_in_words
from metakd.analysis.table import StudyTable, read_table
from metakd.results.looks import LookRecord
from metakd.results.reader import read_study
from metakd.results.study import StoreError, StudyRecord
from metakd.results.teachers import read_teachers


@dataclass(frozen=True)
class DeclaredSchedule:
    """A study's schedule, with what its settings cost.

    Attributes:
        looks: Margin, pilot and looks.
        seed_costs: What one seed of each group of settings costs, in student-step equivalents, in
            the order in which the settings name the groups.
    """

    looks: Schedule
    seed_costs: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns it as plain JSON values."""
        return {
            "margin_pp": self.looks.margin_pp,
            "pilot_seeds": self.looks.pilot_seeds,
            "pilots": list(self.looks.pilots),
            "alpha": self.looks.alpha,
            "seed_costs": list(self.seed_costs),
        }

    @classmethod
    def of(cls, record: StudyRecord) -> "DeclaredSchedule | None":
        """Returns the schedule of a study; None where it takes one look at its end.

        Raises:
            StoreError: If it cannot be read.
        """
        declared = record.schedule
        if declared is None:
            return None
        try:
            looks = Schedule(
                margin_pp=float(declared["margin_pp"]),
                pilot_seeds=int(declared["pilot_seeds"]),
                pilots=tuple(float(pilots) for pilots in declared["pilots"]),
                alpha=float(declared["alpha"]),
            )
            return cls(looks, tuple(float(cost) for cost in declared["seed_costs"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"the schedule of study {record.study!r} cannot be read ({error}): put study.json "
                "back from a copy, or run the study again in another --out"
            ) from error


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
    question, grid = question_of(record), choose(table)
    pair = pair_of(question, table.strategies, reached_by_strategy(table, grid))
    gaps = level_gaps(table, grid, read_teachers(out))
    return primary_of(question, table, grid, pair, gaps)


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
    return tuple(int(by_group[group]) for group in _group_of_setting(table))


def groups_of(declared: DeclaredSchedule, found: GroupMeans, table: StudyTable) -> Groups:
    """Returns what is known of all groups of a study's settings, in the order of their numbers.

    A group without two pairs has no variance, and no weight: it gets no further seeds.
    """
    of_setting = np.asarray(_group_of_setting(table))
    planned = table.planned_pairs.sum(axis=1)
    number = int(of_setting.max()) + 1
    variances, weights = np.full(number, np.nan), np.zeros(number)
    here = list(found.groups)
    variances[here], weights[here] = found.variances, found.weights
    counts = np.array([planned[of_setting == group].max() for group in range(number)])
    return Groups(
        weights,
        np.asarray(declared.seed_costs),
        variances,
        counts.astype(np.int64),
        found.unit_pp,
    )


def interval_of_look(look: LookRecord) -> Interval:
    """Returns the interval of a look as it was taken."""
    return Interval(look.mean_pp, look.low_pp, look.high_pp, look.pairs, look.method, look.level)


def counts_by_group(by_setting: Sequence[int], table: StudyTable) -> NDArray[np.int64]:
    """Returns the seeds of each group of settings, in the order of their numbers.

    Args:
        by_setting: Seeds of each setting.
        table: The study.
    """
    of_setting = np.asarray(_group_of_setting(table))
    values = np.asarray(by_setting, dtype=np.int64)
    return np.array([values[of_setting == g].max() for g in range(int(of_setting.max()) + 1)])


def _group_of_setting(table: StudyTable) -> tuple[int, ...]:
    return (0,) * len(table.settings) if table.strata is None else table.strata.groups


def _sd_by_setting(found: GroupMeans, table: StudyTable) -> tuple[float | None, ...]:
    known = dict(zip(found.groups, np.sqrt(found.variances).tolist(), strict=True))
    return tuple(known.get(group) for group in _group_of_setting(table))
