"""A study of thousands of trials on Ray, in which every student's training is a recorded curve.

``python tests/benchmarks/simulate.py --trials 10000 --workers 128`` runs it to its end and report:
the plan, Ray's cluster and actors, Tune, the scheduler, the store and the report are a study's own;
an actor replays one real student's curve, with an accuracy of its own, instead of training. It
shows what orchestration costs for each trial, and whether anything grows worse than linearly.

- ``--seconds`` lets each trial last so long; 0 keeps the driver as busy as it can be, which gives
  the most trials a second that it can start and commit, and so how many workers it keeps busy.
- ``--failures`` is the share of attempts that fail: half of them raise, half kill their process. A
  trial that fails twice is recorded as failed; the study is then run again, which completes it.

A worker is a process of Tune's; without PyTorch it has 115 MiB of its own, so that 24 GiB hold
about 150. The teacher is stored before, untrained; nothing is banked.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from measured import Row, repeated, write_result
from one_line_parser import OneLineParser

MIB = 2**20
LOOK_INTERVAL_S = 1.0
THOUSAND = 1000
NAMES_OF_RAY = {"gcs_server": "Ray's head (gcs_server)", "raylet": "Ray's raylet"}
DASHBOARD = "Ray's dashboard"


def replay(
    words: Mapping[str, str],
    row: Mapping[str, Any],
    curve: list[dict[str, Any]],
    seconds: float,
    failures: float,
) -> None:
    """Runs in an actor in place of a training: reports a recorded curve as a trial's result.

    Args:
        words: The trial's columns that follow from its content, as JSON.
        row: The recorded trial's other columns.
        curve: Its curve.
        seconds: How long it lasts.
        failures: The share of attempts that fail.
    """
    import os
    import random

    from ray import tune

    from metakd.results.writer import finished_trial

    # The recorded student is near 1, and noise has to leave room.
    lower = 0.2
    content = json.loads(words["content"])
    drawn = random.Random(words["attempt"])
    if drawn.random() < failures:
        if drawn.random() < 0.5:
            os._exit(1)
        raise RuntimeError("made up")
    time.sleep(seconds)
    own_draws = random.Random(content["trial_id"])
    noise = own_draws.gauss(0.0, 0.01)
    ahead = 0.01 if content["method"] == "mkd" else 0.0
    accuracies = [name for name in row if "_acc_" in name]
    own = {name: row[name] - lower + noise + ahead for name in accuracies}
    # Alike to the last digit they would take no room.
    steps = [
        {
            **{
                name: value * own_draws.uniform(0.99, 1.01) if isinstance(value, float) else value
                for name, value in step.items()
            },
            "trial_id": content["trial_id"],
        }
        for step in curve
    ]
    result = finished_trial({**row, **own, **content}, steps)
    # Tune prints a line for each trial that has shown no number.
    tune.report({"epoch": len(steps) - 1, "result": result})


class Contents:
    """Returns what an actor is given of a job, and counts the attempts."""

    def __init__(self) -> None:
        self._attempts = 0

    def __call__(self, job: Any) -> dict[str, str]:
        from metakd.train.commit import content_columns

        self._attempts += 1
        columns = {**content_columns(job.trial), "status": "done"}
        if job.trial.stop_after is not None:
            columns["status"] = "stopped"
        return {"content": json.dumps(columns), "attempt": str(self._attempts)}


@dataclass
class Sampled:
    """What was seen of a study while it ran.

    Attributes:
        committed: Trials in the store, at each moment, in seconds.
        memory: The largest resident memory of each part, in MiB.
        driver: The driver's memory in MiB when so many trials were committed.
        workers: The most processes of Tune's at once.
        longest_commit_s: Of all commits.
    """

    committed: list[tuple[float, int]] = field(default_factory=lambda: [(time.monotonic(), 0)])
    memory: dict[str, float] = field(default_factory=dict)
    driver: list[tuple[int, float]] = field(default_factory=list)
    workers: int = 0
    longest_commit_s: float = 0.0


@contextmanager
def sampled() -> Iterator[Sampled]:
    """Looks at this process and Ray's every second."""
    import psutil

    found, here = Sampled(), psutil.Process()

    def look() -> None:
        own = here.memory_info().rss / MIB
        found.memory["driver"] = max(found.memory.get("driver", 0.0), own)
        found.driver.append((found.committed[-1][1], own))
        workers, parts = 0, {}
        for each in here.children(recursive=True):
            try:
                line, size = each.cmdline(), each.memory_info().rss / MIB
            except psutil.Error:
                continue
            name = Path(line[0]).name if line else ""
            workers += name.startswith("ray::ImplicitFunc")
            part = NAMES_OF_RAY.get(name, DASHBOARD if "dashboard" in " ".join(line) else "")
            parts[part] = parts.get(part, 0.0) + size
        found.workers = max(found.workers, workers)
        for part, size in parts.items():
            if part:
                found.memory[part] = max(found.memory.get(part, 0.0), size)

    with repeated(look, LOOK_INTERVAL_S):
        yield found


