"""The measurement of what starting costs runs, and says what it cannot do in one line."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "startup.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False
    )


def test_every_command_is_measured() -> None:
    printed = run("--commands-only", "--rounds", "1")
    assert printed.returncode == 0, printed.stderr
    found = dict(re.findall(r"^(.+?) +([0-9.]+) s CPU", printed.stdout, re.MULTILINE))
    assert list(found) == [
        "grid_vs_meta.py --help",
        "grid_vs_meta.py --nonsense",
        "grid_vs_meta.py --student timm:nothing",
        "grid_vs_meta.py --dry-run",
        "python -m dashboards --help",
    ]
    assert all(float(seconds) > 0 for seconds in found.values())


def test_a_mistake_is_one_line() -> None:
    refused = run("--rounds", "0")
    assert refused.returncode == 2
    assert "must be at least 1" in refused.stderr
    assert refused.stderr.count("\n") == 1
