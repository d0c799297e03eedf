"""The study's command as a user runs it: once, again, with more, stopped, and with bad input."""

import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from study_command import TINY, run, signalled

import metakd
from metakd.analysis.summary import read_summary
from metakd.results.look_records import read_looks
from metakd.results.reader import finished_trials, read_study, read_trials
from metakd.results.searches import read_searches

BASIC = ("ce", "fixed", "grid", "meta")
SEARCHERS = ("optuna+asha", "grid+asha", "pbt", "dkd")


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
    # 2 settings × 2 seeds × (ce, τ = 1, τ = 4, learned, aligned).
    searched = set(read_searches(out)["trial_id"].to_pylist())
    assert finished_trials(out) == set(read_study(out).planned_trials) | searched
    assert (len(searched), len(finished_trials(out))) == (20, 20)
    for words in ("dashboard    http://", "20/20 done", "30 % · standard", "out/report.html"):
        assert words in first.stdout
    assert (out / "report.html").stat().st_size > 1e6
    assert not (out / "checkpoints").exists()


def test_the_best_student_of_each_setting_is_kept(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    out = place / "out"
    assert "students     the best of each setting by validation: about 44 KiB" in first.stdout
    students = {student.setting: student for student in read_summary(out).students}
    assert set(students) == {setting.key for setting in read_summary(out).settings}
    rows = read_trials(out).to_pylist()
    for student in students.values():
        loaded = metakd.load_student(out / student.file)
        row = loaded.card.trial
        here = [r for r in rows if r["augmentation"] == row["augmentation"]]
        assert row["val_acc_last"] == max(r["val_acc_last"] for r in here)
        assert 100 * row["test_acc_last"] == pytest.approx(student.test_pp, abs=1e-4)
    assert len(list((out / "students").iterdir())) == 2 * len({s.file for s in students.values()})
    best = max(students.values(), key=lambda student: student.val_pp)
    assert f'metakd.load_student("out/{best.file}")' in first.stdout


def test_it_says_nothing_of_the_engine(first: subprocess.CompletedProcess[str]) -> None:
    assert first.stderr == ""
    for word in ("Tune", "raylet", "Traceback"):
        assert word not in first.stdout
    # Of Python's own, UserWarning and the like.
    assert not re.search(r"\wWarning", first.stdout)


def test_the_same_command_again_finds_everything_done(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    made = ("report.html", "summary.json", "study.json")
    before = [(place / "out" / name).read_bytes() for name in made]
    again = run(*TINY, "out", "--seeds", "2", cwd=place)
    assert again.returncode == 0, again.stderr
    assert "dashboard" not in again.stdout
    assert "20 finished, 0 to run" in again.stdout
    assert [(place / "out" / name).read_bytes() for name in made] == before


@pytest.mark.slow
def test_another_seed_and_more_strategies_run_only_what_is_new(
    place: Path, first: subprocess.CompletedProcess[str]
) -> None:
    out = place / "out"
    before = {path: path.stat().st_mtime_ns for path in (out / "trials").iterdir()}
    words = [*TINY, "out", "--seeds", "3", "--strategies", *BASIC, *SEARCHERS]
    more = run(*words, cwd=place)
    assert (more.returncode, more.stderr) == (0, "")
    # Of searches the runs are not known before.
    assert "30 in 2 settings × 3 seeds; 16 finished, 14 to run" in more.stdout
    assert "that searches will choose" in more.stdout
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    searches = read_searches(out).to_pylist()
    assert {row["strategy"] for row in searches} == {*BASIC, *SEARCHERS}
    assert all(row["is_complete"] for row in searches)
    rows = {row["trial_id"]: row for row in read_trials(out).to_pylist()}
    for search in {(row["strategy"], row["augmentation"], row["seed"]) for row in searches}:
        segments = [r for r in searches if (r["strategy"], r["augmentation"], r["seed"]) == search]
        spent = sum(segment["until_epoch"] - segment["from_epoch"] for segment in segments) / 2
        assert spent <= 2 if search[0] != "dkd" else spent == 1
        assert any(rows[segment["trial_id"]]["status"] == "done" for segment in segments)
    assert not (out / "checkpoints").exists()
    again = run(*words, "--dry-run", cwd=place)
    assert "30 in 2 settings × 3 seeds; 30 finished, 0 to run" in again.stdout
    summary = read_summary(out)
    assert summary.inventory.planned == summary.inventory.finished
    assert not summary.inventory.is_open


@pytest.mark.slow
def test_the_same_spec_gives_the_same_numbers_without_a_home_and_with_a_long_tmpdir(
    place: Path, first: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    # Neither keeps Ray from starting.
    long = tmp_path / ("slurm_jobdir_" * 8)
    long.mkdir()
    extra = {"TMPDIR": str(long), "HOME": "/nonexistent", "RAY_TMPDIR": ""}
    done = run(*TINY, "other", "--seeds", "2", "--no-report", cwd=tmp_path, extra=extra)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is too long for a socket" in done.stdout
    columns = ["trial_id", "val_acc_last", "test_acc_last", "tau_s_last", "test_acc_selected"]
    other = read_trials(tmp_path / "other").select(columns)
    here = read_trials(place / "out", other["trial_id"].to_pylist()).select(columns)
    assert len(other) == 20
    assert here.equals(other)


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_the_command_continues(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [*TINY, "out", "--seeds", "60", "--strategies", *BASIC]
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
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_slurm_and_a_closed_terminal_stop_it_as_ctrl_c_does(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [*TINY, "out", "--strategies", "fixed", "--augmentations", "none", "--seeds", "1"]
    words += ["--epochs", "20000", "--save-interval", "1"]
    found = signalled(words, tmp_path, lambda: any(out.glob("checkpoints/*/epoch-*")), number)
    returned, printed, errors = found
    assert (returned, errors) == (code, "")
    assert printed.endswith(
        "\nStopped. Finished trials are kept; the same command continues from here.\n"
    )
    # Trials in flight keep their states: the same command goes on from them.
    assert any(out.glob("checkpoints/*/epoch-*"))


@pytest.mark.slow
def test_memory_that_others_use_is_named_and_nothing_hangs(tmp_path: Path) -> None:
    extra = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "250"}
    full = run(*TINY, "out", "--seeds", "1", cwd=tmp_path, extra=extra)
    assert full.returncode == 2
    assert full.stderr.count("\n") == 1
    assert "memory ran out" in full.stderr
    assert "--max-concurrent 1" in full.stderr
    assert "memory       ran out with" in full.stdout


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
    assert "432 in 9 settings × 6 seeds; 0 finished, 432 to run" in plan.stdout
    assert "estimate" in plan.stdout
    assert "dashboard" not in plan.stdout
    assert not (tmp_path / "out" / "study.json").exists()
    assert not (tmp_path / "out" / "trials").exists()


def test_a_plan_may_assume_machines_and_runs_nothing(tmp_path: Path) -> None:
    plan = run("--assume", "8xH100", "--out", "out", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "on 8 H100" in plan.stdout
    assert "computed from peak rates" in plan.stdout
    assert "8 at once, each 1 worker with 24 CPU and 1 GPU" in plan.stdout
    assert not (tmp_path / "out" / "study.json").exists()


DECIDE = (
    *("--until-decided", "--seeds", "2", "--looks", "1", "2", "4", "--margin", "0.1"),
    *("--strategies", "fixed", "meta"),
)


@pytest.mark.slow
def test_a_study_that_decides_is_killed_between_two_looks_and_goes_on(place: Path) -> None:
    undisturbed, killed = place / "undisturbed", place / "killed"
    whole = run(*TINY, str(undisturbed), *DECIDE, cwd=place)
    assert whole.returncode == 0, whole.stderr
    looks = read_looks(undisturbed)
    assert f"look         {len(looks)} of 3: the learned temperature − " in whole.stdout
    last = " ".join(whole.stdout.split("done in ")[1].split())
    assert f"Decided at look {len(looks)} of 3" in last or "Undecided at ±0.19 points" in last

    def in_the_second_block() -> bool:
        return len(read_looks(killed)) == 1 and len(finished_trials(killed)) > looks[0].trials + 1

    signalled([*TINY, str(killed), *DECIDE], place, in_the_second_block, signal.SIGKILL)
    again = run(*TINY, str(killed), *DECIDE, cwd=place)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count("look         ") == len(looks) - 1
    assert [replace(look, wall_s=0.0) for look in read_looks(killed)] == [
        replace(look, wall_s=0.0) for look in looks
    ]
    assert read_summary(killed).verdict.headline == read_summary(undisturbed).verdict.headline
