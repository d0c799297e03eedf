"""Which jobs of a run are under way, which are finished, and which are tried again."""

import time
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from metakd.machine import oom_kills
from metakd.memory import MemoryRanOutError, is_about_memory
from metakd.results.writer import FinishedTrial
from metakd.study.cases import Job
from metakd.study.commits import Commits
from metakd.study.preparation import PreparationJob
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.train.failure_report import is_death, reason_of
from metakd.train.folder import StudyFolder

LOOK_INTERVAL_S = 5.0
KILLED_BY_KERNEL = "memory ran out: the kernel killed its process"

P = ParamSpec("P")


class Watcher:
    """Callbacks of a run; they do nothing unless they are overridden."""

    def running(self, count: int) -> None:
        """Is called with how many trials run now."""

    def epoch(self, job: AnyJob, epochs_done: int) -> None:
        """Is called for a running trial or teacher after an epoch."""

    def prepared(self, job: PreparationJob) -> None:
        """Is called for a finished preparation."""

    def done(self, job: Job, result: FinishedTrial) -> None:
        """Is called for a trial that is in the store."""

    def failed(self, job: AnyJob, reason: str) -> None:
        """Is called for a job that failed for the last time, and why in one line.

        Raises:
            Exception: If the run cannot go on without it.
        """


def _keeping_errors(
    method: Callable[Concatenate["Dispatcher", P], None],
) -> Callable[Concatenate["Dispatcher", P], None]:
    """Has a method of the dispatcher keep what it raises."""

    @wraps(method)
    def call(dispatcher: "Dispatcher", /, *args: P.args, **named: P.kwargs) -> None:
        try:
            method(dispatcher, *args, **named)
        except Exception as error:
            dispatcher.error = dispatcher.error or error

    return call


class Dispatcher:
    """The jobs of a run between the scheduler, the processes that run them, and the store.

    What runs them calls it, with a key for each attempt at a job. Nothing that it is called for
    raises, which Tune would wrap into a page of text: the first error is kept, and ends the run.

    Args:
        folder: The study's folder.
        scheduler: What to run; it is updated by what has been done, and may then have more.
        at_once: Returns how many jobs may run at once, called again and again: nodes come and go.
        watcher: Its callbacks.
        max_failures: How often a job is tried again after it failed or its process died.

    Attributes:
        error: What ended the run.
    """

    def __init__(
        self,
        folder: StudyFolder,
        scheduler: Scheduler,
        at_once: Callable[[], int],
        watcher: Watcher,
        max_failures: int,
    ) -> None:
        self.error: Exception | None = None
        self._scheduler = scheduler
        self._at_once = at_once
        self._watcher = watcher
        self._max_failures = max_failures
        self._limit = at_once()
        self._looked_at = time.monotonic()
        self._jobs: dict[str, AnyJob] = {}
        self._running: set[str] = set()
        self._running_now = 0
        self._failures: Counter[str] = Counter()
        self._commits = Commits(folder, self._committed)
        self._oom_kills = oom_kills()

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps what it was given for a restore of its own, which a study never uses.
        return {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to run."""
        return self.error is not None or self._scheduler.is_over

    def job(self, key: str) -> AnyJob:
        """Returns the job of an attempt."""
        return self._jobs[key]

    def next_job(self, key: str) -> AnyJob | None:
        """Returns a job to run; None while there is none, or too many run."""
        if not self._running:
            # What follows from the results that wait is all that is left.
            self.commit()
        if self.error is not None:
            return None
        if time.monotonic() - self._looked_at > LOOK_INTERVAL_S:
            self._looked_at = time.monotonic()
            self._limit = self._at_once()
        if len(self._running) >= self._limit:
            return None
        job = self._scheduler.next_job()
        if job is not None:
            self._jobs[key] = job
            self._running.add(key)
        return job

    @_keeping_errors
    def commit(self) -> None:
        """Commits what is finished."""
        self._commits.commit()

    @_keeping_errors
    def look(self, running: int) -> None:
        """Does what is due; so many jobs run, those not counted that wait for a process."""
        self._running_now = running
        self._watcher.running(running)
        self._commits.commit_if_due()

    @_keeping_errors
    def epoch(self, key: str, epochs_done: int) -> None:
        """Takes note of an epoch of an attempt."""
        self._watcher.epoch(self._jobs[key], epochs_done)

    @_keeping_errors
    def finished(self, key: str, result: FinishedTrial) -> None:
        """Takes the result of a trial, which is committed with those of others."""
        job = self._jobs[key]
        assert isinstance(job, Job)
        self._running.discard(key)
        self._commits.add(job, result)
        self._commits.commit_if_due()

    @_keeping_errors
    def prepared(self, key: str) -> None:
        """Takes note of a preparation that is done."""
        job = self._jobs[key]
        assert not isinstance(job, Job)
        self._running.discard(key)
        self._scheduler.done(job)
        self._watcher.prepared(job)

    @_keeping_errors
    def failed(self, key: str, report: str) -> None:
        """Puts the job of an attempt that failed back, unless it failed too often.

        Args:
            key: The attempt.
            report: What is known of the failure: a traceback, or less.
        """
        job = self._jobs[key]
        if self._is_of_memory(report):
            reason = reason_of(report) if is_about_memory(report) else KILLED_BY_KERNEL
            raise MemoryRanOutError(job.name, reason, max(1, self._running_now))
        self._running.discard(key)
        self._failures[job.id] += 1
        if self._failures[job.id] <= self._max_failures:
            self._scheduler.put_back(job)
            return
        if isinstance(job, Job):
            self._scheduler.failed(job)
        self._watcher.failed(job, reason_of(report))

    def put_back_all(self) -> None:
        """Puts back whatever was under way when the run ended."""
        for key in sorted(self._running):
            self._scheduler.put_back(self._jobs[key])
        self._running.clear()

    def _committed(self, job: Job, result: FinishedTrial) -> None:
        self._scheduler.done(job, result.val_acc)
        self._watcher.done(job, result)

    def _is_of_memory(self, report: str) -> bool:
        if is_about_memory(report):
            return True
        before, self._oom_kills = self._oom_kills, oom_kills()
        return is_death(report) and self._oom_kills > before
