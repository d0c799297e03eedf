"""Writes the store: ``study.json``, and trials, finished or failed, as Parquet files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metakd.atomic import new_file
from metakd.results.files import Change, new_part, next_number
from metakd.results.schema import STEPS, TRIALS
from metakd.results.study import STUDY_FILE, StoreError, StudyRecord
from metakd.results.table_files import rows_as_table, write_table
from metakd.student_card import StudentCard


@dataclass(frozen=True)
class FinishedTrial:
    """What the store keeps of a finished trial.

    Attributes:
        row: One row of ``schema.TRIALS``.
        curve: Rows of ``schema.STEPS``.
        student: Of its student, whose weights lie in the study's folder; None where they do not.
    """

    row: pa.Table
    curve: pa.Table
    student: StudentCard | None = None

    @property
    def id(self) -> str:
        """Of the trial."""
        return str(self.row["trial_id"][0].as_py())

    @property
    def val_acc(self) -> NDArray[np.float32]:
        """Validation accuracy in [0, 1] after each epoch."""
        accuracies: NDArray[np.float32] = self.curve["val_acc"].to_numpy()
        return accuracies


def finished_trial(
    row: Mapping[str, object],
    steps: Sequence[Mapping[str, object]],
    student: StudentCard | None = None,
) -> FinishedTrial:
    """Returns a finished trial as the store keeps it.

    Args:
        row: Values by column of ``schema.TRIALS``; a column that is absent is null.
        steps: The curve, rows with columns of ``schema.STEPS``.
        student: Of its student, if its weights were written.

    Raises:
        StoreError: If a column is unknown, an id is missing, or a step is another trial's.
    """
    trial = FinishedTrial(
        rows_as_table("trials", [row], TRIALS), rows_as_table("steps", steps, STEPS), student
    )
    others = {str(step["trial_id"]) for step in steps} - {trial.id}
    if others:
        raise StoreError(f"the steps of trial {trial.id} name another trial: {min(others)}")
    return trial


def write_study(out: Path, record: StudyRecord) -> None:
    """Writes ``study.json``; an older one is replaced."""
    text = json.dumps(asdict(record), indent=2, sort_keys=True, ensure_ascii=False)
    with new_file(out / STUDY_FILE) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def write_trials(out: Path, trials: Sequence[FinishedTrial]) -> Change:
    """Commits finished trials, all or none: their curves first, then the rows that make them count.

    Several become a part of the store (see ``files``), so that a study of many short trials does
    not drown in files. Nothing else may write to the store meanwhile.

    Args:
        out: The study's folder.
        trials: One or more, none of them in the store.
    """
    if len(trials) == 1:
        name = f"{trials[0].id}.parquet"
    else:
        number = next_number(out)
        name = new_part(number, number).name
    trials = sorted(trials, key=lambda trial: trial.id)
    curves, rows = Path("steps", name), Path("trials", name)
    for path, tables in ((curves, [t.curve for t in trials]), (rows, [t.row for t in trials])):
        with new_file(out / path) as draft:
            write_table(pa.concat_tables(tables), draft)
    failed = [path for path in (_failure(trial.id) for trial in trials) if (out / path).exists()]
    for path in failed:
        (out / path).unlink()
    return Change((curves, rows), tuple(failed))


def write_failure(out: Path, row: Mapping[str, object]) -> None:
    """Records that a trial failed: beside the committed ones, and only until it is one of them.

    Args:
        out: The study's folder.
        row: As ``finished_trial`` takes it.

    Raises:
        StoreError: If a column is unknown, or an id is missing.
    """
    table = rows_as_table("trials", [row], TRIALS)
    with new_file(out / _failure(str(row["trial_id"]))) as draft:
        write_table(table, draft)


def _failure(trial_id: str) -> Path:
    return Path("failed", f"{trial_id}.parquet")
