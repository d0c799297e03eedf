"""What starting costs: of each command, and of each process of a study until its first trial.

``python tests/benchmarks/startup.py`` measures the commands, and a study of few and short trials on
the settings of the default one; ``--commands-only`` takes half a minute. CPU seconds count, not the
clock: of a command over all its processes, the least of some rounds. A study's processes are looked
at five times a second. What its trials take is ``study_efficiency.py``'s.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from one_line_parser import OneLineParser, add_json_option

from metakd.machine import usable_cpus

if TYPE_CHECKING:
    from measured import Row

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
SHORT = ("--strategies", "ce", "fixed", "--seeds", "1", "--epochs", "5", "--teacher-epochs", "2")
"""Words of a study whose start is that of the default one."""
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
    first_trial: float
    """When its first trial began."""
    teacher: float
    """When its teacher's training began."""


def measure_command(words: Sequence[str], rounds: int) -> tuple[list[float], float]:
    """Returns the CPU seconds of each round, and the largest memory in MiB, of a command.

    Until it runs, it counts this process's memory as its own: what is not needed to start it is
    imported afterwards.
    """
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
    return cpu, max(peak)


def watch_study(words: Sequence[str], place: Path) -> Watched:
    """Runs a study with these words in a folder, and looks at its processes."""
    # Ray brings it.
    import psutil
    import ray  # noqa: F401
    from study_times import read_times

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
    times = read_times(place / "out")
    first = min(trial.began for trial in times.trials)
    return Watched(list(found.values()), first, times.teachers[0].began)


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


def command_rows(name: str, cpu: Sequence[float], peak: float) -> "list[Row]":
    """Returns what was measured of a command."""
    from measured import Row, spread_of

    least = Row(name, min(cpu), "s CPU", spread=spread_of(cpu))
    return [least, Row(f"{name}, peak memory", peak, "MiB")]


def study_rows(study: Watched) -> "Iterator[tuple[Row, str]]":
    """Yields what was measured of a study's start, and the goal."""
    from measured import Row

    first, spent = study.first_trial, dict[str, float]()
    actors = [p for p in study.processes if p.name == "ImplicitFunc"]
    for process in study.processes:
        kind = "Ray" if any(n in process.name for n in OF_RAY) else process.name
        spent[kind] = spent.get(kind, 0.0) + process.cpu_at(first)
    # It runs in one of the actors, on one thread, and began before any trial.
    teaching = max((a.cpu_at(first) - a.cpu_at(study.teacher) for a in actors), default=0.0)
    before = sum(spent.values()) - teaching
    yield Row("CPU before the first trial, teacher aside", before, "s CPU"), "≤ 25 s"
    for kind, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        yield Row(f"  of it: {kind}", seconds, "s CPU"), ""
    known = ("driver", "ImplicitFunc", "IDLE", "python", *OF_RAY)
    helpers = [p for p in study.processes if not any(name in p.name for name in known)]
    yield Row("helper processes", len(helpers), "processes"), "none"
    for p in helpers:
        yield Row(f"  helper {p.name}", p.cpu[-1][1], "s CPU"), ""
    yield Row("processes that train", len(actors), "processes"), f"{usable_cpus()}"
    peaks = [p.peak_mib for p in actors]
    yield Row("memory of a process that trains", max(peaks, default=0.0), "MiB"), ""


def main() -> None:
    """Measures, prints the table and writes the numbers."""
    parser = OneLineParser(description="measures what starting costs")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of each command, default %(default)s"
    )
    parser.add_argument("--commands-only", action="store_true", help="leave the study out")
    add_json_option(parser)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    print(f"{usable_cpus()} cores, Python {sys.version.split()[0]}\n")
    commands = {}
    for name, (words, goal) in COMMANDS.items():
        commands[name] = cpu, peak = measure_command(words, options.rounds)
        print(f"{name:42} {min(cpu):5.2f} s CPU {peak:6.0f} MiB   goal ≤ {goal:g} s", flush=True)
    rows = [row for name, found in commands.items() for row in command_rows(name, *found)]
    if not options.commands_only:
        with TemporaryDirectory() as place:
            study = watch_study(SHORT, Path(place))
        print()
        for row, aim in study_rows(study):
            print(f"{row.what:42} {row.value:8.1f} {row.unit:10} {aim and 'goal ' + aim}")
            rows.append(row)
    if options.json is not None:
        from measured import write_result

        write_result(options.json, "startup", rows)


if __name__ == "__main__":
    main()
