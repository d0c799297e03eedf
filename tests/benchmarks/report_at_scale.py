"""How long a report takes from a large store: 10,000 trials of 1,000 epochs each, made up.

Run it with ``python tests/benchmarks/report_at_scale.py``; it needs 2 GB of disk and a few minutes,
most of them to commit the trials one by one, as a study does.

The study has 60 settings (5 scales, 4 augmentations, 3 teachers), 7 temperatures, learned ones and
runs without a teacher: 500 trials for each seed. Every stage is a process of its own, so that its
memory is its own, too; the last is the product's command as a user types it.
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import measured
import numpy as np
from made_up_trials import (
    AUGMENTATIONS,
    FIXED_TAU,
    SCALES,
    TEACHERS,
    TEMPERATURES,
    MadeUp,
    setting,
)
from one_line_parser import OneLineParser, add_json_option

from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.dashboards.report import write_report
from metakd.results.compaction import compact
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.study import StudyRecord
from metakd.results.writer import finished_trial, write_study, write_trials


@dataclass(frozen=True)
class Size:
    """How large a study is made."""

    scales: int
    seeds: int
    epochs: int

    @property
    def settings(self) -> tuple[tuple[int, int, int], ...]:
        """Scale, augmentation and teacher of each."""
        axes = (range(self.scales), range(len(AUGMENTATIONS)), range(len(TEACHERS)))
        return tuple(product(*axes))

    @property
    def trials(self) -> list[MadeUp]:
        """The whole study, seed by seed; the settings of all teachers share runs without one."""
        found = {}
        for seed, (scale, augmentation, teacher) in product(range(self.seeds), self.settings):
            found[MadeUp(scale, augmentation, None, None, seed)] = None
            for tau in (*TEMPERATURES, None):
                found[MadeUp(scale, augmentation, teacher, tau, seed)] = None
        return list(found)


def record_of(size: Size) -> StudyRecord:
    """Returns the study as it would have been planned."""
    return StudyRecord(
        study="report at scale",
        created="2026-01-01T00:00:00+00:00",
        spec={
            "temperatures": list(TEMPERATURES),
            "fixed_tau": FIXED_TAU,
            "strategies": ["ce", "fixed", "grid", "meta"],
            "margin_pp": 0.2,
            "scales": list(SCALES[: size.scales]),
            "augmentations": list(AUGMENTATIONS),
            "seeds": size.seeds,
        },
        settings=tuple(setting(*index) for index in size.settings),
        seeds=tuple(range(size.seeds)),
        planned_trials=tuple(trial.id for trial in size.trials),
        versions={"numpy": np.__version__},
        git_commit="made-up",
        command="python tests/benchmarks/report_at_scale.py",
    )


def commit(out: Path, trials: Sequence[MadeUp], epochs: int) -> None:
    """Commits trials as a study does."""
    for trial in trials:
        write_trials(out, [finished_trial(trial.row(epochs), list(trial.curve(epochs)))])


def write(out: Path, size: Size) -> None:
    """Writes the store, by as many processes as there are CPUs."""
    write_study(out, record_of(size))
    trials = size.trials
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting = [
            pool.submit(commit, out, trials[i::workers], size.epochs) for i in range(workers)
        ]
        for done in waiting:
            done.result()


def read_all(out: Path) -> None:
    """Reads all rows, and of all curves the column that the report needs most."""
    rows, curves = read_trials(out), read_steps(out, columns=["val_acc"])
    assert rows.num_rows == len(finished_trials(out))
    assert curves.num_rows == sum(rows["epochs"].to_pylist())


@dataclass(frozen=True)
class Stage:
    """What was measured of a stage."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


def measure(name: str, work: Callable[..., None], *given: object) -> Stage:
    """Runs a stage in a process of its own, without the time that its imports take."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        measured = pool.submit(_timed, work, *given).result()
    return _said(Stage(name, *measured))


def measure_command(*words: str) -> Stage:
    """Runs ``python`` with these words, everything counted."""
    clock = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return _said(Stage(f"python {' '.join(words[:2])} OUT", *_used(clock, used)))


def _timed(work: Callable[..., None], *given: object) -> tuple[float, float, float]:
    clock = time.perf_counter()
    imports = _cpu(resource.getrusage(resource.RUSAGE_SELF))
    work(*given)
    # Processes that it started count too; their memory is the largest one's.
    used, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds, cpu, peak = _used(clock, used)
    return seconds, cpu - imports + _cpu(children), max(peak, children.ru_maxrss / 1024)


def _used(clock: float, used: resource.struct_rusage) -> tuple[float, float, float]:
    return time.perf_counter() - clock, _cpu(used), used.ru_maxrss / 1024


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def _said(stage: Stage) -> Stage:
    print(
        f"{stage.name:<34} {stage.seconds:8.2f} s {stage.cpu_seconds:8.2f} s "
        f"{stage.peak_mib:8.0f} MiB",
        flush=True,
    )
    return stage


def _compact(out: Path) -> None:
    compact(out)


def _summarise(out: Path) -> None:
    write_summary(out, summarise(out))


def _render(out: Path) -> None:
    write_report(out, read_summary(out))


def run(out: Path, size: Size) -> dict[str, Any]:
    """Makes the store and measures every stage; returns what it prints."""
    trials = len(size.trials)
    title = f"{trials:,} trials of {size.epochs:,} epochs"
    print(f"{title:<34} {'time':>10} {'CPU':>10} {'peak':>12}")
    stages = [
        measure("commit the trials", write, out, size),
        measure("read, a file a trial", read_all, out),
        measure("compact", _compact, out),
        measure("read, compacted", read_all, out),
        measure("summarise", _summarise, out),
        measure("render", _render, out),
        measure_command("-m", "metakd.dashboards", str(out)),
    ]
    sizes = {name: (out / name).stat().st_size for name in ("summary.json", "report.html")}
    for name, count in sizes.items():
        print(f"{name:<34} {count / 1e6:9.2f} MB")
    return {
        "trials": trials,
        "epochs": size.epochs,
        "stages": [asdict(stage) for stage in stages],
        "bytes": sizes,
    }


def rows_of(found: dict[str, Any]) -> list[measured.Row]:
    """Returns what ``run`` found in the form of all benchmarks."""
    rows = []
    for stage in found["stages"]:
        rows.append(measured.Row(stage["name"], stage["seconds"], "s"))
        rows.append(measured.Row(f"{stage['name']}, CPU time", stage["cpu_seconds"], "s"))
        rows.append(measured.Row(f"{stage['name']}, peak memory", stage["peak_mib"], "MiB"))
    rows += [measured.Row(name, count / 1e6, "MB") for name, count in found["bytes"].items()]
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = OneLineParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scales", type=int, default=len(SCALES), help="of 1 to 5")
    parser.add_argument("--seeds", type=int, default=20, help="100 trials each, by scale")
    parser.add_argument("--epochs", type=int, default=1000, help="rows of each curve")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to keep the store")
    add_json_option(parser)
    given = parser.parse_args(argv)
    if not (1 <= given.scales <= len(SCALES) and min(given.seeds, given.epochs) >= 1):
        parser.error(f"--scales must be 1 to {len(SCALES)}, --seeds and --epochs at least 1")
    size = Size(given.scales, given.seeds, given.epochs)
    with tempfile.TemporaryDirectory() as folder:
        found = run(given.out or Path(folder), size)
    if given.json:
        measured.write_result(given.json, "report", rows_of(found), **found)


if __name__ == "__main__":
    main()
