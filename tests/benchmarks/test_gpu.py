"""The checks of a GPU, rehearsed on the CPU without what a GPU's machine may lack."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpu_checks.scaler
import pytest
from gpu_checks import SHARES
from gpu_checks.__main__ import run
from gpu_checks.case import Found, Setup

from metakd.analysis.summarise import summarise
from metakd.core.lookahead import taken_step
from metakd.dashboards import write_report

SCRIPT = Path(__file__).with_name("gpu.py")
ABSENT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"ray", "optuna", "plotly", "rich"}:
            raise ModuleNotFoundError(f"{name} is absent here")

sys.meta_path.insert(0, Absent())
"""


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "absent").mkdir()
    (folder / "absent" / "sitecustomize.py").write_text(ABSENT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "absent"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    out = folder / "out"
    options = ["--device", "cpu", "--tiny", "--minutes", "9", "--out", str(out)]
    finished = run_script(folder, *options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return out


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_check_is_rehearsed_without_ray(rehearsed: Path) -> None:
    header, *lines = lines_of(rehearsed / "results.jsonl")
    assert header["chip"] == "CPU"
    assert {"torch", "commit"} <= set(header)
    assert list(dict.fromkeys(line["check"] for line in lines)) == list(SHARES)
    for line in lines:
        assert line["ok"] is not False, line
        assert line["error"] is None, line
        assert line["numbers"], line


def test_the_report_reads_the_study(rehearsed: Path) -> None:
    study = rehearsed / "study"
    report = write_report(study, summarise(study))
    assert "cifar_cnn_tiny" in report.read_text()


def setup_until(out: Path, until: float) -> Setup:
    return Setup("cpu", True, out=out, work=out, data=None, until=until)


def test_a_case_that_fails_ends_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(setup: Setup) -> Found:
        raise RuntimeError("device-side assert")

    cases = {"fails": fails, "next": lambda setup: Found(True, {"number": 1})}
    monkeypatch.setattr(gpu_checks.scaler, "CASES", cases)
    run("scaler", setup_until(tmp_path, math.inf), tmp_path / "results.jsonl")
    first, second = lines_of(tmp_path / "results.jsonl")
    assert first["ok"] is False
    assert "device-side assert" in first["error"]
    assert "Traceback" in first["error"]
    assert second["ok"]


def test_the_first_check_catches_an_overflow_that_is_taken_for_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken_step, "_has_overflowed", lambda optimiser: False)
    run("scaler", setup_until(tmp_path, math.inf), tmp_path / "results.jsonl")
    (line,) = lines_of(tmp_path / "results.jsonl")
    assert line["ok"] is False


def test_what_no_longer_fits_is_skipped_and_says_so(tmp_path: Path) -> None:
    run("trials", setup_until(tmp_path, 0.0), tmp_path / "results.jsonl")
    lines = lines_of(tmp_path / "results.jsonl")
    assert all(line["numbers"] == {"skipped": "no time was left"} for line in lines)
    assert all(line["ok"] is None for line in lines)


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    finished = run_script(tmp_path, "--device", "cpu", "--out", "x", "--minutes", "0")
    assert finished.returncode == 2
    assert finished.stderr == "gpu.py: --minutes must be above 0, got 0\n"
