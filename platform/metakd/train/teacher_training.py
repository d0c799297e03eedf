"""Ray Train teaches the teachers: plain cross-entropy, DDP over however many workers."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray.train
import torch
from torch import nn

from metakd.atomic import new_file
from metakd.core.distillers import CrossEntropyConfig
from metakd.core.training import Training
from metakd.data.counter_random import derive_seed
from metakd.errors import UserError
from metakd.models.names import brings_weights
from metakd.models.pretrained import create_trained
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S, InFlight
from metakd.train.inputs import ShuffledBatches
from metakd.train.resources import Resources
from metakd.train.samples import Samples, open_samples
from metakd.train.teacher import TeacherReport, new_teacher, read_report, store_teacher
from metakd.train.torch_trainer import new_trainer
from metakd.train.trial import TeacherSpec

EPOCHS_FILE = "epochs-done.txt"
WATCH_INTERVAL_S = 1.0


class TeacherTrainingError(UserError):
    """A teacher could not be trained."""


def train_teachers(
    specs: Sequence[TeacherSpec],
    folder: StudyFolder,
    resources: Resources,
    at_once: int = 1,
    on_epoch: Callable[[TeacherSpec, int], None] = lambda spec, done: None,
) -> list[TeacherReport]:
    """Trains teachers with DDP on Ray Train workers; those that are there already stay.

    A training that was stopped goes on from its last kept state.

    Args:
        specs: The teachers.
        folder: Where they are stored: ``teachers/<id>/model.pt`` and ``teacher.json``.
        resources: What each of them is given.
        at_once: How many are trained side by side.
        on_epoch: Called now and then with a teacher under training and its epochs done.

    Returns:
        How good they are, in the order of the specs.

    Raises:
        TeacherTrainingError: If training failed.
    """
    missing = [spec for spec in specs if read_report(spec, folder) is None]
    failures: list[BaseException] = []
    waiting = iter(missing)

    def fit_one_after_the_other() -> None:
        for spec in waiting:
            try:
                _fit(spec, folder, resources)
            except BaseException as error:
                failures.append(error)

    # In the main thread Ray would take over Ctrl-C, keep it after the fit, and exit with code 0.
    threads = [
        threading.Thread(target=fit_one_after_the_other, daemon=True) for _ in range(at_once)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not failures:
        threads[0].join(WATCH_INTERVAL_S)
        for spec in missing:
            epochs_file = folder.teachers / spec.id / EPOCHS_FILE
            folder.bring(epochs_file, anew=True)
            if epochs_file.exists() and read_report(spec, folder) is None:
                on_epoch(spec, int(epochs_file.read_text()))
    if failures:
        raise failures[0]
    return [_found(spec, folder) for spec in specs]


def _fit(spec: TeacherSpec, folder: StudyFolder, resources: Resources) -> None:
    trainer = new_trainer(
        _teach_on_worker,
        {"spec": spec, "folder": folder},
        resources,
        folder,
        name=f"teacher-{spec.model}-{spec.id}",
        max_failures=1,
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TeacherTrainingError(
            f"the teacher {spec.model} could not be trained: {reason}"
        ) from error


def _found(spec: TeacherSpec, folder: StudyFolder) -> TeacherReport:
    report = read_report(spec, folder)
    # One that was stopped after it was stored here may not have handed it over.
    folder.hand_over(folder.teachers / spec.id)
    if report is None:
        raise TeacherTrainingError(
            f"the teacher {spec.model} was trained, but is not in {folder.teachers}"
        )
    return report


def _teach_on_worker(config: dict[str, Any]) -> None:
    config["resources"].claim()
    teach(config["spec"], config["folder"])


def teach(spec: TeacherSpec, folder: StudyFolder, save_interval_s: float = SAVE_INTERVAL_S) -> None:
    """Trains and stores a teacher in this process, with the others of its process group if any.

    One whose name brings weights is stored with them as they are.

    Args:
        spec: The teacher.
        folder: Where it is stored, and its states while it is trained.
        save_interval_s: At least so much time lies between two states.
    """
    samples = open_samples(spec.data, folder)
    share = samples.share
    model = new_teacher(spec, folder)
    clock = time.perf_counter()
    if brings_weights(spec.model):
        dataset = samples.dataset
        trained = create_trained(spec.model, dataset.image_shape, dataset.num_classes)
        model.load_state_dict(trained.state_dict())
        _store(spec, folder, samples, model, clock)
        return
    views = samples.views(
        spec.augmentation,
        derive_seed(spec.seed, "augmentation"),
        samples.splits.train,
        passes=spec.recipe.epochs,
    )
    batches = ShuffledBatches(
        views,
        spec.recipe.batch_size,
        derive_seed(spec.seed, "order"),
        samples.normalise,
        workers=samples.workers,
        share=share,
    )
    training = Training(
        share.wrap(model),
        CrossEntropyConfig().build(),
        spec.recipe,
        batches,
        autocast=samples.autocast,
    )
    in_flight = InFlight(folder, spec.id, save_interval_s)
    kept = share.agreed(in_flight.latest)
    spent_s = 0.0
    if kept is not None:
        training.load_state_dict(kept["training"])
        spent_s = kept["spent_s"]
    clock = time.perf_counter() - spent_s
    while not training.is_done:
        torch.manual_seed(share.dropout_seed(spec.seed, training.epochs_done))
        training.run_epoch()
        if share.rank == 0:
            epochs_file = folder.teachers / spec.id / EPOCHS_FILE
            with new_file(epochs_file) as draft:
                draft.write_text(str(training.epochs_done))
            folder.hand_over(epochs_file)
            if in_flight.is_due:
                spent_s = time.perf_counter() - clock
                state = {"training": training.state_dict(), "spent_s": spent_s}
                in_flight.save(training.epochs_done, state)
    _store(spec, folder, samples, model, clock)
    if share.rank == 0:
        in_flight.forget()


def _store(
    spec: TeacherSpec, folder: StudyFolder, samples: Samples, model: nn.Module, clock: float
) -> None:
    """Stores a finished teacher with its report; ``clock`` is when it was begun."""
    report = TeacherReport(
        val_acc=samples.evaluate(model, samples.validation).accuracy,
        test_acc=samples.evaluate(model, samples.test).accuracy,
        train_s=time.perf_counter() - clock,
    )
    if samples.share.rank == 0:
        store_teacher(spec, folder, model, report)
