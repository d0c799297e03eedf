"""The study's command as a user runs it: once, again, with more, stopped, and with bad input."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from metakd.results.reader import finished_trials, read_study, read_trials

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "studies" / "grid_vs_meta.py"
WORDS = """
--cluster local --scales 0.3 --augmentations none standard --temperatures 1 4 --epochs 2
--teacher-epochs 2 --teacher digit_mlp --out
"""
TINY = WORDS.split()


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the study from another folder: relative paths and imports must not depend on it."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def first(place: Path) -> subprocess.CompletedProcess[str]:
    return run(*TINY, "out", "--seeds", "2", cwd=place)


def test_it_ends_with_a_verdict_and_a_report(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    assert first.returncode == 0, first.stderr
    out = place / "out"
    # 2 settings × 2 seeds × (ce, τ = 1, τ = 4, learned).
    assert finished_trials(out) == set(read_study(out).planned_trials)
    assert len(finished_trials(out)) == 16
    for words in ("dashboard    http://", "16/16 done", "30 % · standard", "out/report.html"):
        assert words in first.stdout
    assert (out / "report.html").stat().st_size > 1e6
    assert not (out / "checkpoints").exists()


def test_it_says_nothing_of_the_engine(first: subprocess.CompletedProcess[str]) -> None:
    assert first.stderr == ""
    for word in ("Tune", "raylet", "Traceback", "Warning"):
        assert word not in first.stdout


def test_the_same_command_again_finds_everything_done(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    made = ("report.html", "summary.json", "study.json")
    before = [(place / "out" / name).read_bytes() for name in made]
    again = run(*TINY, "out", "--seeds", "2", cwd=place)
    assert again.returncode == 0, again.stderr
    assert "dashboard" not in again.stdout
    assert "16 finished, 0 to run" in again.stdout
    assert [(place / "out" / name).read_bytes() for name in made] == before


def test_another_seed_runs_only_what_is_new(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    out = place / "out"
    before = {path: path.stat().st_mtime_ns for path in (out / "trials").iterdir()}
    more = run(*TINY, "out", "--seeds", "3", cwd=place)
    assert more.returncode == 0, more.stderr
    assert "24 = 2 settings × 3 seeds × 4 runs; 16 finished, 8 to run" in more.stdout
    assert len(finished_trials(out)) == 24
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


def test_the_same_spec_gives_the_same_numbers(
    place: Path, first: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    columns = ["trial_id", "val_acc_last", "test_acc_last", "tau_s_last", "test_acc_selected"]
    run(*TINY, "other", "--seeds", "2", cwd=tmp_path)
    other = read_trials(tmp_path / "other").select(columns)
    here = read_trials(place / "out", other["trial_id"].to_pylist()).select(columns)
    assert len(other) == 16
    assert here.equals(other)


def interrupt(words: list[str], cwd: Path, when: Callable[[], bool]) -> tuple[int, str, str]:
    """Runs a study, presses Ctrl-C when it is so far, and returns exit code, output and errors."""
    study = subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background hands down an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 240
    while not when():
        assert study.poll() is None, study.communicate()
        assert time.monotonic() < deadline, "the study did not get that far"
        time.sleep(0.2)
    study.send_signal(signal.SIGINT)
    printed, errors = study.communicate(timeout=120)
    return study.returncode, printed, errors


def test_ctrl_c_stops_cleanly_and_the_command_continues(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*TINY, "out", "--seeds", "60"]
    code, printed, errors = interrupt(words, tmp_path, lambda: len(finished_trials(out)) >= 3)
    assert code == 130, errors
    assert "the same command continues" in printed
    assert "Traceback" not in errors
    finished = finished_trials(out)
    assert 3 <= len(finished) < 480
    assert len(read_trials(out)) == len(finished)
    plan = run(*words, "--dry-run", cwd=tmp_path)
    assert f"{len(finished)} finished, {480 - len(finished)} to run" in plan.stdout


def test_ctrl_c_while_the_teacher_learns_stops_cleanly_too(tmp_path: Path) -> None:
    teachers = tmp_path / "out" / "teachers"
    words = [*TINY, "out", "--teacher-epochs", "100000"]
    code, printed, errors = interrupt(
        words, tmp_path, lambda: any(teachers.glob("*/epochs-done.txt"))
    )
    assert code == 130, errors
    assert "the same command continues" in printed
    assert "Traceback" not in errors
    assert not any(teachers.glob("*/teacher.json"))


def test_a_dry_run_plans_and_runs_nothing(tmp_path: Path) -> None:
    plan = run("--dry-run", "--out", "out", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "378 = 9 settings × 6 seeds × 7 runs; 0 finished, 378 to run" in plan.stdout
    assert "estimate" in plan.stdout
    assert "dashboard" not in plan.stdout
    assert not (tmp_path / "out" / "study.json").exists()
    assert not (tmp_path / "out" / "trials").exists()
