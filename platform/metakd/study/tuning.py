"""Ray Tune runs the trials: one student each, in actors that are reused.

Tune starts the actors and reuses them, places them by what a trial needs, notices what dies or
raises, and passes on what trials report, with the dashboard's table of them. All of it goes through
its public interfaces: a ``Searcher``, a trial scheduler, callbacks and a stopper.

Tune does not choose what runs next (``Scheduler`` does, from the strategies), nor when to try again
(it counts the death of a reused process twice), nor does it keep anything: what a study is, and how
far it is, follows from the store alone, and trials keep their own states. So a run that was killed
is a new run of Tune.
"""

import errno
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.search.search_generator import SearchGenerator

from metakd.machine import oom_kills
from metakd.memory import MemoryRanOutError, is_about_memory
from metakd.signals import StoppedBySignal, kept_handlers
from metakd.study.cases import Job
from metakd.study.preparation import PreparationJob
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.study.trainable import RunContext, run_job
from metakd.train.content import as_json
from metakd.train.failure_report import is_death, reason_of
from metakd.train.torch_trainer import GroupKeeper

FINISHED = Searcher.FINISHED
LOOK_INTERVAL_S = 5.0
KILLED_BY_KERNEL = "memory ran out: the kernel killed its process"
PENDING_TRIALS = 200
"""As many as Tune allows a search whose trials are known before: it starts new actors faster."""


class Watcher:
    """Callbacks of a run; they do nothing unless they are overridden."""

    def running(self, count: int) -> None:
        """Is called with how many trials run now."""

    def epoch(self, job: AnyJob, epochs_done: int) -> None:
        """Is called for a running trial or teacher after an epoch."""

    def prepared(self, job: PreparationJob) -> None:
        """Is called for a finished preparation."""

    def done(self, job: Job, val_acc: float) -> None:
        """Is called for a finished trial with its validation accuracy in [0, 1]."""

    def failed(self, job: AnyJob, reason: str) -> None:
        """Is called for a job that failed for the last time, and why in one line.

        Raises:
            Exception: If the run cannot go on without it.
        """


def run_jobs(
    context: RunContext,
    scheduler: Scheduler,
    at_once: Callable[[], int],
    watcher: Watcher,
    max_failures: int = 1,
) -> None:
    """Runs jobs on the connected cluster; each trial is committed to the store when it is finished.

    Args:
        context: How to run them.
        scheduler: What to run; it is updated by what has been done, and may then have more.
        at_once: Returns how many trials may run at once, called again and again: nodes come and go.
        watcher: Its callbacks.
        max_failures: How often a job is tried again after it failed or its process died; it goes
            on from its last kept state.

    Raises:
        MemoryRanOutError: If memory ran out; what ran is on the scheduler again.
        StoppedBySignal: If a signal ended it.
        Exception: What the scheduler or the watcher raised; it ends the run.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    # Given one pending trial, as by default, Tune never starts a second actor for short ones.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(PENDING_TRIALS)
    queue = _Queue(scheduler, at_once, max_failures)
    relay = _Relay(queue, watcher)
    keeper = None
    if context.resources.workers > 1:
        keeper = GroupKeeper.remote()  # type: ignore[attr-defined]
        keeper.watch.remote()
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(run_job, context=context, keeper=keeper), context.reserved
        ),
        tune_config=tune.TuneConfig(
            search_alg=_UnsavedQueue(queue),
            scheduler=_NewestFirst(),
            # As many as the scheduler has.
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: queue.job(trial.trial_id).name,
            trial_dirname_creator=lambda trial: queue.job(trial.trial_id).id,
        ),
        run_config=tune.RunConfig(
            name="students",
            **context.folder.ray_storage,
            verbose=0,
            # Tune counts the death of a process twice where it was about to be reused.
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[relay],
            stop=_Stop(relay),
        ),
    )
    try:
        with kept_handlers():
            tuner.fit()
    except Exception as error:
        # Tune stumbles over its own files where the disk is full, and says so in a page of text.
        is_full = os.strerror(errno.ENOSPC) in str(error) and relay.error is None
        relay.error = OSError(errno.ENOSPC, str(error)) if is_full else relay.error or error
    finally:
        if keeper is not None:
            ray.get(keeper.free_all.remote())
            ray.kill(keeper)
    if isinstance(relay.error, MemoryRanOutError):
        queue.put_back_all()
    if relay.error is not None:
        raise relay.error
    if not scheduler.is_over:
        # Tune takes this signal for its own, and ends as if all were done.
        raise StoppedBySignal(signal.SIGUSR1)


class _Queue(Searcher):  # type: ignore[misc]
    """Gives the scheduler's jobs to Tune, as a search algorithm does."""

    def __init__(
        self,
        scheduler: Scheduler,
        at_once: Callable[[], int],
        max_failures: int,
    ) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._at_once = at_once
        self._max_failures = max_failures
        self._limit = at_once()
        self._looked_at = time.monotonic()
        self._jobs: dict[str, AnyJob] = {}
        self._running: set[str] = set()
        self._failures: Counter[str] = Counter()

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps its search for a restore of its own, which a study never uses.
        return {}

    def suggest(self, trial_id: str) -> dict[str, str] | None:
        if time.monotonic() - self._looked_at > LOOK_INTERVAL_S:
            self._looked_at = time.monotonic()
            self._limit = self._at_once()
        if len(self._running) >= self._limit:
            return None
        job = self._scheduler.next_job()
        if job is None:
            return FINISHED if self._scheduler.is_over else None
        self._jobs[trial_id] = job
        self._running.add(trial_id)
        # Tune passes only plain values as they are.
        return {"job": as_json(job)}

    def job(self, trial_id: str) -> AnyJob:
        """Returns the job of a Tune trial."""
        return self._jobs[trial_id]

    def end(self, trial_id: str, is_done: bool) -> AnyJob:
        """Takes a Tune trial that ended, and returns its job."""
        job = self._jobs[trial_id]
        self._running.discard(trial_id)
        if is_done:
            self._scheduler.done(job)
        elif isinstance(job, Job):
            self._scheduler.failed(job)
        return job

    def put_back(self, trial_id: str) -> bool:
        """Puts a Tune trial's job back after a failure, unless it failed too often."""
        job = self._jobs[trial_id]
        self._failures[job.id] += 1
        if self._failures[job.id] > self._max_failures:
            return False
        self._running.discard(trial_id)
        self._scheduler.put_back(job)
        return True

    def put_back_all(self) -> None:
        """Puts back whatever was under way when the run ended."""
        for trial_id in sorted(self._running):
            self._scheduler.put_back(self._jobs[trial_id])
        self._running.clear()

    def on_trial_complete(self, trial_id: str, result: object = None, error: bool = False) -> None:
        """Does nothing: the relay has had it before, and why."""


