"""The study's command as a user runs it: once, again, with more, stopped, and with bad input."""

import signal
import subprocess
from pathlib import Path

import pytest
from study_command import TINY, run, signalled

from metakd.results.reader import finished_trials, read_study, read_trials


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


@pytest.mark.slow
def test_the_same_spec_gives_the_same_numbers(
    place: Path, first: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    columns = ["trial_id", "val_acc_last", "test_acc_last", "tau_s_last", "test_acc_selected"]
    run(*TINY, "other", "--seeds", "2", cwd=tmp_path)
    other = read_trials(tmp_path / "other").select(columns)
    here = read_trials(place / "out", other["trial_id"].to_pylist()).select(columns)
    assert len(other) == 16
    assert here.equals(other)


def test_ctrl_c_stops_cleanly_and_the_command_continues(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*TINY, "out", "--seeds", "60"]
    code, printed, errors = signalled(
        words, tmp_path, lambda: len(finished_trials(out)) >= 3, signal.SIGINT
    )
    assert code == 130, errors
    assert "the same command continues" in printed
    assert "Traceback" not in errors
    finished = finished_trials(out)
    assert 3 <= len(finished) < 480
    assert len(read_trials(out)) == len(finished)
    plan = run(*words, "--dry-run", cwd=tmp_path)
    assert f"{len(finished)} finished, {480 - len(finished)} to run" in plan.stdout


@pytest.mark.slow
def test_ctrl_c_while_the_teacher_learns_stops_cleanly_too(tmp_path: Path) -> None:
    teachers = tmp_path / "out" / "teachers"
    words = [*TINY, "out", "--teacher-epochs", "100000"]
    code, printed, errors = signalled(
        words, tmp_path, lambda: any(teachers.glob("*/epochs-done.txt")), signal.SIGINT
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
