"""The study's command, as a user's shell runs it: what several test files share."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from metakd.signals import ENDING

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "studies" / "grid_vs_meta.py"
WORDS = """
--cluster local --scales 0.3 --augmentations none standard --temperatures 1 4 --epochs 2
--teacher-epochs 2 --teacher digit_mlp --out
"""
TINY = WORDS.split()


def run(
    *words: str, cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the study from another folder: relative paths and imports must not depend on it."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=cwd,
        env=environment() | dict(extra or {}),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def default_signals() -> None:
    """Undoes what nohup, or a shell's background, makes of signals: they would stay ignored."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)


def signalled(
    words: list[str],
    cwd: Path,
    when: Callable[[], bool],
    number: signal.Signals,
    extra: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """Runs a study, signals it when it is so far, and returns exit code, output and errors."""
    study = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        cwd=cwd,
        env=environment() | dict(extra or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=default_signals,
    )
    deadline = time.monotonic() + 240
    while not when():
        assert study.poll() is None, study.communicate()
        assert time.monotonic() < deadline, "the study did not get that far"
        time.sleep(0.1)
    study.send_signal(number)
    printed, errors = study.communicate(timeout=120)
    return study.returncode, printed, errors


def trials_announced(printed: str) -> tuple[int, int]:
    """Reads how many trials a study found finished, and how many it was about to run.

    After a kill that is no exact number: workers outlive their driver by a moment, in which each
    may commit the trial that it was about to.
    """
    counts = re.search(r"^trials .*; (\d+) finished, (\d+) to run$", printed, re.MULTILINE)
    assert counts, printed
    return int(counts[1]), int(counts[2])
