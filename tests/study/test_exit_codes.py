"""No stage of a study ends in a bare traceback, whatever goes wrong in it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metakd.analysis import summarise
from metakd.endings import FAULT_FILE
from metakd.study import cluster, execute, main, run
from metakd.study.allotment import Node
from metakd.study.announce import Failure
from metakd.study.cluster import Cluster
from metakd.study.spec import StudySpec

STUDY = StudySpec(name="s", scales=(0.3,), augmentations=("none",), seeds=1, epochs=1)
STAGES: dict[str, tuple[Any, str]] = {
    "parse": (main, "parse"),
    "open the data": (execute, "open_dataset"),
    "plan": (execute, "make_plan"),
    "say the plan": (execute, "announce_plan"),
    "connect": (cluster, "connect"),
    "run": (run, "run_on"),
    "conclude": (summarise, "summarise"),
    "say the verdict": (sys.modules[__name__], "show"),
}
FAULT = ZeroDivisionError("division by zero")


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Cluster(None, (Node(2, 0),), started_here=True)
    monkeypatch.setattr(cluster, "connect", lambda address, notify, code: here)
    monkeypatch.setattr(run, "run_on", lambda *given: [])
    # The cluster that other tests share stays.
    monkeypatch.setattr("ray.shutdown", lambda: None)


def page(out: Path, summary: object) -> Path:
    (out / "report.html").write_text("")
    return out / "report.html"


def show(console: object, summary: object) -> None:
    pass


def ended(out: Path, render: Callable[[Path, object], Path] = page) -> int:
    return main.main(STUDY, render, show, ["--out", str(out)])


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*given: object, **named: object) -> Any:
        raise error

    return fail


def test_without_a_fault_it_is_done(tmp_path: Path) -> None:
    assert ended(tmp_path / "out") == 0


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_at_any_stage_is_one_line_and_code_3(
    stage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(*STAGES[stage], raising(FAULT))
    assert ended(tmp_path / "out") == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "error: a fault of metakd itself, ZeroDivisionError: division by zero" in error
    kept = [*tmp_path.rglob(FAULT_FILE), *tmp_path.glob("metakd-fault-*")]
    assert len(kept) == 1
    assert str(kept[0]) in error


@pytest.mark.parametrize("stage", STAGES)
def test_memory_that_runs_out_at_any_stage_is_named(
    stage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(*STAGES[stage], raising(MemoryError()))
    assert ended(tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "memory ran out" in error


def test_a_fault_of_whoever_renders_is_one_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(tmp_path / "out", raising(FAULT)) == 3
    assert str(tmp_path / "out" / FAULT_FILE) in capsys.readouterr().err


def test_failed_trials_are_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "RuntimeError: [enforce fail] :train: [/old]"
    monkeypatch.setattr(run, "run_on", lambda *given: [Failure("digits-kd", reason)])
    assert ended(tmp_path / "a [v2] :train: [/b]") == 1
    printed = capsys.readouterr().out
    assert reason in printed
    assert "a [v2] :train: [/b]/trials" in printed


def test_a_faults_file_does_not_make_the_folder_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / FAULT_FILE).write_text("")
    assert main.main(STUDY, page, show, ["--out", str(tmp_path), "--dry-run"]) == 0
