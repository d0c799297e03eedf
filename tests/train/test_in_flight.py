"""A trial that was killed goes on from its last state, and ends as if nothing had happened."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stopped_trials import state_of_stopped

from metakd.core.distillers import MKDConfig
from metakd.results.reader import finished_trials
from metakd.train.commit import commit, result_of
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import InFlight, end_trainings, sweep_finished
from metakd.train.student import Epoch, Outcome, run_trial
from metakd.train.trial import Trial

RUN_AND_SAY_EPOCHS = """
import pickle, sys, time
from pathlib import Path
import torch
from metakd.train import student
torch.set_num_threads(1)
trial, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
def say(epoch):
    print(epoch.record.epoch, flush=True)
student.run_trial(trial, folder, None, say, save_interval_s=0)
time.sleep(600)
"""


@pytest.fixture
def longer(prepared: Any) -> tuple[StudyFolder, Trial]:
    folder, trial = prepared
    recipe = replace(trial.recipe, epochs=30)
    return folder, replace(trial, recipe=recipe, distiller=MKDConfig(), seed=11)


def numbers(outcome: Outcome) -> list[Any]:
    """What does not depend on time."""
    records = [replace(epoch.record, compute_s=0.0) for epoch in outcome.epochs]
    validations = [epoch.validation for epoch in outcome.epochs]
    return [records, validations, outcome.selected_epoch, outcome.test_last, outcome.test_selected]


def kept(folder: StudyFolder, trial: Trial) -> list[str]:
    return sorted(file.name for file in (folder.checkpoints / trial.id).glob("*"))


@pytest.mark.slow
def test_killed_three_times_it_ends_as_undisturbed(
    longer: tuple[StudyFolder, Trial], tmp_path: Path
) -> None:
    folder, trial = longer
    undisturbed = run_trial(trial, folder, None)
    assert kept(folder, trial) == []  # it was over before a state was due
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps((trial, folder)))
    first_epochs = []
    for kill in range(1, 4):
        runner = subprocess.Popen(
            [sys.executable, "-c", RUN_AND_SAY_EPOCHS, str(job)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert runner.stdout is not None
        epoch = -1
        while epoch < 8 * kill:
            epoch = int(runner.stdout.readline())
            first_epochs += [epoch] if len(first_epochs) < kill else []
        runner.kill()
        runner.communicate()
        assert len([name for name in kept(folder, trial) if not name.startswith(".")]) <= 2
    assert first_epochs[0] == 0
    assert first_epochs[1] >= 8
    assert first_epochs[2] >= 16
    seen: list[int] = []

    def note(epoch: Epoch) -> None:
        seen.append(epoch.record.epoch)

    outcome = run_trial(trial, folder, None, note, save_interval_s=0)
    assert seen[0] >= 24
    assert numbers(outcome) == numbers(undisturbed)
    times = [epoch.elapsed_s for epoch in outcome.epochs]
    assert times == sorted(times)
    assert outcome.wall_s >= times[-1]
    commit([(trial, result_of(trial, outcome, "abc"))], folder)
    assert not (folder.checkpoints / trial.id).exists()
    assert trial.id in finished_trials(folder.out)


def test_a_state_from_before_there_were_several_teachers_goes_on(prepared: Any) -> None:
    folder, trial = prepared
    trial = replace(trial, seed=12)
    undisturbed = numbers(run_trial(trial, folder, None))
    state = state_of_stopped(trial, folder)
    in_flight = InFlight(folder, trial.id)
    for record, *_ in state["progress"]["epochs"]:
        for later in ("feature_loss", "teacher_weights"):
            del record[later]
    in_flight.save(state["training"]["epochs_done"], state)
    seen: list[int] = []
    outcome = run_trial(trial, folder, None, lambda epoch: seen.append(epoch.record.epoch))
    assert seen == [1, 2]
    assert numbers(outcome) == undisturbed


def test_the_last_two_states_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    in_flight = InFlight(StudyFolder(tmp_path), "trial")
    assert in_flight.latest() is None
    for epoch in (9, 10, 11):
        in_flight.save(epoch, {"epoch": epoch, "weights": torch.full((3,), float(epoch))})
    files = sorted((tmp_path / "checkpoints" / "trial").iterdir())
    assert [file.name for file in files] == ["epoch-000010.pt", "epoch-000011.pt"]
    latest = in_flight.latest()
    assert latest is not None
    assert latest["weights"].tolist() == [11.0] * 3
    files[1].write_bytes(files[1].read_bytes()[:100])
    latest = in_flight.latest()
    assert latest is not None
    assert latest["epoch"] == 10
    files[0].write_bytes(b"")
    assert in_flight.latest() is None


def test_states_of_finished_trials_are_swept_and_others_stay(tmp_path: Path) -> None:
    for trial in ("done", "running"):
        InFlight(StudyFolder(tmp_path), trial).save(1, {"epoch": 1})
    sweep_finished(StudyFolder(tmp_path), {"done", "elsewhere"})
    checkpoints = tmp_path / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["running"]
    sweep_finished(StudyFolder(tmp_path), {"running"})
    assert not checkpoints.exists()


def test_the_end_removes_drafts_and_last_states_and_leaves_what_others_go_on_from(
    tmp_path: Path,
) -> None:
    folder = StudyFolder(tmp_path)
    for is_branched in (False, True):
        states = InFlight(folder, "a")
        states.save(3, {"epochs": 3})
        (folder.checkpoints / "a" / ".epoch-000004.pt.draft").touch()
        if is_branched:
            states.branch(2, {"epochs": 2})
        end_trainings(folder, ["a", "elsewhere"])
        assert states.latest() == ({"epochs": 2} if is_branched else None)
        assert (folder.checkpoints / "a").exists() == is_branched
    states.forget()
    assert not (folder.checkpoints / "a").exists()