def record(place: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Trains one student, and returns its row, without what follows from its content, and curve."""
    import torch

    from metakd.data.datasets import open_dataset
    from metakd.study.options import BankPolicy
    from metakd.study.plan import make_plan
    from metakd.study.spec import StudySpec
    from metakd.train.commit import content_columns, result_of
    from metakd.train.folder import StudyFolder
    from metakd.train.student import run_trial

    torch.set_num_threads(1)
    folder = StudyFolder(place)
    digits = open_dataset("digits", folder.datasets)
    spec = StudySpec("s", strategies=("ce",), scales=(1.0,), augmentations=("none",), seeds=1)
    (job,) = make_plan(spec, [digits], BankPolicy("live")).jobs
    result = result_of(job.trial, run_trial(job.trial, folder, None), "")
    (row,) = result.row.to_pylist()
    kept = {name: value for name, value in row.items() if name not in content_columns(job.trial)}
    return {k: v for k, v in kept.items() if v is not None}, result.curve.to_pylist()


def store_teachers(out: Path, words: list[str]) -> int:
    """Stores a study's teachers untrained, and returns how many trials it plans."""
    from metakd.data.datasets import open_dataset
    from metakd.study.command_line import parse
    from metakd.study.plan import make_plan
    from metakd.study.spec import StudySpec
    from metakd.train.folder import StudyFolder
    from metakd.train.teacher import TeacherReport, new_teacher, store_teacher

    spec, options = parse(StudySpec("simulated"), words)
    folder = StudyFolder(out.absolute())
    datasets = [open_dataset(name, folder.datasets, options.data) for name in spec.datasets]
    plan = make_plan(spec, datasets, options.banks)
    for teacher in plan.teachers:
        store_teacher(teacher, folder, new_teacher(teacher, folder), TeacherReport(0.9, 0.9, 1.0))
    return len(plan.trial_ids)


def simulate(
    out: Path, words: list[str], trainable: Any, workers: int, seen: Sampled
) -> tuple[int, float]:
    """Runs the study's command, and returns its exit code and the moment of the last commit."""
    from metakd.dashboards import print_verdict, write_report
    from metakd.study import commits, local_cluster, main, run
    from metakd.study.spec import StudySpec

    own_commit = commits.commit
    before = seen.committed[-1][1]

    def counted(results: Any, folder: Any) -> None:
        began = time.monotonic()
        own_commit(results, folder)
        ended = time.monotonic()
        seen.committed.append((ended, seen.committed[-1][1] + len(results)))
        seen.longest_commit_s = max(seen.longest_commit_s, ended - began)

    with (
        patch.object(commits, "commit", counted),
        patch.object(local_cluster, "usable_cpus", lambda: workers),
        patch.object(run, "run_jobs", partial(run.run_jobs, trainable=trainable)),
    ):
        code = main.main(StudySpec("simulated"), write_report, print_verdict, words)
    assert seen.committed[-1][1] > before
    return code, time.monotonic() - seen.committed[-1][0]


def rows_of(seen: Sampled, trials: int, cpu_s: float, after_s: float, out: Path) -> list[Row]:
    """Returns what a simulation measured."""
    began = next(moment for moment, count in seen.committed if count)
    ended = seen.committed[-1][0]
    per_trial = 1000 * (ended - began) / max(1, trials)
    found = [
        Row("orchestration, on the clock, of a trial", per_trial, "ms"),
        Row("the driver's CPU, of a trial, plan and report included", 1000 * cpu_s / trials, "ms"),
        Row("workers at once", seen.workers, "processes"),
        Row("the longest commit", seen.longest_commit_s, "s"),
        Row("from the last commit to the report and the end", after_s, "s"),
    ]
    rates = list(_by_thousand(seen.committed))
    for number, seconds in rates:
        ratio = seconds / rates[0][1]
        found.append(Row(f"trials {number - THOUSAND:,} to {number:,}", seconds, "s", ratio))
    found += [Row(f"memory of {name}", size, "MiB") for name, size in sorted(seen.memory.items())]
    ended_with = seen.committed[-1][1]
    growth = [size for count, size in seen.driver if THOUSAND < count < ended_with]
    if growth:
        found.append(
            Row("the driver's growth after the first thousand", growth[-1] - growth[0], "MiB")
        )
    tables = [file for name in ("trials", "steps") for file in (out / name).rglob("*")]
    files = [file for file in tables if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    found.append(Row("the store, of a trial", size / trials / 1024, "KiB"))
    found.append(Row("the store's files", len(files), "files"))
    found.append(Row("the report", (out / "report.html").stat().st_size / MIB, "MiB"))
    return found


def _by_thousand(committed: list[tuple[float, int]]) -> Iterator[tuple[int, float]]:
    """Yields how long each thousand of trials took, by the commits that completed them."""
    last, wanted = next(moment for moment, count in committed if count), THOUSAND
    for moment, count in committed:
        if count >= wanted:
            yield wanted, moment - last
            last, wanted = moment, wanted + THOUSAND


def main() -> None:
    """Prints the table."""
    parser = OneLineParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--trials", type=int, default=10_000, help="about so many (%(default)s)")
    add("--workers", type=int, default=128, help="trials at once (%(default)s)")
    add("--seconds", type=float, default=0.0, help="of each trial (%(default)s)")
    add("--failures", type=float, default=0.0, help="share of attempts that fail (%(default)s)")
    add("--out", type=Path, help="keep the results folder here")
    add("--json", type=Path, metavar="FILE", help="write the numbers here")
    options = parser.parse_args()
    if options.trials < 72 or options.workers < 1 or options.seconds < 0:
        parser.error("--trials must be at least 72, --workers 1 and --seconds 0")
    if not 0 <= options.failures < 0.5:
        parser.error("--failures must be at least 0 and below 0.5")
    with TemporaryDirectory() as place:
        rows = run(options, Path(place))
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:8.2f}"
        print(f"{row.what:56} {row.value:10.1f} {row.unit:10}{ratio}")
    if options.json:
        write_result(options.json, "simulate", rows)


def run(options: argparse.Namespace, place: Path) -> list[Row]:
    """Runs the study, a second time where trials failed, and returns what was measured."""
    from metakd.results.reader import finished_trials
    from metakd.study.tuning import Trainable

    out = (options.out or place / "out").absolute()
    # Nine settings with eight runs in each seed.
    words = ["--seeds", str(max(1, round(options.trials / 72))), "--bank", "live"]
    words += ["--out", str(out), "--cluster", "local", "--keep-students", "none"]
    row, curve = record(place / "recorded")
    trials = store_teachers(out, words)
    contents = Contents()
    with sampled() as seen:
        began = time.process_time()
        for failures in (options.failures, 0.0):
            given = partial(
                replay, row=row, curve=curve, seconds=options.seconds, failures=failures
            )
            trainable = Trainable(given, contents)
            code, after_s = simulate(out, words, trainable, options.workers, seen)
            if not code:
                break
            lacking = trials - len(finished_trials(out))
            print(f"{lacking} of {trials} trials failed twice; the same command completes them")
        cpu_s = time.process_time() - began
    finished = len(finished_trials(out))
    if finished != trials:
        raise SystemExit(f"error: {finished} of {trials} trials are in the store")
    return rows_of(seen, trials, cpu_s, after_s, out)


if __name__ == "__main__":
    sys.exit(main())
