"""What was planned and what there is."""

from collections.abc import Iterable

import numpy as np

from metakd.analysis.grid import Grid
from metakd.analysis.summary import Failure, Inventory
from metakd.analysis.table import DONE, Row, StudyTable
from metakd.results.study import StudyRecord

SHOWN_FAILURES = 50


def make_inventory(record: StudyRecord, table: StudyTable, grid: Grid | None) -> Inventory:
    """Counts the planned trials, those that finished, and those that failed."""
    finished = [row for row in table.rows if row["status"] == DONE]
    failed = [row for row in table.rows if row["status"] != DONE]
    complete = [runs.complete for runs in (table.ce, table.fixed, table.meta) if runs is not None]
    complete += [] if grid is None else [grid.complete]
    pairs = np.logical_and.reduce(complete) if complete else np.zeros(table.shape, bool)
    failures = sorted((_failure(row) for row in failed), key=lambda failure: failure.name)
    return Inventory(
        planned=len(set(record.planned_trials)),
        finished=len(finished),
        failed=len(failed),
        planned_pairs=len(table.settings) * len(table.seeds),
        complete_pairs=int(pairs.sum()),
        student_compute_s=_total(row["student_compute_s"] for row in table.rows),
        trial_wall_s=_total(row["wall_s"] for row in table.rows),
        failures=tuple(failures[:SHOWN_FAILURES]),
    )


def _failure(row: Row) -> Failure:
    return Failure(row["name"] or row["trial_id"], row["error"] or "no error on record")


def _total(values: Iterable[float | None]) -> float:
    return sum((value or 0.0 for value in values), start=0.0)
