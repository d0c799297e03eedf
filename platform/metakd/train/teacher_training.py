"""Ray Train teaches the teachers: plain cross-entropy, DDP over however many workers."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray.train
import ray.train.torch
import torch
from torch.nn.parallel import DistributedDataParallel

from metakd.atomic import new_file
from metakd.core.distillers import CrossEntropyConfig
from metakd.core.evaluation import evaluate
from metakd.core.training import EpochRecord, train
from metakd.data.counter_random import derive_seed
from metakd.train.folder import StudyFolder
from metakd.train.inputs import ShuffledBatches
from metakd.train.samples import open_samples
from metakd.train.teacher import TeacherReport, new_teacher, read_report, store_teacher
from metakd.train.trial import TeacherSpec

EPOCHS_FILE = "epochs-done.txt"
WATCH_INTERVAL_S = 1.0


class TeacherError(RuntimeError):
    """A teacher could not be trained."""


def train_teacher(
    spec: TeacherSpec,
    folder: StudyFolder,
    workers: int,
    cpus: int,
    use_gpu: bool,
    on_epoch: Callable[[int], None] = lambda done: None,
) -> TeacherReport:
    """Trains the teacher with DDP on ``workers`` Ray Train workers; does nothing if it is there.

    Args:
        spec: The teacher.
        folder: Where it is stored: ``teachers/<id>/model.pt`` and ``teacher.json``.
        workers: How many workers share each batch.
        cpus: CPUs, and torch threads, of each worker.
        use_gpu: Whether each worker has a GPU.
        on_epoch: Called now and then with the number of epochs that are done.

    Raises:
        TeacherError: If training failed.
    """
    found = read_report(spec, folder)
    if found is not None:
        return found
    trainer = ray.train.torch.TorchTrainer(
        _teach_on_worker,
        train_loop_config={"spec": spec, "folder": folder, "cpus": cpus},
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker={"CPU": cpus}
        ),
        run_config=ray.train.RunConfig(
            name=f"teacher-{spec.model}-{spec.id}",
            storage_path=str(folder.ray.resolve()),
            failure_config=ray.train.FailureConfig(max_failures=1, controller_failure_limit=2),
        ),
    )
    try:
        _fit(trainer, folder.teachers / spec.id / EPOCHS_FILE, on_epoch)
    except ray.train.TrainingFailedError as error:
        reason = str(error).strip().splitlines()[-1]
        raise TeacherError(f"the teacher {spec.model} could not be trained: {reason}") from error
    report = read_report(spec, folder)
    if report is None:
        raise TeacherError(f"the teacher {spec.model} was trained, but is not in {folder.teachers}")
    return report


def _fit(
    trainer: ray.train.torch.TorchTrainer, epochs_file: Path, on_epoch: Callable[[int], None]
) -> None:
    """Fits in a thread, relaying the epochs that rank 0 notes in a file meanwhile.

    In the main thread Ray would take over Ctrl-C, keep it after the fit, and exit with code 0.
    """
    failures: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(WATCH_INTERVAL_S)
        if epochs_file.exists():
            on_epoch(int(epochs_file.read_text()))
    if failures:
        raise failures[0]


def _teach_on_worker(config: dict[str, Any]) -> None:
    spec: TeacherSpec = config["spec"]
    folder: StudyFolder = config["folder"]
    torch.set_num_threads(config["cpus"])
    context = ray.train.get_context()
    started = time.perf_counter()

    samples = open_samples(spec.data, folder)
    model = ray.train.torch.prepare_model(new_teacher(spec, folder))
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
        rank=context.get_world_rank(),
        world_size=context.get_world_size(),
    )

    def relay(record: EpochRecord) -> None:
        if context.get_world_rank() == 0:
            with new_file(folder.teachers / spec.id / EPOCHS_FILE) as draft:
                draft.write_text(str(record.epoch + 1))
        ray.train.report({"epoch": record.epoch, "train_loss": record.train_loss})

    train(model, CrossEntropyConfig().build(), spec.recipe, batches, on_epoch=relay)
    if context.get_world_rank() == 0:
        bare = model.module if isinstance(model, DistributedDataParallel) else model
        report = TeacherReport(
            val_acc=evaluate(bare, samples.validation).accuracy,
            test_acc=evaluate(bare, samples.test).accuracy,
            train_s=time.perf_counter() - started,
        )
        store_teacher(spec, folder, bare, report)
