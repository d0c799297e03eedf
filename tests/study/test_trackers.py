"""Experiment trackers: a run for each trial in the store, and the verdict."""

import json
import struct
from collections import defaultdict
from pathlib import Path

import pytest
from made_up_study import MadeUpStudy
from mlflow import MlflowClient
from tensorboardX.proto.event_pb2 import Event

from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.errors import UserError
from metakd.results.reader import read_steps, read_trials
from metakd.results.writer import FinishedTrial
from metakd.study import trackers
from metakd.study.command_line import parse
from metakd.study.spec import StudySpec
from metakd.study.trackers import LOGGED_FOLDER, Trackers, check_trackers, wandb

STUDY = MadeUpStudy(scales=(0.1,), augmentations=("none",), strategies=("fixed", "meta"), seeds=2)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return STUDY.write(tmp_path / "out")


@pytest.fixture
def summary(out: Path) -> Summary:
    return summarise(out)


def curves(out: Path) -> dict[str, list[tuple[int, float]]]:
    """Returns epoch and student's temperature of each trial that has them, by id."""
    found = defaultdict(list)
    for row in read_steps(out).to_pylist():
        if row["tau_s"] is not None:
            found[row["trial_id"]].append((row["epoch"], row["tau_s"]))
    return found


def events(folder: Path) -> list[Event]:
    """Returns the events in a folder of TensorBoard's, whose records have a length and two sums."""
    (file,) = folder.glob("events.*")
    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        found.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


def tau_curve(folder: Path) -> list[tuple[int, float]]:
    return [
        (event.step, value.simple_value)
        for event in events(folder)
        for value in event.summary.value
        if value.tag == "tau_s"
    ]


def log(names: list[str], out: Path, summary: Summary) -> list[str]:
    """Logs a study, and returns what is said of it."""
    notes: list[str] = []
    with Trackers(names, out, "study", notes.append) as opened:
        opened.conclude(summary)
    return notes


def test_tensorboard_has_every_trial_below_its_setting(out: Path, summary: Summary) -> None:
    assert log(["tensorboard"], out, summary) == []
    trials = read_trials(out).to_pylist()
    for trial in trials:
        (place,) = out.glob(f"tensorboard/digits_0.1_none_*/*-{trial['trial_id']}")
        assert tau_curve(place) == curves(out).get(trial["trial_id"], [])
    (text,) = [
        e.summary.value[0] for e in events(out / "tensorboard" / "verdict") if e.summary.value
    ]
    assert summary.verdict.headline in text.tensor.string_val[0].decode()


def test_what_is_logged_once_is_not_logged_again(out: Path, summary: Summary) -> None:
    log(["tensorboard"], out, summary)
    before = {file: file.stat().st_mtime_ns for file in out.glob("tensorboard/digits*/*/*")}
    log(["tensorboard"], out, summary)
    assert {file: file.stat().st_mtime_ns for file in out.glob("tensorboard/digits*/*/*")} == before


def test_a_killed_process_leaves_no_trial_unlogged_or_twice(out: Path, summary: Summary) -> None:
    """Killed after a trial was logged, and before it was recorded as such."""
    log(["tensorboard"], out, summary)
    record = out / LOGGED_FOLDER / "tensorboard.txt"
    ids = record.read_text().split()
    record.write_text(f"{ids[0]}\n")
    log(["tensorboard"], out, summary)
    assert sorted(record.read_text().split()) == sorted(ids)
    assert len(list(out.glob("tensorboard/digits*/*/events.*"))) == len(ids)


def test_trials_are_logged_as_they_are_committed(out: Path) -> None:
    rows = read_trials(out)
    with Trackers(["tensorboard"], out, "study", print) as opened:
        for at, trial_id in enumerate(rows["trial_id"].to_pylist()):
            opened.add(FinishedTrial(rows.slice(at, 1), read_steps(out, [trial_id])))
        opened._thread.shutdown()
    assert len(list(out.glob("tensorboard/digits*/*"))) == rows.num_rows


@pytest.mark.filterwarnings("ignore:::sqlalchemy", "ignore:::mlflow")
def test_mlflow_has_a_run_for_each_trial_below_that_of_its_setting(
    out: Path, summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (line,) = check_trackers(["mlflow"], out)
    assert log(["mlflow"], out, summary) == []
    client = MlflowClient(tracking_uri=line.rpartition(" ")[2])
    experiment = client.get_experiment_by_name("study")
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    logged = [run for run in runs.values() if "mlflow.parentRunId" in run.data.tags]
    assert len(logged) == read_trials(out).num_rows
    for run in logged:
        group = runs[run.data.tags["mlflow.parentRunId"]].info.run_name
        assert group.startswith("digits · 0.1 · none")
        curve = client.get_metric_history(run.info.run_id, "tau_s")
        found = [(each.step, each.value) for each in curve]
        assert found == curves(out).get(run.data.params["trial_id"], [])
        assert "test_acc_last" in run.data.metrics
    (verdict,) = [run for run in runs.values() if run.info.run_name == "verdict"]
    text = Path(client.download_artifacts(verdict.info.run_id, "verdict.md")).read_text()
    assert summary.verdict.headline in text


def test_wandb_keeps_runs_here_while_it_is_offline(
    out: Path, summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    (line,) = check_trackers(["wandb"], out)
    assert line == f"wandb sync {out}/wandb/offline-run-*"
    assert log(["wandb"], out, summary) == []
    contents = [file.read_bytes() for file in out.glob("wandb/offline-run-*/*.wandb")]
    for trial in read_trials(out).to_pylist():
        (run,) = [text for text in contents if f"study-{trial['trial_id']}".encode() in text]
        for _, tau in curves(out).get(trial["trial_id"], []):
            assert f"{tau:g}".encode() in run
        assert "digits · 0.1 · none".encode() in run
    assert len(contents) == read_trials(out).num_rows + 1
    assert sum(summary.verdict.headline.encode() in text for text in contents) == 1
    (file,) = out.glob("wandb/offline-run-*/files/media/table/*.table.json")
    table = json.loads(file.read_text())
    assert [tuple(row) for row in table["data"]] == list(trackers.logged_verdict(summary).rows)


def test_wandb_without_an_account_is_refused_in_the_plan(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr(wandb.wandb, "login", lambda prompt: False)
    with pytest.raises(UserError, match="run wandb login, or set WANDB_MODE=offline"):
        check_trackers(["wandb"], out)


def test_a_tracker_that_fails_is_left_out_and_the_others_go_on(
    out: Path, summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = trackers.open_tracker

    def fails(name: str, out: Path, study: str) -> trackers.Tracker:
        if name == "wandb":
            raise ConnectionError("no route to its server\nmore of it")
        return opened(name, out, study)

    monkeypatch.setattr(trackers, "open_tracker", fails)
    notes = log(["wandb", "tensorboard"], out, summary)
    assert notes == ["wandb is left out from here on: no route to its server"]
    assert len(list(out.glob("tensorboard/digits*/*"))) == read_trials(out).num_rows
    assert not (out / LOGGED_FOLDER / "wandb.txt").exists()


def test_what_is_no_tracker_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"invalid choice: 'neptune' \(choose from"):
        parse(StudySpec(name="s"), ["--log", "neptune"])


def test_a_tracker_that_is_not_installed_is_refused_with_its_extra(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metakd.extras.find_spec", lambda name: None)
    _, options = parse(StudySpec(name="s"), ["--log", "mlflow"])
    with pytest.raises(UserError, match=r"mlflow needs mlflow: pip install 'metakd\[mlflow\]'"):
        check_trackers(options.trackers, out)
