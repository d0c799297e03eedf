"""The one JSON form that all benchmarks write, with what their numbers depend on besides the code.

``{"part": ..., "environment": {...}, "rows": [{"what", "value", "unit", "ratio"?, "spread"?}]}``,
and beside these keys whatever else a benchmark keeps, such as the seconds of every round.
"""

import json
import os
import platform
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CPUINFO = Path("/proc/cpuinfo")
PACKAGES = (
    *("torch", "torchvision", "timm", "ray", "numpy", "scipy", "pandas", "pyarrow"),
    *("scikit-learn", "optuna", "plotly", "higher", "torchopt"),
)
GIB = 2**30

# As a benchmark begins: its own load is not to be among what the machine did beside it.
_STARTED = datetime.now(UTC)
_LOAD_AT_START = tuple(round(load, 2) for load in os.getloadavg())


@dataclass(frozen=True)
class Row:
    """One number that was measured.

    Attributes:
        what: What it is of, unique within a result.
        value: The number: a median where there were several rounds.
        unit: Its unit.
        ratio: To the row that the others are compared with, of the same rounds.
        spread: (greatest − least) / median over the rounds: of the ratio where there is one, else
            of the value.
    """

    what: str
    value: float
    unit: str
    ratio: float | None = None
    spread: float | None = None

    @staticmethod
    def of(
        what: str, values: Sequence[float], unit: str, ratios: Sequence[float] | None = None
    ) -> "Row":
        """Returns the medians of several rounds, with their spread.

        Args:
            what: What was measured.
            values: Of each round.
            unit: Their unit.
            ratios: To the compared row, of each round.
        """
        spread = spread_of(values if ratios is None else ratios)
        ratio = None if ratios is None else statistics.median(ratios)
        return Row(what, statistics.median(values), unit, ratio, spread)


def spread_of(values: Sequence[float]) -> float:
    """Returns (greatest − least) / median."""
    return (max(values) - min(values)) / statistics.median(values)


def environment() -> dict[str, Any]:
    """Returns what numbers depend on besides the benchmark: the machine, versions, its load."""
    # Imported here: benchmarks that need no installation put it on the path first.
    from metakd import __version__
    from metakd.machine import usable_cpus

    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cpus(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _installed(name) for name in PACKAGES if _installed(name)},
        "metakd": __version__,
        "git_commit": git_commit(),
        "started": _STARTED.isoformat(timespec="seconds"),
        "load_at_start": list(_LOAD_AT_START),
    }


def cpu_model() -> str:
    """Returns the name of the CPU."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def git_commit() -> str:
    """Returns the commit of this checkout, "-dirty" if changed; "" outside of one."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


@contextmanager
def repeated(sample: Callable[[], None], interval_s: float) -> Iterator[None]:
    """Calls something again and again in a thread beside what is measured."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(interval_s):
            sample()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def write_result(path: Path, part: str, rows: Sequence[Row], **more: object) -> None:
    """Writes a benchmark's result.

    Args:
        path: The file.
        part: The benchmark, as ``bench.py`` names it.
        rows: What it measured.
        more: What else it keeps, JSON values by name.
    """
    result = {
        "part": part,
        "environment": environment(),
        "rows": [{k: v for k, v in asdict(row).items() if v is not None} for row in rows],
        **more,
    }
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
