"""What starting costs: of each command, of each process of a study, and around its trials.

``python tests/benchmarks/startup.py`` measures the commands and the default study, as long as that
takes; ``--commands-only`` takes half a minute. CPU seconds count, not the clock: of a command over
all its processes, the least of some rounds. A study's processes are looked at five times a second.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from one_line_parser import OneLineParser

ROOT = Path(__file__).parents[2]
STUDY = str(ROOT / "studies" / "grid_vs_meta.py")
LOOK_INTERVAL_S = 0.2
COMMANDS: dict[str, tuple[tuple[str, ...], float]] = {
    "grid_vs_meta.py --help": ((STUDY, "--help"), 1.0),
    "grid_vs_meta.py --nonsense": ((STUDY, "--nonsense"), 1.0),
    "grid_vs_meta.py --student timm:nothing": ((STUDY, "--student", "timm:nothing"), 1.0),
    "grid_vs_meta.py --dry-run": ((STUDY, "--dry-run"), 4.0),
    "python -m dashboards --help": (("-m", "dashboards", "--help"), 1.0),
}
"""Words after ``python``, and the goal in CPU seconds."""
OF_RAY = ("gcs_server", "raylet", "dashboard", "Dashboard", "monitor", "Agent", "forkserver")


@dataclass
class Process:
    """One process of a study.

    Attributes:
        name: What it is.
        peak_mib: Its largest resident memory.
        cpu: CPU seconds by the time of the look, of this process alone.
    """

    name: str = ""
    peak_mib: float = 0.0
    cpu: list[tuple[float, float]] = field(default_factory=list)

    def cpu_at(self, moment: float) -> float:
        """Returns the CPU seconds until a moment."""
        return max((seconds for then, seconds in self.cpu if then <= moment), default=0.0)


@dataclass(frozen=True)
class Watched:
    """A study that was run and looked at."""

    processes: list[Process]
    wall_s: float
    trials: list[dict[str, Any]]
    teacher: tuple[float, float]
    """When the teacher's training began and ended."""


