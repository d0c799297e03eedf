"""What a study is, as kept in ``study.json`` since before it ran, and the folder that holds it."""

import json
import os
import tempfile
from collections.abc import Collection
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

from metakd.atomic import DISK_IS_FULL
from metakd.endings import FAULT_FILE
from metakd.errors import UserError

SCHEMA_VERSION = 1
"""Of the store: raised when files that were written before cannot be read any more."""
STUDY_FILE = "study.json"
CONFIG_FILE = "study.yaml"
"""The options that a study was given."""
LOCK_FILE = ".lock"
SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
"""Of the object stores that results can go to."""

LONGEST_NAME = "x" * 200
"""As long as the path of a file below the results folder gets."""
# What a study may have left before it could write study.json, beside drafts and locks, whose names
# start with a dot: a dry run keeps decoded datasets.
OWN_NAMES = frozenset(
    {
        *("datasets", "teachers", "banks", "checkpoints", "students", "ray"),
        *("trials", "steps", "failed", FAULT_FILE),
    }
)


class StoreError(UserError):
    """A results folder that cannot be read or used."""


class Setting(TypedDict):
    """What strategies are compared under."""

    dataset: str
    scale: float
    augmentation: str
    teacher: str | None
    student: str


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was planned.

    Attributes:
        study: Name.
        created: ISO 8601 time of planning.
        spec: The question, free form. Analysis reads ``temperatures``, ``fixed_tau``,
            ``strategies``, ``margin_pp``, ``seed_streams`` ("shared" where absent) and
            ``question``: "grid_vs_meta" where absent, "teacher_gap", "augmentation_gap",
            "transfer", "multi_teacher" or "learning_to_teach".
        settings: The settings, in the order of the report.
        seeds: The seeds of a setting by their numbers in its stream (``results.seeds``).
        planned_trials: Ids of the whole runs that are known before anything runs. Trials that
            strategies choose later are in ``searches.parquet``; any others in the same folder do
            not count.
        versions: Installed versions by package.
        git_commit: Commit of the code, "" when unknown.
        command: The command line.
        seed_counts: How many of the seeds each setting has, in the order of the settings; empty
            where all have all of them.
        schedule: The looks that were declared before the first trial, as plain values; None where
            the study takes the one at its end.
        schema_version: Version of the store's schema.
    """

    study: str
    created: str
    spec: dict[str, Any]
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    planned_trials: tuple[str, ...]
    versions: dict[str, str]
    git_commit: str
    command: str
    seed_counts: tuple[int, ...] = ()
    schedule: dict[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION


def read_study(out: Path) -> StudyRecord:
    """Reads ``study.json``.

    Raises:
        StoreError: If it is absent, damaged, or of another schema version.
    """
    path = out / STUDY_FILE
    if not path.is_file():
        raise StoreError(f"{out} holds no study ({STUDY_FILE} is missing): is the path right?")
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = values["schema_version"]
        if version == SCHEMA_VERSION:
            known = (
                f.name for f in fields(StudyRecord) if f.name in values or f.default is MISSING
            )
            return StudyRecord(**{name: _frozen(values[name]) for name in known})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path} is damaged or not of this store: delete it and run the study again"
        ) from error
    raise StoreError(
        f"{path} has schema version {version}, this code reads {SCHEMA_VERSION}: "
        "use another --out, or the version of metakd that wrote it"
    )


def check_out(out: Path) -> None:
    """Checks that a folder can take a study's results; leaves nothing there.

    Raises:
        StoreError: If ``out`` is a file, cannot be written, holds something else, or holds results
            of another schema version.
        OSError: If the disk is full.
    """
    try:
        place = nearest_existing(out)
        # A path too long for the files below it is found out here.
        (out.absolute() / LONGEST_NAME).exists()
    except OSError as error:
        raise StoreError(f"{out} cannot be used: {error.strerror}: choose another --out") from error
    if not place.is_dir():
        raise StoreError(f"results need a folder, but {place} is a file: choose another --out")
    if not os.access(place, os.W_OK | os.X_OK):
        raise StoreError(f"{place} cannot be written: mend its permissions or choose another --out")
    try:
        # Some file systems have no room for folders.
        Path(tempfile.mkdtemp(prefix=".", dir=place)).rmdir()
    except OSError as error:
        if error.errno in DISK_IS_FULL:
            raise
        raise StoreError(
            f"no folder can be made in {place} ({error.strerror}): choose another --out"
        ) from error
    if not out.exists():
        return
    if (out / STUDY_FILE).exists():
        read_study(out)
        return
    check_own({entry.name for entry in out.iterdir()}, str(out))


def check_own(names: Collection[str], where: str) -> None:
    """Checks that a place without a study holds nothing else.

    Raises:
        StoreError: If it does.
    """
    foreign = sorted(name for name in set(names) - OWN_NAMES if name[0] != ".")
    if foreign:
        raise StoreError(
            f"{where} holds something else ({foreign[0]}) and no {STUDY_FILE}: "
            "choose an empty or new folder as --out"
        )


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON
    return tuple(value) if isinstance(value, list) else value


def nearest_existing(path: Path) -> Path:
    """Returns a path, or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
