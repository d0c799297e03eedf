"""The trained students that a study kept, and the trials that its strategies selected."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metakd.analysis.places import NO_RUN
from metakd.analysis.table import StudyTable, read_table
from metakd.analysis.teachers import members
from metakd.results.reader import read_study
from metakd.results.study import Setting
from metakd.student_card import (
    CARD,
    STUDENTS_FOLDER,
    WEIGHTS,
    StudentFileError,
    preference,
    read_card,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class KeptStudent:
    """Of the students that were kept in a setting, the one that validation prefers.

    Attributes:
        setting: The setting's short label.
        file: Its weights, relative to the results folder.
        name: Of its trial.
        val_pp: Validation accuracy at the last epoch, in points.
        test_pp: Test accuracy there.
    """

    setting: str
    file: str
    name: str
    val_pp: float
    test_pp: float


def kept_students(out: Path, settings: Mapping[str, Setting]) -> tuple[KeptStudent, ...]:
    """Returns the best student that was kept of each setting, none where none was.

    Args:
        out: The study's folder.
        settings: Of the study, by their short labels.
    """
    rows = []
    for card in sorted((out / STUDENTS_FOLDER).glob(f"*{CARD}")):
        with suppress(StudentFileError):
            rows.append(read_card(card).trial)
    found = []
    for label, setting in settings.items():
        here = [row for row in rows if is_of(row, setting)]
        if here:
            best = min(here, key=preference)
            found.append(
                KeptStudent(
                    setting=label,
                    file=f"{STUDENTS_FOLDER}/{best['trial_id']}{WEIGHTS}",
                    name=best["name"],
                    val_pp=100 * best["val_acc_last"],
                    test_pp=100 * best["test_acc_last"],
                )
            )
    return tuple(found)


def selected_trials(out: Path) -> frozenset[str]:
    """Returns the trial that validation chooses of each strategy's runs in each setting and seed.

    Raises:
        StoreError: If the folder holds no study, or a file in it is damaged.
    """
    table: StudyTable = read_table(out, read_study(out))
    chosen = (index for runs in table.strategy_runs for index in runs.best_row().flat)
    return frozenset(str(table.rows[index]["trial_id"]) for index in chosen if index != NO_RUN)


def is_of(row: Row, setting: Setting) -> bool:
    """Says whether a trial's student is one of a setting: a run without a teacher is of all."""
    factors = ("dataset", "scale", "augmentation", "student")
    if any(row[factor] != setting[factor] for factor in factors):  # type: ignore[literal-required]
        return False
    teacher = setting["teacher"]
    return row["teacher"] in (None, teacher, *members(teacher or ""))
