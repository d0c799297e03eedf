"""Ray Train teaches the teachers: plain cross-entropy, DDP over however many workers."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ray.train

from metakd.errors import UserError
from metakd.memory import MemoryRanOutError, is_about_memory
from metakd.train.failure_report import reason_of
from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources
from metakd.train.teacher import TeacherReport, pushed_report, read_report
from metakd.train.teaching import EPOCHS_FILE, teach
from metakd.train.torch_trainer import new_trainer
from metakd.train.trial import TeacherSpec

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
        MemoryRanOutError: If memory ran out.
        StoreError: If a teacher is not there all the same.
    """
    missing = [spec for spec in specs if read_report(spec, folder) is None]
    failures: list[BaseException] = []
    waiting = iter(missing)

    def fit_one_after_the_other() -> None:
        for spec in waiting:
            try:
                _fit(spec, folder, resources, at_once)
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
            folder.fetch(epochs_file, anew=True)
            if epochs_file.exists() and read_report(spec, folder) is None:
                on_epoch(spec, int(epochs_file.read_text()))
    if failures:
        raise failures[0]
    return [pushed_report(spec, folder) for spec in specs]


def _fit(spec: TeacherSpec, folder: StudyFolder, resources: Resources, at_once: int) -> None:
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
        reason = reason_of(str(error))
        if is_about_memory(reason):
            raise MemoryRanOutError(f"the teacher {spec.model}", reason, at_once) from error
        raise TeacherTrainingError(
            f"the teacher {spec.model} could not be trained: {reason}"
        ) from error


def _teach_on_worker(config: dict[str, Any]) -> None:
    config["resources"].claim()
    teach(config["spec"], config["folder"])
