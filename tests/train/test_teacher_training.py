"""A teacher whose training is killed goes on from its last state."""

import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from metakd.core.training import Recipe
from metakd.data.datasets import open_dataset
from metakd.train.folder import StudyFolder
from metakd.train.teacher import read_report
from metakd.train.teaching import EPOCHS_FILE, teach
from metakd.train.trial import DataSpec, TeacherSpec

TEACH = """
import pickle, sys
from pathlib import Path
import pytest
import torch
from metakd.train.teaching import teach
torch.set_num_threads(1)
teach(*pickle.loads(Path(sys.argv[1]).read_bytes()), save_interval_s=0)
"""


def new_teacher(place: Path) -> tuple[TeacherSpec, StudyFolder]:
    folder = StudyFolder(place)
    dataset = open_dataset("digits", folder.datasets)
    data = DataSpec(dataset.name, dataset.fingerprint)
    return TeacherSpec(data, "digit_cnn_tiny", "standard", Recipe(epochs=30, lr=0.1)), folder


@pytest.mark.slow
def test_a_teacher_killed_in_training_ends_as_undisturbed(tmp_path: Path) -> None:
    spec, folder = new_teacher(tmp_path / "killed")
    job = tmp_path / "job"
    job.write_bytes(pickle.dumps((spec, folder)))
    runner = subprocess.Popen([sys.executable, "-c", TEACH, str(job)])
    states = folder.checkpoints / spec.id
    while not list(states.glob("epoch-00001?.pt")):
        assert runner.poll() is None
        time.sleep(0.01)
    runner.kill()
    runner.wait()
    assert read_report(spec, folder) is None
    torch.set_num_threads(1)
    teach(spec, folder)
    # The second began where the first was killed.
    assert not states.exists()
    assert (folder.teachers / spec.id / EPOCHS_FILE).read_text() == "30"
    _, other = new_teacher(tmp_path / "undisturbed")
    teach(spec, other)
    found, expected = read_report(spec, folder), read_report(spec, other)
    assert found is not None
    assert expected is not None
    assert (found.val_acc, found.test_acc) == (expected.val_acc, expected.test_acc)
    weights = [torch.load(f.teachers / spec.id / "model.pt") for f in (folder, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
