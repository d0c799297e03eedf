"""The simulated study runs on Ray to its report, through failures, and measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from metakd.results.reader import read_steps, read_trials

pytestmark = pytest.mark.slow  # it starts a cluster of its own

SCRIPT = Path(__file__).with_name("simulate.py")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_all_trials_arrive_though_some_fail(tmp_path: Path) -> None:
    found, out = tmp_path / "found.json", tmp_path / "out"
    words = ("--trials", "144", "--workers", "3", "--failures", "0.2")
    done = run(*words, "--out", str(out), "--json", str(found))
    assert done.returncode == 0, done.stderr
    rows = {row["what"]: row["value"] for row in json.loads(found.read_text())["rows"]}
    assert rows["orchestration, on the clock, of a trial"] > 0
    assert 1 <= rows["workers at once"] <= 4
    trials = [row for row in read_trials(out).to_pylist() if row["status"] == "done"]
    assert len(trials) == 144
    assert len({row["test_acc_last"] for row in trials}) > 100
    curves = read_steps(out, columns=["val_acc"]).to_pylist()
    assert len(curves) == 40 * 144
    assert (out / "report.html").exists()


def test_a_mistake_is_one_line() -> None:
    refused = run("--failures", "0.7")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "below 0.5" in refused.stderr
