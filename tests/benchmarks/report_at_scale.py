"""How long a report takes from a large store: 10,000 trials of 1,000 epochs each, made up.

Run it with ``python tests/benchmarks/report_at_scale.py``; it needs 2 GB of disk and a few minutes,
most of them to commit the trials one by one, as a study does.

The study has 60 settings (5 scales, 4 augmentations, 3 teachers), 7 temperatures, learned ones and
runs without a teacher: 500 trials for each seed. Every stage is a process of its own, so that its
memory is its own, too; the last is the product's command as a user types it.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.dashboards.report import write_report
from metakd.results.compaction import compact
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.study import StudyRecord
from metakd.results.writer import finished_trial, write_study, write_trials

SCALES = (0.05, 0.1, 0.25, 0.5, 1.0)
AUGMENTATIONS = ("none", "standard", "strong", "mixup+cutmix")
TEACHERS = ("cifar_resnet20", "cifar_resnet56", "cifar_resnet32x4")
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
FIXED_TAU = 4.0
STEPS_OF_AN_EPOCH = 50
TRAIN, VALIDATION, TEST = 45_000, 5_000, 10_000

Row = dict[str, Any]


@dataclass(frozen=True)
class MadeUp:
    """A trial that nobody ran."""

    scale: int
    augmentation: int
    teacher: int | None
    tau: float | None
    seed: int

    @property
    def id(self) -> str:
        """16 hexadecimal digits of its content's hash, as the product's own."""
        return sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def method(self) -> str:
        """As the store names it."""
        if self.teacher is None:
            return "ce"
        return "mkd" if self.tau is None else "kd"

    def random(self) -> np.random.Generator:
        """Returns draws that depend on the content alone."""
        return np.random.default_rng(int(self.id, 16))

    def accuracy(self) -> float:
        """Returns what it reaches: a hump over log τ whose top moves with the setting."""
        top = np.log2((2.0, 3.0, 4.0, 8.0, 8.0)[self.scale]) + 0.3 * self.augmentation
        height = 0.6 + 0.07 * self.scale + 0.01 * self.augmentation
        if self.teacher is None:
            return height - 0.03
        height += 0.005 * self.teacher
        return height if self.tau is None else height - 0.003 * (np.log2(self.tau) - top) ** 2

    def row(self, epochs: int) -> Row:
        """Returns its row."""
        val_acc, test_acc = self.accuracy() + self.random().normal(0, 0.004, 2)
        steps = epochs * STEPS_OF_AN_EPOCH
        cost = 1.1 if self.method == "mkd" else 1.0
        seconds = 0.02 * steps * cost
        now = datetime(2026, 1, 1, tzinfo=UTC)
        return {
            "trial_id": self.id,
            "pair_id": f"{self.scale}-{self.augmentation}-{self.teacher}-{self.seed}",
            "name": f"made-up-{self.method}-{self.id}",
            "status": "done",
            **setting(self.scale, self.augmentation, 0),
            "teacher": None if self.teacher is None else TEACHERS[self.teacher],
            "seed": self.seed,
            "method": self.method,
            **dict.fromkeys(("tau_s_init", "tau_t_init"), self.tau or FIXED_TAU),
            **dict.fromkeys(("tau_s_last", "tau_t_last"), self.tau or 5.0),
            "alpha": 0.9,
            **dict.fromkeys(("val_acc_last", "val_acc_selected"), val_acc),
            **dict.fromkeys(("test_acc_last", "test_acc_selected"), test_acc),
            "selected_epoch": epochs - 1,
            "train_samples": round(TRAIN * SCALES[self.scale]),
            "validation_samples": VALIDATION,
            "test_samples": TEST,
            "epochs": epochs,
            "steps": steps,
            "meta_steps": steps // 8 if self.method == "mkd" else 0,
            "step_equivalents": steps * cost,
            "student_compute_s": seconds,
            "wall_s": 1.05 * seconds,
            "started": now,
            "ended": now,
            "host": "made-up",
            "device": "made up",
            "precision": "float32",
            "workers": 1,
            "config_json": json.dumps(asdict(self)) + " " * 900,
            "versions_json": "{}",
            "git_commit": "made-up",
        }

    def curve(self, epochs: int) -> Iterator[Row]:
        """Yields its curve, a row an epoch."""
        random = self.random()
        done = np.arange(1, epochs + 1) / epochs
        rise = 1 - np.exp(-6 * done)
        noise = random.normal(0, 0.004, (4, epochs))
        columns: dict[str, np.ndarray] = {
            "step": STEPS_OF_AN_EPOCH * np.arange(1, epochs + 1),
            "epoch": np.arange(epochs),
            "train_loss": 2.3 - 2 * rise + noise[0],
            "ce_loss": 2.3 - 1.9 * rise + noise[1],
            "val_acc": np.round(VALIDATION * (self.accuracy() * rise + noise[2])) / VALIDATION,
            "val_loss": 2.3 - 1.6 * rise + noise[3],
            "lr": 0.05 * (1 + np.cos(np.pi * done)),
            "elapsed_s": np.cumsum(1 + random.random(epochs)),
        }
        if self.method == "mkd":
            columns["meta_loss"] = columns["val_loss"] + random.normal(0, 0.01, epochs)
            for side, end in (("s", 5.0), ("t", 3.0)):
                path = FIXED_TAU + (end - FIXED_TAU) * rise + random.normal(0, 0.02, epochs)
                columns[f"tau_{side}"] = path
                columns[f"meta_grad_tau_{side}"] = random.normal(0, 0.1, epochs)
        elif self.method == "kd":
            columns["kd_loss"] = 1.5 - rise + random.normal(0, 0.004, epochs)
            columns |= dict.fromkeys(("tau_s", "tau_t"), np.full(epochs, self.tau))
        values = [column.tolist() for column in columns.values()]
        names, trial_id = tuple(columns), self.id
        for row in zip(*values, strict=True):
            yield {"trial_id": trial_id, **dict(zip(names, row, strict=True))}


def setting(scale: int, augmentation: int, teacher: int) -> Any:
    """Returns a setting as ``study.json`` and the trials have it."""
    return {
        "dataset": "made up",
        "scale": SCALES[scale],
        "augmentation": AUGMENTATIONS[augmentation],
        "teacher": TEACHERS[teacher],
        "student": "cifar_resnet8x4",
    }


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


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scales", type=int, default=len(SCALES), help="of 1 to 5")
    parser.add_argument("--seeds", type=int, default=20, help="100 trials each, by scale")
    parser.add_argument("--epochs", type=int, default=1000, help="rows of each curve")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to keep the store")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the numbers")
    given = parser.parse_args(argv)
    size = Size(given.scales, given.seeds, given.epochs)
    with tempfile.TemporaryDirectory() as folder:
        found = run(given.out or Path(folder), size)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
