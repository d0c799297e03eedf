"""Batches of files that are decoded by processes of their own, and batches that lie ready."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from metakd.core.distillers import KDConfig
from metakd.core.training import Recipe
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.train.folder import StudyFolder
from metakd.train.inputs import ImageStream
from metakd.train.samples import DECODING_WORKERS, open_samples
from metakd.train.sampling import Sampling
from metakd.train.student import run_trial
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher
from metakd.train.trial import DataSpec, TeacherSpec, Trial


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return StudyFolder(Path(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module")
def flowers(folder: StudyFolder) -> ImageDataset:
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 4)):
        for name in ("rose", "tulip"):
            place = folder.out / "flowers" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return open_dataset(f"imagefolder:{folder.out / 'flowers'},size=32", folder.datasets)


def test_processes_of_their_own_make_the_same_images_in_order(
    folder: StudyFolder, flowers: ImageDataset
) -> None:
    samples = open_samples(DataSpec(flowers.name, flowers.fingerprint), folder)
    assert samples.workers == DECODING_WORKERS
    views = samples.views("mixup", 3, samples.splits.train, passes=2)
    asked = [(rows, number) for number in range(2) for rows in torch.arange(30).split(8)]
    alone = list(ImageStream(views.images).of(asked))
    stream = ImageStream(views.images, workers=2)
    for part in (slice(None), slice(3, 5)):
        together = list(stream.of(asked[part]))
        assert all(torch.equal(a, b) for a, b in zip(together, alone[part], strict=True))


def test_a_student_learns_from_a_folder_of_files(
    folder: StudyFolder, flowers: ImageDataset
) -> None:
    data = DataSpec(flowers.name, flowers.fingerprint)
    teacher = TeacherSpec(data, "cifar_cnn_tiny", "standard", Recipe(epochs=1))
    store_teacher(teacher, folder, new_teacher(teacher, folder), TeacherReport(0.5, 0.5, 0.0))
    trial = Trial(
        data=data,
        sampling=Sampling(scale=1.0, augmentation="strong"),
        teacher=teacher,
        student="cifar_cnn_tiny",
        recipe=Recipe(epochs=2, batch_size=8),
        distiller=KDConfig(),
        seed=0,
    )
    outcome = run_trial(trial, folder, bank=None)
    assert len(outcome.epochs) == 2
    assert outcome.test_samples == 8
    assert outcome.epochs[-1].record.kd_loss is not None
