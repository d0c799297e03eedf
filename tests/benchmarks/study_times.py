"""When each job of a study ran, as its store has it.

A store keeps of a trial when it began and ended (columns ``started``, ``ended``, ``wall_s``), of a
teacher how long it was trained (``train_s`` of its ``teacher.json``, whose time of last change is
its end), and of a bank when each of its files was written. Only a store whose files kept these
times can be read: where it was made, or a copy by ``cp -a`` or ``rsync -a``.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metakd.results.look_records import read_looks
from metakd.results.reader import read_steps, read_trials

COLUMNS = ("started", "ended", "wall_s", "student_compute_s", "host", "scale", "workers", "epochs")
COARSE_S = 0.05
"""Times of files lag behind the clock by a tick of the kernel's."""


class TimesError(Exception):
    """A store that does not say when its jobs ran, in one line."""


@dataclass(frozen=True)
class Job:
    """A trial or a teacher on one worker; times are seconds since 1970.

    Attributes:
        began: When it began.
        ended: When it ended.
        host: The machine; None where the store does not say.
        compute_s: Seconds of it in which a student computed.
        scale: Of the trial's setting.
        is_teacher: Whether it is no trial.
    """

    began: float
    ended: float
    host: str | None = None
    compute_s: float = 0.0
    scale: float = 0.0
    is_teacher: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


@dataclass(frozen=True)
class BankFile:
    """A file of a bank.

    Attributes:
        after: The job that wrote it began no earlier.
        written: When it was written.
    """

    after: float
    written: float


@dataclass(frozen=True)
class StudyTimes:
    """When the jobs of a study ran.

    Attributes:
        trials: Each trial's own part: epochs that it took over from another one are not in it.
        teachers: Each teacher's training.
        bank_files: What banks consist of.
        looks: When the last trial before each look had ended.
    """

    trials: tuple[Job, ...]
    teachers: tuple[Job, ...]
    bank_files: tuple[BankFile, ...]
    looks: tuple[float, ...]

    @property
    def began(self) -> float:
        """When the first job began: the first teacher, trial, or description of a bank."""
        jobs = [job.began for job in (*self.trials, *self.teachers)]
        return min([*jobs, *(file.after for file in self.bank_files)])

    @property
    def ended(self) -> float:
        """When the last trial ended."""
        return max(trial.ended for trial in self.trials)


def read_times(out: Path) -> StudyTimes:
    """Reads when the jobs of a study ran.

    Args:
        out: The study's folder.

    Raises:
        TimesError: If the store does not say.
        StoreError: If it cannot be read.
    """
    trials = _trials(out)
    teachers = {place.name: _teacher(place / "teacher.json") for place in _teachers(out)}
    banks = sorted(about.parent for about in out.glob("banks/*/about.json"))
    files = [file for bank in banks for file in _files(bank, teachers)]
    ends = sorted(trial.ended for trial in trials)
    looks = [ends[look.trials - 1] for look in read_looks(out) if 0 < look.trials <= len(ends)]
    written = [*(job.ended for job in teachers.values()), *(file.written for file in files)]
    if max(written, default=0.0) > ends[-1]:
        raise TimesError(f"{out} has files later than its last trial: it was copied without times")
    return StudyTimes(tuple(trials), tuple(teachers.values()), tuple(files), tuple(looks))


def _trials(out: Path) -> list[Job]:
    rows = read_trials(out, columns=COLUMNS).to_pylist()
    # Of those that failed the store does not say when they began.
    rows = [row for row in rows if row["started"] is not None and row["wall_s"] is not None]
    if not rows:
        raise TimesError(f"{out} has no finished trials")
    if any(row["workers"] != 1 for row in rows):
        raise TimesError(f"{out} has trials of several workers each, which are not divided here")
    return [_own_part(row, taken) for row, taken in zip(rows, _taken_over(out, rows), strict=True)]


def _own_part(row: Mapping[str, Any], taken_over: tuple[float, float]) -> Job:
    wall_s, compute_s = taken_over
    ended = row["ended"].timestamp()
    began = ended - (row["wall_s"] - wall_s)
    return Job(began, ended, row["host"], row["student_compute_s"] - compute_s, row["scale"])


def _taken_over(out: Path, rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Returns the seconds of each trial, whole and of compute, that others had spent before it.

    A trial that goes on from another one's state took over its beginning, and the times of its
    epochs. Where no trial ended at that very epoch, compute is divided by epochs.
    """
    families: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        families[row["started"]].append(row)
    related = [row["trial_id"] for rows_ in families.values() if len(rows_) > 1 for row in rows_]
    curves: dict[str, list[float]] = defaultdict(list)
    if related:
        for step in read_steps(out, related, ["elapsed_s"]).to_pylist():
            curves[step["trial_id"]].append(step["elapsed_s"])

    def taken(row: Mapping[str, Any]) -> tuple[float, float]:
        curve, shared, compute_s = curves[row["trial_id"]], 0, 0.0
        earlier = (it for it in families[row["started"]] if it["ended"] < row["ended"])
        for other in earlier:
            theirs = curves[other["trial_id"]]
            common = _common(curve, theirs)
            if common and len(theirs) == common >= shared:
                shared, compute_s = common, other["student_compute_s"]
            elif common > shared:
                shared, compute_s = common, row["student_compute_s"] * common / len(curve)
        return (curve[shared - 1] if shared else 0.0), compute_s

    return [taken(row) for row in rows]


def _common(one: Sequence[float], other: Sequence[float]) -> int:
    """Returns how many values two curves have in common from their beginning."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _teachers(out: Path) -> list[Path]:
    return sorted(report.parent for report in (out / "teachers").glob("*/teacher.json"))


def _teacher(report: Path) -> Job:
    ended = report.stat().st_mtime
    train_s = json.loads(report.read_text(encoding="utf-8"))["train_s"]
    return Job(ended - train_s, ended, is_teacher=True)


def _files(bank: Path, teachers: Mapping[str, Job]) -> list[BankFile]:
    described = (bank / "about.json").stat().st_mtime
    found = [BankFile(described, file.stat().st_mtime) for file in bank.glob("views/*.npy")]
    for file in bank.glob("outputs/*/*/*.npy"):
        teacher = teachers.get(file.parts[-3])
        after = described if teacher is None else max(described, teacher.ended)
        found.append(BankFile(after, file.stat().st_mtime))
    return found