def measure_command(words: Sequence[str], rounds: int) -> tuple[float, float]:
    """Returns the least CPU seconds and the largest memory in MiB of a command."""
    cpu, peak = [], []
    for _ in range(rounds):
        with TemporaryDirectory() as place:
            started = subprocess.Popen(
                [sys.executable, *words],
                cwd=place,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, _, usage = os.wait4(started.pid, 0)
            cpu.append(usage.ru_utime + usage.ru_stime)
            peak.append(usage.ru_maxrss / 1024)
    return min(cpu), max(peak)


def watch_study(words: Sequence[str], place: Path) -> Watched:
    """Runs the default study with further words in a folder, and looks at its processes."""
    # Ray brings it. A command's memory is measured first: this process's own would count as its.
    import psutil
    import ray  # noqa: F401

    from metakd.results.reader import read_trials

    clock = time.monotonic()
    study = subprocess.Popen(
        [sys.executable, STUDY, "--cluster", "local", "--out", "out", *words],
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
    )
    printed: list[str] = []
    assert study.stdout is not None
    reader = threading.Thread(target=lambda: printed.extend(study.stdout or ()))
    reader.start()
    found: dict[tuple[int, float], Process] = {}
    root = psutil.Process(study.pid)
    while study.poll() is None:
        _look(root, found)
        time.sleep(LOOK_INTERVAL_S)
    reader.join()
    if study.returncode:
        raise SystemExit("".join(["error: the study failed\n", *printed[-5:]]))
    (report,) = (place / "out" / "teachers").glob("*/teacher.json")
    ended = report.stat().st_mtime
    began = ended - json.loads(report.read_text())["train_s"]
    rows = read_trials(place / "out").to_pylist()
    return Watched(list(found.values()), time.monotonic() - clock, rows, (began, ended))


def _look(root: Any, found: dict[tuple[int, float], Process]) -> None:
    import psutil

    try:
        present = [root, *root.children(recursive=True)]
    except psutil.Error:
        return
    for each in present:
        try:
            with each.oneshot():
                cpu, memory = each.cpu_times(), each.memory_info().rss
                name, key = _name(each.cmdline()), (each.pid, each.create_time())
        except psutil.Error:
            continue
        process = found.setdefault(key, Process())
        process.name = name or process.name
        process.peak_mib = max(process.peak_mib, memory / 2**20)
        process.cpu.append((time.time(), cpu.user + cpu.system))


def _name(words: Sequence[str]) -> str:
    line = " ".join(words)
    if line.startswith("ray::"):
        return line.split()[0].removeprefix("ray::").partition(".")[0]
    known = [name for name in OF_RAY if name in line]
    return (
        known[0] if known else "driver" if STUDY in line else Path(words[0]).name if words else ""
    )


def study_rows(study: Watched, cores: int) -> Iterator[tuple[str, str, str]]:
    """Yields what was measured of a study, its value, and the goal."""
    first = min(row["started"].timestamp() for row in study.trials)
    spent: dict[str, float] = {}
    actors = [p for p in study.processes if p.name == "ImplicitFunc"]
    for process in study.processes:
        kind = "Ray" if any(n in process.name for n in OF_RAY) else process.name
        spent[kind] = spent.get(kind, 0.0) + process.cpu_at(first)
    # It runs in one of the actors, on one thread, and began before any trial.
    teaching = max((a.cpu_at(first) - a.cpu_at(study.teacher[0]) for a in actors), default=0.0)
    before = sum(spent.values()) - teaching
    yield "CPU before the first trial, teacher aside", f"{before:.1f} s", "≤ 25 s"
    for kind, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        yield f"  of it: {kind}", f"{seconds:.1f} s", ""
    helpers = [
        p for p in study.processes if p.name not in ("driver", "ImplicitFunc", "IDLE", "python")
    ]
    helpers = [p for p in helpers if not any(n in p.name for n in OF_RAY)]
    for p in helpers:
        yield f"helper process {p.name}", f"{p.cpu[-1][1]:.1f} s, {p.peak_mib:.0f} MiB", "none"
    if not helpers:
        yield "helper processes", "none", "none"
    yield "processes that train", f"{len(actors)}", f"{cores}"
    whole = [r for r in study.trials if r["scale"] == 1 and r["method"] == "ce"]
    overheads = sorted(row["wall_s"] - row["student_compute_s"] for row in whole)
    yield "overhead of a trial, median", f"{overheads[len(overheads) // 2]:.3f} s", "≤ 0.05 s"
    compute = sum(row["student_compute_s"] for row in study.trials)
    yield "student compute", f"{compute:.0f} s", ""
    yield "wall-clock", f"{study.wall_s:.0f} s", ""
    share = compute / (study.wall_s * cores)
    yield "student compute / (wall-clock × cores)", f"{share:.2f}", "≥ 0.80"


def main() -> None:
    """Prints the table."""
    parser = OneLineParser(description="measures what starting costs")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of each command, default %(default)s"
    )
    parser.add_argument("--commands-only", action="store_true", help="leave the study out")
    parser.add_argument("--seeds", type=int, default=6, help="of the study (%(default)s)")
    options = parser.parse_args()
    if min(options.rounds, options.seeds) < 1:
        parser.error("--rounds and --seeds must be at least 1")
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, Python {sys.version.split()[0]}\n")
    for name, (words, goal) in COMMANDS.items():
        cpu, peak = measure_command(words, options.rounds)
        print(f"{name:42} {cpu:5.2f} s CPU {peak:6.0f} MiB   goal ≤ {goal:g} s", flush=True)
    if options.commands_only:
        return
    with TemporaryDirectory() as place:
        study = watch_study(["--seeds", str(options.seeds)], Path(place))
    print()
    for what, value, goal in study_rows(study, cores):
        print(f"{what:42} {value:>16}   {goal and 'goal ' + goal}")


if __name__ == "__main__":
    main()
