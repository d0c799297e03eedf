"""Trains the student of one trial."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from metakd.core.batches import TrainingBatches
from metakd.core.evaluation import Evaluation, evaluate
from metakd.core.training import EpochRecord, train
from metakd.data.bank import ViewBank
from metakd.data.counter_random import derive_seed
from metakd.data.splits import nested_subset
from metakd.models.create import create_model
from metakd.train.folder import StudyFolder
from metakd.train.inputs import BankBatches, HeldOutMetaBatches, LiveBatches, dataset_tensors
from metakd.train.samples import EVALUATION_BATCH, Samples, open_samples
from metakd.train.teacher import open_teacher
from metakd.train.trial import Trial


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial: what the loop recorded, and validation at its end."""

    record: EpochRecord
    validation: Evaluation
    elapsed_s: float


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
    bank: str | None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Outcome:
    """Trains the trial's student from its first step to its last, and reads the test set.

    Args:
        trial: The content.
        folder: The study's folder, with the dataset and the teacher in it.
        bank: Id of the bank that holds the trial's views; None makes them live.
        on_epoch: Called after each epoch.

    Raises:
        FloatingPointError: If the training loss stops being finite.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    samples = open_samples(trial.data, folder)
    ids = nested_subset(samples.splits.train, samples.dataset.labels, trial.scale, trial.seed)
    student = create_model(
        trial.student,
        samples.dataset.image_shape,
        samples.dataset.num_classes,
        seed=derive_seed(trial.seed, "init"),
    ).to(samples.device)
    torch.manual_seed(derive_seed(trial.seed, "dropout"))

    epochs: list[Epoch] = []
    selected_epoch, selected_state = -1, copy.deepcopy(student.state_dict())

    def after_epoch(record: EpochRecord) -> None:
        nonlocal selected_epoch, selected_state
        validation = evaluate(student, *samples.validation, EVALUATION_BATCH)
        if not epochs or validation.accuracy > epochs[selected_epoch].validation.accuracy:
            selected_epoch, selected_state = record.epoch, copy.deepcopy(student.state_dict())
        epochs.append(Epoch(record, validation, time.perf_counter() - clock))
        on_epoch(epochs[-1])

    train(
        student,
        trial.distiller.build(),
        trial.recipe,
        _training_batches(trial, folder, samples, ids, bank),
        HeldOutMetaBatches(*samples.meta, trial.recipe.batch_size, trial.seed),
        after_epoch,
    )
    test_last = evaluate(student, *samples.test, EVALUATION_BATCH)
    student.load_state_dict(selected_state)
    return Outcome(
        epochs=tuple(epochs),
        selected_epoch=selected_epoch,
        test_last=test_last,
        test_selected=evaluate(student, *samples.test, EVALUATION_BATCH),
        train_samples=len(ids),
        validation_samples=len(samples.splits.validation),
        test_samples=len(samples.splits.test),
        started=started,
        wall_s=time.perf_counter() - clock,
        device=samples.device,
    )


def _training_batches(
    trial: Trial, folder: StudyFolder, samples: Samples, ids: NDArray[np.int64], bank: str | None
) -> TrainingBatches:
    images, labels = dataset_tensors(samples.dataset, ids)
    order_seed = derive_seed(trial.seed, "order")
    teacher = trial.teacher
    if bank is not None:
        return BankBatches(
            ViewBank.open(folder.banks, bank, None if teacher is None else teacher.id),
            labels.to(samples.device),
            trial.recipe.batch_size,
            order_seed,
            samples.normalise,
        )
    return LiveBatches(
        images,
        torch.from_numpy(ids),
        labels.to(samples.device),
        trial.augmentation,
        derive_seed(trial.seed, "augmentation"),
        None if teacher is None else open_teacher(teacher, folder),
        trial.recipe.batch_size,
        order_seed,
        samples.normalise,
    )
