"""Writes down what a study is, before it runs."""

import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from metakd.results.reader import read_study
from metakd.results.study import StudyRecord
from metakd.results.writer import write_study
from metakd.study.plan import Plan
from metakd.train.commit import package_versions


def record_study(plan: Plan, out: Path) -> None:
    """Writes ``study.json``; a study that is only continued keeps its own."""
    record = StudyRecord(
        study=plan.spec.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=plan.spec.as_json(),
        settings=tuple(
            {
                "dataset": plan.data.dataset,
                "scale": scale,
                "augmentation": augmentation,
                "teacher": plan.teacher_model,
                "student": plan.student,
            }
            for scale, augmentation in plan.settings
        ),
        seeds=tuple(range(plan.spec.seeds)),
        planned_trials=plan.trial_ids,
        versions=package_versions(),
        git_commit=git_commit(),
        command=shlex.join(["python", *sys.argv]),
    )
    if (out / "study.json").exists() and read_study(out).planned_trials == record.planned_trials:
        return
    write_study(out, record)


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
