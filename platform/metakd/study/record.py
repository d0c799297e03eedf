"""Writes down what a study is, before it runs."""

import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from metakd.results.reader import read_study
from metakd.results.searches import SEARCHES_FILE, write_searches
from metakd.results.study import STUDY_FILE, StudyRecord
from metakd.results.study import Setting as RecordedSetting
from metakd.results.writer import write_study
from metakd.study.board import Board
from metakd.study.cases import Setting
from metakd.study.plan import Plan
from metakd.train.commit import package_versions
from metakd.train.folder import StudyFolder


def record_study(plan: Plan, out: Path) -> None:
    """Writes ``study.json``; a study that is only continued keeps its own."""
    record = StudyRecord(
        study=plan.spec.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=plan.spec.as_json(),
        settings=tuple(_as_recorded(setting) for setting in plan.settings),
        seeds=tuple(range(plan.spec.seeds)),
        planned_trials=plan.trial_ids,
        versions=dict(package_versions()),
        git_commit=git_commit(),
        command=shlex.join(["python", *sys.argv]),
    )
    if (out / STUDY_FILE).exists() and _asks_the_same(read_study(out), record):
        return
    write_study(out, record)


def record_searches(board: Board, folder: StudyFolder) -> None:
    """Writes down what searches have run so far; a study without any has no such file."""
    rows = board.rows()
    if rows:
        write_searches(folder.out, rows)
        folder.hand_over(folder.out / SEARCHES_FILE)


def _asks_the_same(old: StudyRecord, new: StudyRecord) -> bool:
    return (old.spec, old.planned_trials) == (new.spec, new.planned_trials)


def _as_recorded(setting: Setting) -> RecordedSetting:
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
