"""Trains the student of one trial."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn

from metakd.core.evaluation import Evaluation
from metakd.core.training import Training
from metakd.data.bank import open_outputs, open_views
from metakd.data.counter_random import derive_seed
from metakd.models.student_files import write_weights
from metakd.results.searches import SETTING
from metakd.student_card import (
    CARD,
    WEIGHTS,
    KeepStudents,
    StudentCard,
    StudentFileError,
    preference,
    read_card,
)
from metakd.train.epochs import Epoch, Progress
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S, InFlight
from metakd.train.inputs import HeldOutMetaBatches, ShuffledBatches
from metakd.train.samples import Samples, open_samples
from metakd.train.sampling import training_views
from metakd.train.teacher import open_module, open_teacher, open_teacher_with_features
from metakd.train.teacher_outputs import FEATURES, LOGITS, Teacher, Teachers
from metakd.train.trial import TeacherSpec, Trial, teachers_name


@dataclass(frozen=True)
class Bank:
    """What of a trial was made before it: the teachers' logits, and perhaps views and features."""

    id: str
    has_views: bool
    has_features: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of a finished trial.

    Attributes:
        epochs: Its curve.
        selected_epoch: The first epoch with the best validation accuracy.
        test_last: Test at the last epoch, the headline; None of a run that a search stopped.
        test_selected: Test at the selected epoch, likewise.
        teacher_test: Test of a teacher that the method changed, at the last epoch; None where it
            stays as it was, and likewise.
        train_samples: How many samples it trained on.
        validation_samples: How many were held out: they chose its epoch, and whatever chooses among
            trials chooses by them.
        validation_samples_learned: How many of them its method learned from, all or 0.
        test_samples: How many judged it.
        started: When it began, UTC.
        wall_s: How long it took, from its content to this outcome.
        device: "cpu" or "cuda".
        precision: The type of the student's passes.
        workers: How many shared each batch.
        student: Of the student after the last epoch, if its weights were written.
    """

    epochs: tuple[Epoch, ...]
    selected_epoch: int
    test_last: Evaluation | None
    test_selected: Evaluation | None
    teacher_test: Evaluation | None
    train_samples: int
    validation_samples: int
    validation_samples_learned: int
    test_samples: int
    started: datetime
    wall_s: float
    device: str
    precision: str
    workers: int
    student: StudentCard | None = None


def run_trial(
    trial: Trial,
    folder: StudyFolder,
    bank: Bank | None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    save_interval_s: float = SAVE_INTERVAL_S,
    keep_students: KeepStudents = "none",
) -> Outcome:
    """Trains the trial's student to its last step, and reads the test set.

    It begins at the first step, or where this trial was stopped before. Where a
    search stops it before its recipe's end, the test set is not read and the state is kept. In the
    processes of a torch process group each has its share of every batch, and all of them come to
    the same outcome.

    Args:
        trial: The content.
        folder: The study's folder, with the dataset and the teacher in it.
        bank: What of the trial's views and of the teacher's outputs was made before; None makes
            them live.
        on_epoch: Called after each epoch, on every worker.
        save_interval_s: At least so much time lies between two states that are kept.
        keep_students: Which students the study keeps; unless it is none of them, the weights after
            the last epoch are written below the folder, for the driver to keep or to remove.

    Raises:
        FloatingPointError: If the training loss stops being finite.
    """
    began, progress = time.perf_counter(), Progress(started=datetime.now(UTC))
    samples = open_samples(trial.data, folder)
    batches = training_batches(trial, folder, samples, bank)
    held_out_ids = trial.sampling.held_out_ids(samples.splits, samples.dataset.labels, trial.seed)
    held_out = samples.held_out(held_out_ids)
    share = samples.share
    student = samples.new_model(trial.student, trial.seed)
    distiller = trial.distiller.build()
    # What else is trained beside the student is thrown away with its training.
    trained = student
    if trial.distiller.takes_several:
        seed = derive_seed(trial.seed, "extension")
        trained = distiller.extend(student, batches.example(), seed)
    if trial.distiller.moves_teacher:
        assert trial.teacher is not None
        distiller.take_teacher(open_module(trial.teacher, folder).requires_grad_())
    learns_from_held_out = distiller.meta_data == "held_out"
    training = Training(
        share.wrap(trained),
        distiller,
        trial.recipe,
        batches,
        HeldOutMetaBatches(held_out, trial.recipe.batch_size, trial.seed)
        if learns_from_held_out
        else None,
        samples.autocast,
    )
    in_flight = InFlight(folder, trial.whole.id, save_interval_s)
    kept = share.agreed(lambda: _latest_state(trial, folder))
    if kept is not None:
        training.load_state_dict(kept["training"])
        progress = Progress.restored(kept["progress"])
    clock = began - progress.elapsed_s
    while training.epochs_done < trial.epochs:
        share.seed_dropout(trial.seed, training.epochs_done)
        record = training.run_epoch()
        validation = samples.evaluate(student, held_out)
        taught_by = progress.epochs[-1].teacher_validation if progress.epochs else None
        if distiller.teacher is not None and (taught_by is None or record.meta_steps > 0):
            taught_by = samples.evaluate(distiller.teacher, held_out)
        progress.elapsed_s = time.perf_counter() - clock
        progress.add(record, validation, student, taught_by)
        on_epoch(progress.epochs[-1])
        is_last = training.epochs_done == trial.epochs
        if share.rank == 0 and in_flight.is_due and not is_last and training.can_be_saved:
            in_flight.save(training.epochs_done, _state(training, progress))

    if trial.stop_after is not None and share.rank == 0 and training.can_be_saved:
        in_flight.branch(training.epochs_done, _state(training, progress))
    test_last = test_selected = teacher_test = card = None
    if trial.stop_after is None:
        if distiller.teacher is not None:
            teacher_test = samples.evaluate(distiller.teacher, samples.test)
        test_last = test_selected = samples.evaluate(student, samples.test)
        if keep_students != "none" and share.rank == 0:
            learned = len(held_out) if learns_from_held_out else 0
            ranked = _ranked(trial, progress.epochs[-1].validation.accuracy, learned)
            if keep_students != "best" or not _is_beaten(ranked, folder):
                card = _keep(student, trial, samples, folder, keep_students)
        if progress.selected_epoch < training.epochs_done - 1:
            student.load_state_dict(progress.selected_state)
            test_selected = samples.evaluate(student, samples.test)
    if share.rank == 0:
        in_flight.drop_copies()
    return Outcome(
        epochs=tuple(progress.epochs),
        selected_epoch=progress.selected_epoch,
        test_last=test_last,
        test_selected=test_selected,
        teacher_test=teacher_test,
        train_samples=batches.samples,
        validation_samples=len(held_out),
        validation_samples_learned=len(held_out) if learns_from_held_out else 0,
        test_samples=len(samples.splits.test),
        started=progress.started,
        wall_s=time.perf_counter() - clock,
        device=samples.device,
        precision=str(samples.autocast or torch.float32).removeprefix("torch."),
        workers=share.workers,
        student=card,
    )


def _ranked(trial: Trial, val_acc: float, learned: int) -> dict[str, Any]:
    """Returns what of a trial's row its student is ranked by, among those of its setting."""
    return {
        "dataset": trial.data.dataset,
        "scale": trial.sampling.scale,
        "augmentation": trial.sampling.augmentation,
        "teacher": teachers_name(trial.teachers),
        "student": trial.student,
        "val_acc_last": val_acc,
        "validation_samples_learned": learned,
        "trial_id": trial.id,
    }


