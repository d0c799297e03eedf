"""A tiny study prepared without Ray: digits, a teacher after two epochs, one bank."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from metakd.core.distillers import CrossEntropyConfig, KDConfig
from metakd.core.training import Recipe
from metakd.data.datasets import open_dataset
from metakd.train.folder import StudyFolder
from metakd.train.samples import open_samples
from metakd.train.sampling import Sampling
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher
from metakd.train.trial import DataSpec, TeacherSpec, Trial


class Prepared(NamedTuple):
    folder: StudyFolder
    trial: Trial


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    torch.set_num_threads(1)
    folder = StudyFolder(Path(tmp_path_factory.mktemp("study")))
    dataset = open_dataset("digits", folder.datasets)
    data = DataSpec(dataset.name, dataset.fingerprint)
    teacher = TeacherSpec(data, "digit_mlp", "standard", Recipe(epochs=1))
    # Its outputs matter here, not its accuracy.
    store_teacher(teacher, folder, new_teacher(teacher, folder), TeacherReport(0.1, 0.1, 0.0))
    open_samples(data, folder)
    trial = Trial(
        data=data,
        sampling=Sampling(scale=0.3, augmentation="strong"),
        teacher=teacher,
        student="digit_cnn_tiny",
        recipe=Recipe(epochs=3, batch_size=32),
        distiller=KDConfig(),
        seed=4,
    )
    assert CrossEntropyConfig.uses_teacher is False
    return Prepared(folder, trial)
