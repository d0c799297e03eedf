"""Ray Tune runs the trials: one student each, in actors that are reused.

Tune starts the actors and reuses them, places them by what a trial needs, notices what dies or
raises, and passes on what trials report, with the dashboard's table of them. All of it goes through
its public interfaces: a ``Searcher``, a trial scheduler, callbacks and a stopper.

Tune does not choose what runs next (``Scheduler`` does, from the strategies), nor when to try again
(``Dispatcher`` does: Tune counts the death of a reused process twice), nor does it keep anything:
results go into the store, which alone says what a study is and how far, and trials keep their own
states. So a run that was killed is a new run of Tune.
"""

import errno
import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.search.search_generator import SearchGenerator

from metakd.memory import MemoryRanOutError
from metakd.results.writer import FinishedTrial
from metakd.signals import StoppedBySignal, kept_handlers
from metakd.study.dispatch import Dispatcher, Watcher
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.study.trainable import PREPARED, RESULT, RunContext, run_job
from metakd.train.content import as_json
from metakd.train.torch_trainer import GroupKeeper

FINISHED: str = Searcher.FINISHED
PENDING_TRIALS = 200
"""As many as Tune allows a search whose trials are known before: it starts new actors faster."""


def words_of(job: AnyJob) -> dict[str, str]:
    """Returns a job as ``run_job`` takes it: Tune passes only plain values as they are."""
    return {"job": as_json(job)}


class Trainable(NamedTuple):
    """What Tune's actors run.

    Attributes:
        run: Runs a job, and reports to Tune as ``run_job`` does.
        words: Returns what it is given of a job.
    """

    run: Callable[[Mapping[str, str]], None]
    words: Callable[[AnyJob], dict[str, str]]


def run_jobs(
    context: RunContext,
    scheduler: Scheduler,
    at_once: Callable[[], int],
    watcher: Watcher,
    max_failures: int = 1,
    trainable: Trainable | None = None,
) -> None:
    """Runs jobs on the connected cluster; each trial is committed to the store when it is finished.

    Args:
        context: How to run them.
        scheduler: What to run; it is updated by what has been done, and may then have more.
        at_once: Returns how many trials may run at once, called again and again: nodes come and go.
        watcher: Its callbacks.
        max_failures: How often a job is tried again after it failed or its process died; it goes
            on from its last kept state.
        trainable: What runs them; None trains students.

    Raises:
        MemoryRanOutError: If memory ran out; what ran is on the scheduler again.
        StoppedBySignal: If a signal ended it.
        Exception: What the scheduler or the watcher raised; it ends the run.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    # Given one pending trial, as by default, Tune never starts a second actor for short ones.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(PENDING_TRIALS)
    dispatcher = Dispatcher(context.folder, scheduler, at_once, watcher, max_failures)
    keeper = None
    if context.resources.workers > 1:
        keeper = GroupKeeper.remote()  # type: ignore[attr-defined]
        keeper.watch.remote()
    if trainable is None:
        given = tune.with_parameters(run_job, context=context, keeper=keeper)
        trainable = Trainable(given, words_of)
    tuner = tune.Tuner(
        tune.with_resources(trainable.run, context.reserved),
        tune_config=tune.TuneConfig(
            search_alg=_UnsavedSearch(_Search(dispatcher, trainable.words)),
            scheduler=_NewestFirst(),
            # As many as the scheduler has.
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: dispatcher.job(trial.trial_id).name,
            trial_dirname_creator=lambda trial: dispatcher.job(trial.trial_id).id,
        ),
        run_config=tune.RunConfig(
            name="students",
            **context.folder.ray_storage,
            verbose=0,
            # Tune counts the death of a process twice where it was about to be reused.
            failure_config=tune.FailureConfig(max_failures=0),
            callbacks=[_Events(dispatcher)],
            stop=_Stop(dispatcher),
        ),
    )
    try:
        with kept_handlers():
            tuner.fit()
    except Exception as error:
        # Tune stumbles over its own files where the disk is full, and says so in a page of text.
        is_full = os.strerror(errno.ENOSPC) in str(error) and dispatcher.error is None
        dispatcher.error = (
            OSError(errno.ENOSPC, str(error)) if is_full else dispatcher.error or error
        )
    finally:
        # Whatever ended it, what is finished is kept.
        dispatcher.commit()
        if keeper is not None:
            ray.get(keeper.free_all.remote())
            ray.kill(keeper)
    if isinstance(dispatcher.error, MemoryRanOutError):
        dispatcher.put_back_all()
    if dispatcher.error is not None:
        raise dispatcher.error
    if not scheduler.is_over:
        # Tune takes this signal for its own, and ends as if all were done.
        raise StoppedBySignal(signal.SIGUSR1)


class _Search(Searcher):  # type: ignore[misc]
    """A run's jobs as Tune's search algorithm."""

    def __init__(self, dispatcher: Dispatcher, words: Callable[[AnyJob], dict[str, str]]) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._words = words

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:
        job = self._dispatcher.next_job(trial_id)
        if job is not None:
            return self._words(job)
        return FINISHED if self._dispatcher.is_over else None

    def on_trial_complete(self, trial_id: str, result: object = None, error: bool = False) -> None:
        """Does nothing: the callbacks have had it before, and why."""


class _UnsavedSearch(SearchGenerator):  # type: ignore[misc]
    """Keeps nothing of a search on disk: it follows from the store."""

    def save_to_dir(self, dirpath: str, session_str: str) -> None:
        pass


class _NewestFirst(FIFOScheduler):  # type: ignore[misc]
    """Gives an actor that is free the newest of the trials that wait.

    Tune starts an actor for the oldest one. Given that trial to a free actor, it stops the one that
    is starting, and starts another for the next: trials shorter than an actor's start would all
    run on the first actor.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[TuneTrial] = []

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:  # noqa: ANN401 - Tune's own
        self._waiting.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> TuneTrial | None:  # noqa: ANN401
        # Called at every step, and Tune has all trials of the run: few of them wait.
        self._waiting = [trial for trial in self._waiting if trial.status == TuneTrial.PENDING]
        return self._waiting[-1] if self._waiting else None


class _Events(Callback):  # type: ignore[misc]
    """Passes what Tune notices to the dispatcher."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._results: dict[str, FinishedTrial] = {}
        # Counted, not looked for: Tune has all trials of the run, and takes a step for each event.
        self._running: set[str] = set()

    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self._running.add(trial.trial_id)

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: object) -> None:
        self._dispatcher.look(len(self._running))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: object,
    ) -> None:
        if RESULT in result:
            # Tune would keep it until the run ends.
            self._results[trial.trial_id] = result.pop(RESULT)
        if "epoch" in result:
            self._dispatcher.epoch(trial.trial_id, result["epoch"] + 1)

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        key = trial.trial_id
        self._running.discard(key)
        if key in self._results:
            self._dispatcher.finished(key, self._results.pop(key))
        elif PREPARED in trial.last_result:
            self._dispatcher.prepared(key)
        elif self._dispatcher.error is None:
            self._dispatcher.failed(key, "it ended without a result")
        # Else it was stopped with all others.

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self._results.pop(trial.trial_id, None)
        self._running.discard(trial.trial_id)
        self._dispatcher.failed(trial.trial_id, _report(trial))


class _Stop(Stopper):  # type: ignore[misc]
    """Ends a run once something has raised an error."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.stop_all()

    def stop_all(self) -> bool:
        return self._dispatcher.error is not None


def _report(trial: TuneTrial) -> str:
    """Returns what Tune wrote of a failure; "" if nothing."""
    try:
        # What Tune itself would read arrives in its storage only later.
        return Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        return ""