def _is_beaten(ranked: Mapping[str, Any], folder: StudyFolder) -> bool:
    """Says whether a better student of the same setting is kept: weights need not travel then.

    A run without a teacher is of several settings, which only the driver knows.
    """
    if ranked["teacher"] is None:
        return False
    for name in folder.names(folder.students):
        if not name.endswith(CARD):
            continue
        card = folder.students / name
        try:
            folder.fetch(card)
            kept = read_card(card)
        except (StudentFileError, FileNotFoundError):
            # A better one took its place.
            continue
        row = kept.trial
        is_alike = kept.kept == "best" and all(row[name] == ranked[name] for name in SETTING)
        if is_alike and preference(row) < preference(ranked):
            return True
    return False


def _keep(
    student: nn.Module, trial: Trial, samples: Samples, folder: StudyFolder, kept: KeepStudents
) -> StudentCard:
    """Writes a student's weights, and returns what is to be known of them."""
    place = folder.students / f"{trial.id}{WEIGHTS}"
    write_weights(place, student.state_dict())
    folder.push(place)
    folder.drop_copies(place)
    normalise, dataset = samples.normalise, samples.dataset
    return StudentCard(
        trial.student,
        dataset.image_shape,
        tuple(dataset.class_names),
        tuple(normalise.mean.flatten().tolist()),
        tuple(normalise.std.flatten().tolist()),
        kept,
    )


def _state(training: Training, progress: Progress) -> dict[str, Any]:
    return {"training": training.state_dict(), "progress": progress.as_state()}


def _latest_state(trial: Trial, folder: StudyFolder) -> dict[str, Any] | None:
    """Returns the state with the most epochs of this training that was kept."""
    for training_id, epochs in trial.origins:
        state = InFlight(folder, training_id).latest(epochs)
        if state is not None:
            return state
    return None


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
    if bank is not None:
        folder.fetch(folder.banks / bank.id)
    stored = open_views(folder.banks, bank.id) if bank is not None and bank.has_views else None
    return ShuffledBatches(
        views,
        trial.recipe.batch_size,
        derive_seed(trial.seed, "order"),
        samples.normalise,
        stored,
        _teachers(trial, folder, bank) if trial.teachers else None,
        sampling.steps_per_epoch(
            trial.recipe.batch_size, len(views.sample_ids), len(samples.splits.train)
        ),
        0 if stored else samples.workers,
        samples.share,
    )


def _teachers(trial: Trial, folder: StudyFolder, bank: Bank | None) -> Teachers:
    distiller, kept_as = trial.distiller, trial.sampling.logits
    kept = set() if bank is None else {LOGITS}
    if bank is not None and bank.has_features and distiller.uses_features:
        kept.add(FEATURES)

    def opened(spec: TeacherSpec) -> Teacher:
        stored = {
            name: open_outputs(folder.banks, bank.id, spec.id, kept_as, name)
            for name in sorted(kept)
            if bank is not None
        }
        if distiller.uses_features and FEATURES not in kept:
            return Teacher(stored, open_teacher_with_features(spec, folder, kept_as))
        if LOGITS in kept:
            return Teacher(stored)
        forward = open_teacher(spec, folder, kept_as)
        return Teacher(stored, lambda inputs: {LOGITS: forward(inputs)})

    return Teachers([opened(spec) for spec in trial.teachers], distiller.takes_several)
