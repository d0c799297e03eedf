"""Writes the store: ``study.json``, a finished trial as two Parquet files, a failed one as one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from metakd.atomic import new_file
from metakd.results.schema import STEPS, TRIALS
from metakd.results.study import STUDY_FILE, StoreError, StudyRecord
from metakd.results.table_files import rows_as_table, write_table


def write_study(out: Path, record: StudyRecord) -> None:
    """Writes ``study.json``; an older one is replaced."""
    text = json.dumps(asdict(record), indent=2, sort_keys=True, ensure_ascii=False)
    with new_file(out / STUDY_FILE) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def write_trial(
    out: Path, row: Mapping[str, object], steps: Sequence[Mapping[str, object]]
) -> None:
    """Commits a finished trial: its curve first, then the row that makes it count.

    Args:
        out: The study's folder.
        row: Values by column of ``schema.TRIALS``; a column that is absent is null.
        steps: The curve, rows with columns of ``schema.STEPS``.

    Raises:
        StoreError: If a column is unknown, an id is missing, or a step is another trial's.
    """
    trial = rows_as_table("trials", [row], TRIALS)
    curve = rows_as_table("steps", steps, STEPS)
    trial_id = str(row["trial_id"])
    others = {str(step["trial_id"]) for step in steps} - {trial_id}
    if others:
        raise StoreError(f"the steps of trial {trial_id} name another trial: {min(others)}")
    with new_file(out / "steps" / f"{trial_id}.parquet") as draft:
        write_table(curve, draft)
    with new_file(out / "trials" / f"{trial_id}.parquet") as draft:
        write_table(trial, draft)
    (out / "failed" / f"{trial_id}.parquet").unlink(missing_ok=True)


def write_failure(out: Path, row: Mapping[str, object]) -> None:
    """Records that a trial failed: beside the committed ones, and only until it is one of them.

    Args:
        out: The study's folder.
        row: As ``write_trial`` takes it.

    Raises:
        StoreError: If a column is unknown, or an id is missing.
    """
    table = rows_as_table("trials", [row], TRIALS)
    with new_file(out / "failed" / f"{row['trial_id']}.parquet") as draft:
        write_table(table, draft)
