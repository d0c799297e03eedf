"""What strategies ran in each setting and seed, in order: ``searches.parquet``.

Each row is a segment: a run, or epochs of one. The file follows from the trials in the store, so
that a lost one is written again. Stores of before 2026-12 have the segments of ``ce``, ``fixed``,
``grid`` and ``meta`` not in it, but as planned trials in ``study.json``: ``planned_segments``.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from metakd.atomic import new_file
from metakd.results.schema import SEARCHES
from metakd.results.study import StudyRecord
from metakd.results.table_files import load_table, rows_as_table, write_table

SEARCHES_FILE = "searches.parquet"
SETTING = ("dataset", "scale", "augmentation", "teacher", "student")


def write_searches(out: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Writes what strategies have run so far; an older file is replaced.

    Args:
        out: The study's folder.
        rows: Values by column of ``schema.SEARCHES``.

    Raises:
        StoreError: If a column is unknown, or a value that every row needs is missing.
    """
    table = rows_as_table("searches", rows, SEARCHES)
    with new_file(out / SEARCHES_FILE) as draft:
        write_table(table, draft)


def read_searches(out: Path) -> pa.Table:
    """Reads what strategies have run so far, with the columns of ``schema.SEARCHES``.

    A study that has not begun has no such file: no rows.

    Raises:
        StoreError: If the file is torn or is not of this store.
    """
    path = out / SEARCHES_FILE
    return load_table([path] if path.exists() else [], SEARCHES)


def planned_segments(
    record: StudyRecord, rows: Sequence[Mapping[str, Any]], known: Collection[str]
) -> list[dict[str, object]]:
    """Returns the segments that an older store has only as planned trials.

    Args:
        record: The study.
        rows: Its trials.
        known: Strategies whose segments stand in ``searches.parquet``.

    Returns:
        Values by column of ``schema.SEARCHES``.
    """
    planned = set(record.planned_trials)
    there = [row for row in rows if row["trial_id"] in planned]
    longest = max((row["epochs"] or 0 for row in there), default=0) or 1
    taus = tuple(sorted(float(tau) for tau in record.spec["temperatures"]))
    runs_of = {"ce": 1, "fixed": 1, "grid": len(taus), "meta": 1}
    found = []
    for strategy in set(runs_of).intersection(record.spec["strategies"]).difference(known):
        placed = [(row, at) for row in there for at in _positions(strategy, row, record, taus)]
        counts = Counter(_setting_and_seed(row) for row, _ in placed)
        for row, position in placed:
            is_done = row["status"] == "done"
            found.append(
                {name: row[name] for name in (*SETTING, "seed", "trial_id")}
                | {
                    "strategy": strategy,
                    "position": position,
                    "from_epoch": 0,
                    "until_epoch": (row["epochs"] if is_done else 0) or longest,
                    "is_complete": counts[_setting_and_seed(row)] >= runs_of[strategy],
                }
            )
    return found


def _positions(
    strategy: str, row: Mapping[str, Any], record: StudyRecord, taus: tuple[float, ...]
) -> Iterator[int]:
    """Yields where a planned trial stands among the segments of one of the four."""
    tau = row["tau_s_init"] if row["tau_s_init"] == row["tau_t_init"] else None
    if strategy == "grid":
        if row["method"] == "kd" and tau in taus:
            yield taus.index(tau)
    elif strategy == "fixed":
        if row["method"] == "kd" and tau == float(record.spec["fixed_tau"]):
            yield 0
    elif row["method"] == {"ce": "ce", "meta": "mkd"}[strategy]:
        yield 0


def _setting_and_seed(row: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(row[name] for name in (*SETTING, "seed"))