class _UnsavedQueue(SearchGenerator):  # type: ignore[misc]
    """Keeps nothing of a search on disk: it follows from the store."""

    def save_to_dir(self, dirpath: str, session_str: str) -> None:
        pass


class _NewestFirst(FIFOScheduler):  # type: ignore[misc]
    """Gives an actor that is free the newest of the trials that wait.

    Tune starts an actor for the oldest one. Given that trial to a free actor, it stops the one that
    is starting, and starts another for the next: trials shorter than an actor's start would all
    run on the first actor.
    """

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:  # noqa: ANN401 - Tune's own
        waiting = (t for t in reversed(tune_controller.get_trials()) if t.status == t.PENDING)
        return next(waiting, None)


class _Relay(Callback):  # type: ignore[misc]
    """Relays Tune's events to the queue and the watcher.

    Attributes:
        error: What they raised; Tune would wrap it into a page of text.
    """

    def __init__(self, queue: _Queue, watcher: Watcher) -> None:
        self._queue = queue
        self._watcher = watcher
        self.error: Exception | None = None
        self._running = 0
        self._oom_kills = oom_kills()

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps its callbacks for a restore of its own, which a study never uses.
        return {}

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: object) -> None:
        count = sum(trial.status == TuneTrial.RUNNING for trial in trials)
        self._running = count
        self._keep_error(lambda: self._watcher.running(count))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: object,
    ) -> None:
        if "epoch" in result:
            job = self._queue.job(trial.trial_id)
            self._keep_error(lambda: self._watcher.epoch(job, result["epoch"] + 1))

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        if self.error is not None:
            # It was stopped with all others; its end says nothing of it.
            return
        is_done = bool(trial.last_result.get("done_with"))

        def update() -> None:
            job = self._queue.end(trial.trial_id, is_done)
            if is_done and isinstance(job, Job):
                self._watcher.done(job, trial.last_result["val_acc"])
            elif is_done and not isinstance(job, Job):
                self._watcher.prepared(job)

        self._keep_error(update)

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        report = _report(trial)

        def update() -> None:
            if self._is_of_memory(report):
                job = self._queue.job(trial.trial_id)
                reason = reason_of(report) if is_about_memory(report) else KILLED_BY_KERNEL
                raise MemoryRanOutError(job.name, reason, max(1, self._running))
            if not self._queue.put_back(trial.trial_id):
                job = self._queue.end(trial.trial_id, is_done=False)
                self._watcher.failed(job, reason_of(report))

        self._keep_error(update)

    def _is_of_memory(self, report: str) -> bool:
        if is_about_memory(report):
            return True
        before, self._oom_kills = self._oom_kills, oom_kills()
        return is_death(report) and self._oom_kills > before

    def _keep_error(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            self.error = self.error or error


class _Stop(Stopper):  # type: ignore[misc]
    """Ends a run once its watcher has raised something."""

    def __init__(self, relay: _Relay) -> None:
        self._relay = relay

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.stop_all()

    def stop_all(self) -> bool:
        return self._relay.error is not None


def _report(trial: TuneTrial) -> str:
    """Returns what Tune wrote of a failure; "" if nothing."""
    try:
        # What Tune itself would read arrives in its storage only later.
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
