"""A trial ready to run on a device of one's choice, in a precision of one's choice, without Ray."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple
from unittest.mock import patch

import torch
from torch import nn

from gpu_checks.case import Setup
from metakd.core.distillers import (
    CrossEntropyConfig,
    DistillerConfig,
    MeanLossesConfig,
    SeveralTeachersConfig,
)
from metakd.core.recipe import Recipe
from metakd.data.datasets import open_dataset
from metakd.train import bank_building, student, teacher, teaching
from metakd.train.folder import StudyFolder
from metakd.train.samples import Samples, open_samples
from metakd.train.sampling import Sampling
from metakd.train.student import Outcome, run_trial
from metakd.train.teacher import TeacherReport, new_teacher, store_teacher
from metakd.train.trial import DataSpec, TeacherSpec, Trial

SHARPER = 20
"""An untrained teacher's last layer is made so much larger: what it says has to matter."""


class Prepared(NamedTuple):
    """A folder with a dataset and two teachers, and a trial that asks both."""

    folder: StudyFolder
    trial: Trial

    def taught_by(self, distiller: DistillerConfig) -> Trial:
        """Returns the trial with a distiller, and the teachers that it asks."""
        first, second = self.trial.teachers
        further = (second,) if isinstance(distiller, SeveralTeachersConfig) else ()
        asked = first if distiller.uses_teacher else None
        return replace(self.trial, distiller=distiller, teacher=asked, further_teachers=further)


@dataclass(frozen=True)
class SamplesOn(Samples):
    """A dataset whose models are trained in a chosen precision."""

    chosen: torch.dtype | None = None

    @property
    def autocast(self) -> torch.dtype | None:
        """The chosen one."""
        return self.chosen


@contextmanager
def training_on(device: str, autocast: torch.dtype | None = None) -> Iterator[None]:
    """Has trials run inside on a device, in float32 or under autocast."""

    def opened(data: DataSpec, folder: StudyFolder) -> Samples:
        samples = open_samples(data, folder)
        shown = (samples.dataset, samples.splits, device, samples.workers, samples.share)
        return SamplesOn(*shown, chosen=autocast)

    with ExitStack() as stack:
        for module in (student, teacher, teaching, bank_building):
            stack.enter_context(patch.object(module, "open_samples", opened))
        yield


def run_on(
    device: str, trial: Trial, folder: StudyFolder, autocast: torch.dtype | None = None
) -> Outcome:
    """Runs a trial on a device; no state of another device's run is kept for it to go on from."""
    with training_on(device, autocast):
        return run_trial(trial, folder, None, save_interval_s=math.inf)


def prepare(setup: Setup, dataset: str, name: str) -> Prepared:
    """Prepares a dataset, untrained teachers whose logits are sharp, and a trial of 50 steps.

    Args:
        setup: Where checks are run.
        dataset: As ``open_dataset`` takes it.
        name: Of the folder.
    """
    folder = StudyFolder(setup.work / name)
    opened = open_dataset(dataset, folder.datasets)
    data = DataSpec(opened.name, opened.fingerprint)
    is_small = opened.image_shape[1] < 16
    model = "digit_mlp" if is_small else "cifar_cnn_small"
    teachers = [TeacherSpec(data, model, "standard", Recipe(epochs=1), seed) for seed in (0, 1)]
    with training_on("cpu"):
        for spec in teachers:
            built = new_teacher(spec, folder)
            *_, head = (layer for layer in built.modules() if isinstance(layer, nn.Linear))
            with torch.no_grad():
                head.weight.mul_(SHARPER)
            store_teacher(spec, folder, built, TeacherReport(0.1, 0.1, 0.0))
    batch, steps_an_epoch = setup.size((32, 10), (10, 3))
    per_class = batch * steps_an_epoch // opened.num_classes
    trial = Trial(
        data,
        Sampling(
            scale=min(1.0, per_class * opened.num_classes / len(opened.labels)),
            augmentation="standard",
            images_per_class=per_class,
        ),
        None,
        "digit_cnn_tiny" if is_small else setup.size("cifar_resnet8", "cifar_cnn_tiny"),
        Recipe(epochs=setup.size(5, 1), batch_size=batch, lr=0.01),
        CrossEntropyConfig(),
        seed=4,
    )
    return Prepared(
        folder,
        replace(
            trial,
            teacher=teachers[0],
            further_teachers=(teachers[1],),
            distiller=MeanLossesConfig(),
        ),
    )
