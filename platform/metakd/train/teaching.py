"""Trains a teacher: plain cross-entropy, in this process or with the others of its group."""

import time
from collections.abc import Callable

from torch import nn

from metakd.atomic import new_file
from metakd.core.distillers import CrossEntropyConfig
from metakd.core.training import Training
from metakd.data.counter_random import derive_seed
from metakd.models.given_weights import given_weights, load_weights, read_weights
from metakd.models.names import brings_weights
from metakd.models.pretrained import create_trained
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S, InFlight
from metakd.train.inputs import ShuffledBatches
from metakd.train.samples import Samples, open_samples
from metakd.train.teacher import TeacherReport, given_file, new_teacher, store_teacher
from metakd.train.trial import TeacherSpec

EPOCHS_FILE = "epochs-done.txt"


def teach(
    spec: TeacherSpec,
    folder: StudyFolder,
    save_interval_s: float = SAVE_INTERVAL_S,
    on_epoch: Callable[[int], None] = lambda done: None,
) -> None:
    """Trains and stores a teacher in this process, with the others of its process group if any.

    One whose name brings weights is stored with them as they are.

    Args:
        spec: The teacher.
        folder: Where it is stored, and its states while it is trained.
        save_interval_s: At least so much time lies between two states.
        on_epoch: Called after each epoch with how many are done, on every worker.
    """
    samples = open_samples(spec.data, folder)
    share = samples.share
    model = new_teacher(spec, folder)
    clock = time.perf_counter()
    if given_weights(spec.model) is not None:
        given = given_file(spec, folder)
        folder.fetch(given)
        load_weights(model, read_weights(given), spec.model)
        _store(spec, folder, samples, model, clock)
        if share.rank == 0:
            folder.remove(given)
        return
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
        share.seed_dropout(spec.seed, training.epochs_done)
        training.run_epoch()
        if share.rank == 0:
            epochs_file = folder.teachers / spec.id / EPOCHS_FILE
            with new_file(epochs_file) as draft:
                draft.write_text(str(training.epochs_done))
            folder.push(epochs_file)
            if in_flight.is_due:
                spent_s = time.perf_counter() - clock
                state = {"training": training.state_dict(), "spent_s": spent_s}
                in_flight.save(training.epochs_done, state)
        on_epoch(training.epochs_done)
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
