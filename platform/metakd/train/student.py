"""Trains the student of one trial."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.core.evaluation import Evaluation, evaluate
from metakd.core.training import EpochRecord, train
from metakd.data.bank import Stored, open_answers, open_views
from metakd.data.counter_random import derive_seed
from metakd.models.create import create_model
from metakd.train.folder import StudyFolder
from metakd.train.inputs import HeldOutMetaBatches, ShuffledBatches
from metakd.train.samples import Samples, open_samples
from metakd.train.sampling import training_views
from metakd.train.teacher import open_teacher
from metakd.train.trial import Trial


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial: what the loop recorded, and validation at its end."""

    record: EpochRecord
    validation: Evaluation
    elapsed_s: float


class Bank(NamedTuple):
    """What of a trial was made before it: the teacher's answers, and perhaps the views."""

    id: str
    has_views: bool


@dataclass(frozen=True)
class Outcome:
    """What a finished trial brought.

    Attributes:
        epochs: Its curve.
        selected_epoch: The first epoch with the best validation accuracy.
        test_last: Test at the last epoch, the headline.
        test_selected: Test at the selected epoch.
        train_samples: How many samples it trained on.
        validation_samples: How many chose its epoch.
        test_samples: How many judged it.
        started: When it began, UTC.
        wall_s: How long it took, from its content to this outcome.
        device: "cpu" or "cuda".
    """

    epochs: tuple[Epoch, ...]
    selected_epoch: int
    test_last: Evaluation
    test_selected: Evaluation
    train_samples: int
    validation_samples: int
    test_samples: int
    started: datetime
    wall_s: float
    device: str


def run_trial(
    trial: Trial,
    folder: StudyFolder,
    bank: Bank | None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Outcome:
    """Trains the trial's student from its first step to its last, and reads the test set.

    Args:
        trial: The content.
        folder: The study's folder, with the dataset and the teacher in it.
        bank: What of the trial's views and of the teacher's answers was made before; None makes
            them live.
        on_epoch: Called after each epoch.

    Raises:
        FloatingPointError: If the training loss stops being finite.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    samples = open_samples(trial.data, folder)
    batches = training_batches(trial, folder, samples, bank)
    student = (
        create_model(
            trial.student,
            samples.dataset.image_shape,
            samples.dataset.num_classes,
            seed=derive_seed(trial.seed, "init"),
        )
        .to(samples.device)
        .to(memory_format=torch.channels_last)
    )
    torch.manual_seed(derive_seed(trial.seed, "dropout"))

    epochs: list[Epoch] = []
    selected_epoch, selected_state = -1, copy.deepcopy(student.state_dict())

    def after_epoch(record: EpochRecord) -> None:
        nonlocal selected_epoch, selected_state
        validation = evaluate(student, samples.validation)
        if not epochs or validation.accuracy > epochs[selected_epoch].validation.accuracy:
            selected_epoch, selected_state = record.epoch, copy.deepcopy(student.state_dict())
        epochs.append(Epoch(record, validation, time.perf_counter() - clock))
        on_epoch(epochs[-1])

    train(
        student,
        trial.distiller.build(),
        trial.recipe,
        batches,
        HeldOutMetaBatches(samples.meta, trial.recipe.batch_size, trial.seed),
        after_epoch,
    )
    test_last = evaluate(student, samples.test)
    test_selected = test_last
    if selected_epoch < epochs[-1].record.epoch:
        student.load_state_dict(selected_state)
        test_selected = evaluate(student, samples.test)
    return Outcome(
        epochs=tuple(epochs),
        selected_epoch=selected_epoch,
        test_last=test_last,
        test_selected=test_selected,
        train_samples=batches.samples,
        validation_samples=len(samples.splits.validation),
        test_samples=len(samples.splits.test),
        started=started,
        wall_s=time.perf_counter() - clock,
        device=samples.device,
    )


def training_batches(
    trial: Trial, folder: StudyFolder, samples: Samples, bank: Bank | None
) -> ShuffledBatches:
    """Returns the batches that a trial's student trains on.

    Args:
        trial: The content.
        folder: The study's folder.
        samples: The trial's dataset, opened.
        bank: What was made before; None makes all of it live.

    Raises:
        BankError: If the bank does not hold what it should.
    """
    sampling, train_ids = trial.sampling, samples.splits.train
    views = training_views(
        sampling, trial.recipe, trial.seed, samples.dataset, train_ids, samples.device
    )
    answers: Stored | Callable[[Tensor], Tensor] | None = None
    if trial.teacher is not None:
        if bank is None:
            answers = open_teacher(trial.teacher, folder, sampling.logits)
        else:
            answers = open_answers(folder.banks, bank.id, trial.teacher.id, sampling.logits)
    stored = open_views(folder.banks, bank.id) if bank is not None and bank.has_views else None
    return ShuffledBatches(
        views,
        trial.recipe.batch_size,
        derive_seed(trial.seed, "order"),
        samples.normalise,
        stored,
        answers,
        sampling.steps_per_epoch(
            trial.recipe.batch_size, len(views.sample_ids), len(samples.splits.train)
        ),
        0 if stored else samples.workers,
    )
