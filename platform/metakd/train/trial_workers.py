"""Ray Train workers that train trial after trial, each with its share of every batch.

A worker group takes many seconds to start, as long as a small trial runs; so one group serves all
the trials that its driver is given. Trials go to the workers, and their epochs come back, over a
queue, a small Ray actor: Ray Train's own reports belong to a whole fit, not to one of its trials.
"""

import asyncio
import itertools
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

import ray
import ray.train.torch
from ray.util.placement_group import get_current_placement_group

from metakd.results.writer import FinishedTrial
from metakd.student_card import KeepStudents
from metakd.train.commit import result_of
from metakd.train.epochs import Epoch
from metakd.train.failure_report import reason_of
from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources
from metakd.train.share import Share
from metakd.train.student import Bank, run_trial
from metakd.train.torch_trainer import new_trainer
from metakd.train.trial import Trial

POLL_S = 0.5


class WorkersError(RuntimeError):
    """A trial's workers failed, or died."""


@dataclass(frozen=True)
class Task:
    """One trial to train, as ``run_trial`` and ``result_of`` take it."""

    trial: Trial
    folder: StudyFolder
    bank: Bank | None
    git_commit: str
    save_interval_s: float
    keep_students: KeepStudents


class Report(NamedTuple):
    """What the first worker says of the present trial, after each epoch and once at its end.

    Attributes:
        epoch: The last one.
        result: Of the trial, at its end.
    """

    epoch: Epoch
    result: FinishedTrial | None = None


class TrialWorkers:
    """A group of Ray Train workers, started with its first trial.

    Args:
        resources: What they are.
        folder: The study's folder.
        keeper: The run's ``GroupKeeper``.
    """

    def __init__(self, resources: Resources, folder: StudyFolder, keeper: Any) -> None:  # noqa: ANN401
        self._queue = TaskQueue.remote()  # type: ignore[attr-defined]
        self._failures: list[BaseException] = []
        trainer = new_trainer(
            _train_on_worker,
            {"queue": self._queue, "keeper": keeper},
            resources,
            folder,
            name=f"students-{uuid4().hex[:8]}",
            # Who drives the trial decides whether it is tried again.
            max_failures=0,
        )
        self._fit = threading.Thread(target=self._run, args=(trainer,), daemon=True)
        self._fit.start()

    def train(self, task: Task) -> Iterator[Report]:
        """Trains a trial, and yields what happens meanwhile.

        A caller that iterates no further stops the trial, after the epoch that it is in.

        Raises:
            WorkersError: If a worker failed or died; no further trial can be trained then.
        """
        ray.get(self._queue.put.remote(pickle.dumps(task)))
        is_done = False
        try:
            while not is_done:
                packed: bytes | None = ray.get(self._queue.next_report.remote(POLL_S))
                if packed is not None:
                    report: Report = pickle.loads(packed)
                    is_done = report.result is not None
                    yield report
                elif not self._fit.is_alive():
                    raise WorkersError(self._reason())
        finally:
            if not is_done and self._fit.is_alive():
                ray.get(self._queue.stop.remote())

    def _run(self, trainer: ray.train.torch.TorchTrainer) -> None:
        try:
            trainer.fit()
        except BaseException as error:
            self._failures.append(error)

    def _reason(self) -> str:
        """Returns why they failed, in one line."""
        text = "\n".join(str(error) for error in self._failures)
        return reason_of(text) if text.strip() else "its workers ended before it did"


class _StoppedError(Exception):
    """The trial is not needed any more."""


def _train_on_worker(config: dict[str, Any]) -> None:
    config["resources"].claim()
    share, queue = Share.of_this_process(), config["queue"]
    if share.rank == 0:
        ray.get(config["keeper"].keep.remote(queue, get_current_placement_group()))
    for number in itertools.count():
        task: Task = pickle.loads(ray.get(queue.task.remote(number)))
        print(f"{task.trial.name} {task.trial.id}: started", flush=True)
        try:
            relay = _relay(number, share, queue)
            outcome = run_trial(
                task.trial, task.folder, task.bank, relay, task.save_interval_s, task.keep_students
            )
        except _StoppedError:
            continue
        if share.rank == 0:
            result = result_of(task.trial, outcome, task.git_commit)
            print(f"{task.trial.name} {task.trial.id}: done", flush=True)
            _send(queue, number, Report(outcome.epochs[-1], result))


def _relay(number: int, share: Share, queue: Any) -> Callable[[Epoch], None]:  # noqa: ANN401
    def relay(epoch: Epoch) -> None:
        # All workers have to stop after the same epoch.
        if share.agreed(lambda: _send(queue, number, Report(epoch))):
            raise _StoppedError

    return relay


def _send(queue: Any, number: int, report: Report) -> bool:  # noqa: ANN401
    """Sends a report on the trial of a number; returns whether that is to stop."""
    is_to_stop: bool = ray.get(queue.report.remote(number, pickle.dumps(report)))
    return is_to_stop


@ray.remote(num_cpus=0)
class TaskQueue:
    """Trials on their way to the workers, and the first worker's reports on theirs back."""

    def __init__(self) -> None:
        self._tasks: list[bytes] = []
        self._new_task = asyncio.Condition()
        self._reports: asyncio.Queue[bytes] = asyncio.Queue()
        self._stopped = -1

    async def is_there(self) -> None:
        """Returns for as long as the driver lives, which owns this actor."""

    async def put(self, task: bytes) -> None:
        """Adds the next trial."""
        # What a stopped trial still reported is not of this one.
        self._reports = asyncio.Queue()
        async with self._new_task:
            self._tasks.append(task)
            self._new_task.notify_all()

    async def task(self, number: int) -> bytes:
        """Returns the trial of a number, as soon as it is there."""
        async with self._new_task:
            await self._new_task.wait_for(lambda: len(self._tasks) > number)
        return self._tasks[number]

    async def stop(self) -> None:
        """Marks the last trial as one to be stopped."""
        self._stopped = len(self._tasks) - 1

    async def report(self, number: int, report: bytes) -> bool:
        """Takes a report on the trial of a number; returns whether that is to stop."""
        if number == len(self._tasks) - 1:
            self._reports.put_nowait(report)
        return number <= self._stopped

    async def next_report(self, timeout_s: float) -> bytes | None:
        """Returns the next report, None if there was none for so long."""
        try:
            return await asyncio.wait_for(self._reports.get(), timeout_s)
        except TimeoutError:
            return None
