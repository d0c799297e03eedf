"""What was planned and what there is."""

from collections.abc import Iterable

import numpy as np

from metakd.analysis.grid import Grid
from metakd.analysis.rows import DONE, STOPPED
from metakd.analysis.summary import Failure, Inventory
from metakd.analysis.table import Row, StudyTable
from metakd.results.study import StudyRecord

SHOWN_FAILURES = 50


def make_inventory(record: StudyRecord, table: StudyTable, grid: Grid | None) -> Inventory:
    """Counts the trials that were planned or asked for, those that finished or failed, searches."""
    finished = [row for row in table.rows if row["status"] in (DONE, STOPPED)]
    failed = [row for row in table.rows if row["status"] not in (DONE, STOPPED)]
    complete = [runs.complete for runs in (table.ce, table.fixed, table.meta) if runs is not None]
    complete += [] if grid is None else [grid.complete]
    complete += [arm.complete for arm in table.arms]
    pairs = np.logical_and.reduce(complete) if complete else np.zeros(table.shape, bool)
    failures = sorted((_failure(row) for row in failed), key=lambda failure: failure.name)
    return Inventory(
        planned=len({*record.planned_trials, *table.asked}),
        finished=len(finished),
        failed=len(failed),
        planned_pairs=len(table.settings) * len(table.seeds),
        complete_pairs=int(pairs.sum()),
        student_compute_s=_total(row["student_compute_s"] for row in table.rows),
        trial_wall_s=_total(row["wall_s"] for row in table.rows),
        failures=tuple(failures[:SHOWN_FAILURES]),
        searches=len(table.arms) * len(table.settings) * len(table.seeds),
        ended_searches=sum(int(arm.ended.sum()) for arm in table.arms),
        blocked_searches=sum(int(arm.blocked.sum()) for arm in table.arms),
    )


def _failure(row: Row) -> Failure:
    return Failure(row["name"] or row["trial_id"], row["error"] or "no error on record")


def _total(values: Iterable[float | None]) -> float:
    return sum((value or 0.0 for value in values), start=0.0)
