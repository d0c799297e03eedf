"""No strategy reads a label that another may not: each is run, and what it reads is recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import MKDConfig, MMKDConfig
from metakd.core.recipe import Recipe
from metakd.data.datasets import open_dataset
from metakd.data.views import Views
from metakd.strategies import STRATEGIES, Strategy
from metakd.strategies.strategy import at_once
from metakd.study.cases import Case, Setting
from metakd.study.searching import Searching
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder
from metakd.train.inputs import HeldOut
from metakd.train.samples import open_samples
from metakd.train.sampling import Sampling
from metakd.train.student import Outcome, run_trial
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher
from metakd.train.trial import DataSpec, TeacherSpec

SEED = 3
# A batch of all samples: none is left out of an epoch.
RECIPE = Recipe(epochs=3, batch_size=128, lr=0.01)
VARIANTS = {
    **STRATEGIES,
    "meta, judged by held-out samples": Strategy(
        "learned temperatures", at_once(lambda _: [MKDConfig(meta_data="held_out")])
    ),
    "mmkd, judged by held-out samples": Strategy(
        "learned weights", at_once(lambda _: [MMKDConfig(meta_data="held_out")]), takes_several=True
    ),
}


@dataclass
class Reads:
    """Ids of samples whose labels were read.

    Attributes:
        all: At any time and for any purpose.
        learned: Of held-out samples, those that a method learned from.
    """

    all: set[int] = field(default_factory=set)
    learned: set[int] = field(default_factory=set)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()
    labels, batch = Views.labels, HeldOut.batch

    def recorded_labels(self: Views, rows: Tensor, number: int) -> Tensor:
        found.all.update(self.sample_ids[rows.numpy()].tolist())
        return labels(self, rows, number)

    def recorded_batch(self: HeldOut, rows: Tensor) -> Batch:
        found.learned.update(self._views.sample_ids[rows.numpy()].tolist())
        return batch(self, rows)

    monkeypatch.setattr(Views, "labels", recorded_labels)
    monkeypatch.setattr(HeldOut, "batch", recorded_batch)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    torch.set_num_threads(1)
    return StudyFolder(Path(tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module")
def teachers(folder: StudyFolder) -> tuple[TeacherSpec, ...]:
    dataset = open_dataset("digits", folder.datasets)
    data = DataSpec(dataset.name, dataset.fingerprint)
    specs = tuple(TeacherSpec(data, "digit_cnn", "none", Recipe(), seed) for seed in range(3))
    for spec in specs:
        # What they know does not matter here.
        store_teacher(spec, folder, new_teacher(spec, folder), TeacherReport(0.1, 0.1, 0.0))
    return specs


def outcomes(
    strategy: Strategy, sampling: Sampling, teachers: tuple[TeacherSpec, ...], folder: StudyFolder
) -> Iterator[Outcome]:
    """Runs all that a strategy asks for in one setting and seed."""
    data = teachers[0].data
    asked = teachers if strategy.takes_several else teachers[:1]
    setting = Setting(data, sampling, asked, "digit_cnn_tiny")
    image_shape, classes = (1, 8, 8), 10
    case = Case(setting, RECIPE, SEED, image_shape, classes, None, 107, 20, 1069)
    spec = StudySpec(name="s", temperatures=(1.0, 4.0, 16.0), budget=4.0)
    search = Searching("it", strategy, case, case.choices("it", spec))
    known: dict[str, float] = {}
    while wanted := search.wants(lambda trial: known.get(trial.id)):
        outcome = run_trial(wanted[0].trial, folder, None)
        known[wanted[0].trial.id] = outcome.epochs[-1].validation.accuracy
        yield outcome


@pytest.mark.parametrize("name", VARIANTS)
def test_every_strategy_reads_the_labels_of_its_setting_and_seed_and_no_others(
    name: str, reads: Reads, teachers: tuple[TeacherSpec, ...], folder: StudyFolder
) -> None:
    sampling = Sampling(0.1, "none")
    samples = open_samples(teachers[0].data, folder)
    labels, splits = samples.dataset.labels, samples.splits
    train = set(sampling.sample_ids(splits.train, labels, SEED).tolist())
    held_out = set(sampling.held_out_ids(splits, labels, SEED).tolist())
    found = list(outcomes(VARIANTS[name], sampling, teachers, folder))

    assert reads.all - set(splits.test.tolist()) == train | held_out
    # What the store says of them is what was read.
    assert {outcome.train_samples for outcome in found} == {len(train)}
    assert {outcome.validation_samples for outcome in found} == {len(held_out)}
    assert reads.learned <= held_out
    learned = {outcome.validation_samples_learned for outcome in found}
    assert learned == ({len(held_out)} if reads.learned else {0})


@pytest.mark.parametrize(
    ("name", "learns"),
    [("meta", False), ("mmkd", False), ("metadistil-own-quiz", False), ("metadistil", True)],
)
def test_who_learns_from_held_out_samples(
    name: str,
    learns: bool,
    reads: Reads,
    teachers: tuple[TeacherSpec, ...],
    folder: StudyFolder,
) -> None:
    list(outcomes(STRATEGIES[name], Sampling(0.1, "none"), teachers, folder))
    assert bool(reads.learned) == learns


def test_all_of_validation_where_it_is_asked_for(
    reads: Reads, teachers: tuple[TeacherSpec, ...], folder: StudyFolder
) -> None:
    sampling = Sampling(0.1, "none", validation="full")
    (outcome,) = outcomes(STRATEGIES["metadistil"], sampling, teachers, folder)
    splits = open_samples(teachers[0].data, folder).splits
    assert set(splits.validation.tolist()) <= reads.all
    assert outcome.validation_samples == outcome.validation_samples_learned == 189
    assert np.isin(sorted(reads.learned), splits.validation).all()
