"""What was planned and what there is."""

from collections.abc import Iterable

import numpy as np

from metakd.analysis.rows import DONE, STOPPED, Row
from metakd.analysis.summary import Failure, Inventory
from metakd.analysis.table import StudyTable

SHOWN_FAILURES = 50


def make_inventory(table: StudyTable) -> Inventory:
    """Counts the trials of strategies, those that finished or failed, and the strategies' runs."""
    finished = [row for row in table.rows if row["status"] in (DONE, STOPPED)]
    failed = [row for row in table.rows if row["status"] not in (DONE, STOPPED)]
    complete = [runs.complete for runs in table.strategy_runs]
    pairs = np.logical_and.reduce(complete) if complete else np.zeros(table.shape, bool)
    failures = sorted((_failure(row) for row in failed), key=lambda failure: failure.name)
    planned = len(table.listed)
    planned_pairs, complete_pairs = int(table.planned_pairs.sum()), int(pairs.sum())
    searches = len(table.strategy_runs) * planned_pairs
    ended, blocked = (
        sum(int(getattr(runs, state).sum()) for runs in table.strategy_runs)
        for state in ("ended", "blocked")
    )
    return Inventory(
        planned=planned,
        finished=len(finished),
        failed=len(failed),
        not_run=planned - len(finished) - len(failed),
        planned_pairs=planned_pairs,
        complete_pairs=complete_pairs,
        missing_pairs=planned_pairs - complete_pairs,
        student_compute_s=_total(row["student_compute_s"] for row in table.rows),
        trial_wall_s=_total(row["wall_s"] for row in table.rows),
        failures=tuple(failures[:SHOWN_FAILURES]),
        searches=searches,
        ended_searches=ended,
        blocked_searches=blocked,
        is_open=len(finished) + len(failed) < planned or ended + blocked < searches,
    )


def _failure(row: Row) -> Failure:
    return Failure(str(row["name"] or row["trial_id"]), row["error"] or "no error on record")


def _total(values: Iterable[float | None]) -> float:
    return sum((value or 0.0 for value in values), start=0.0)
