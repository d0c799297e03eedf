"""Writes down what a study is, before it runs."""

import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from metakd.results.reader import read_study
from metakd.results.searches import SEARCHES_FILE, write_searches
from metakd.results.study import STUDY_FILE, StudyRecord
from metakd.results.study import Setting as RecordedSetting
from metakd.results.writer import write_study
from metakd.study.cases import Setting
from metakd.study.plan import Plan
from metakd.study.scheduler import Scheduler
from metakd.train.commit import package_versions
from metakd.train.folder import StudyFolder

if TYPE_CHECKING:
    from metakd.analysis.schedule import DeclaredSchedule


def record_study(plan: Plan, out: Path, declared: "DeclaredSchedule | None" = None) -> None:
    """Writes ``study.json``; a study that is only continued keeps its own.

    Args:
        plan: The study with the seeds that it has so far.
        out: Its folder.
        declared: Its schedule; None keeps the one that is there.
    """
    old = read_study(out) if (out / STUDY_FILE).exists() else None
    schedule = None if old is None else old.schedule
    record = StudyRecord(
        study=plan.spec.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=plan.spec.as_json(),
        settings=tuple(as_recorded(setting) for setting in plan.settings),
        seeds=tuple(plan.spec.first_seed + number for number in range(max(plan.seed_counts))),
        planned_trials=plan.trial_ids,
        versions=dict(package_versions()),
        git_commit=git_commit(),
        command=_command(),
        seed_counts=plan.seed_counts,
        schedule=schedule if declared is None else declared.as_json(),
    )
    if old is not None and _is_same_study(old, record):
        return
    if old is not None and old.schedule is not None:
        record = replace(record, created=old.created)
    write_study(out, record)


def _command() -> str:
    """Returns what a person typed to start this process."""
    place = Path(sys.argv[0])
    if place.stem == "metakd":
        return shlex.join(["metakd", *sys.argv[1:]])
    if place.match("metakd/__main__.py"):
        return shlex.join(["python", "-m", "metakd", *sys.argv[1:]])
    return shlex.join(["python", *sys.argv])


def record_searches(scheduler: Scheduler, folder: StudyFolder) -> None:
    """Writes down what searches have run so far; a study without any has no such file."""
    rows = scheduler.rows()
    if rows:
        write_searches(folder.out, rows)
        folder.push(folder.out / SEARCHES_FILE)


def _is_same_study(old: StudyRecord, new: StudyRecord) -> bool:
    return (old.spec, old.planned_trials, old.schedule) == (
        new.spec,
        new.planned_trials,
        new.schedule,
    )


def as_recorded(setting: Setting) -> RecordedSetting:
    """Returns a setting as ``study.json`` keeps it."""
    return {
        "dataset": setting.data.dataset,
        "scale": setting.sampling.scale,
        "augmentation": setting.sampling.augmentation,
        "teacher": setting.teachers_name,
        "student": setting.student,
    }


def git_commit() -> str:
    """Returns the commit of the code that runs, "-dirty" if changed; "" outside a checkout."""
    here = Path(__file__).parent
    if "site-packages" in here.parts:
        return ""  # an environment may lie in a checkout of something else
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()
