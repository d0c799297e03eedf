"""Ray Tune runs the trials: one student each, in actors that are reused."""

import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, Stopper
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from metakd.study.plan import Job
from metakd.study.trainable import Orders, distil
from metakd.train.group_keeper import GroupKeeper

LOOK_INTERVAL_S = 5.0


class Watcher:
    """What wants to hear of a run: nothing, unless somebody says more."""

    def running(self, count: int) -> None:
        """Hears how many trials run now."""

    def epoch(self, job: Job, epochs_done: int) -> None:
        """Hears of a running job after an epoch."""

    def done(self, job: Job, val_acc: float) -> None:
        """Hears of a finished job and its validation accuracy in [0, 1]."""

    def failed(self, job: Job, reason: str) -> None:
        """Hears of a job that failed for the last time, and why in one line."""


def run_jobs(
    orders: Orders,
    at_once: Callable[[], int],
    watcher: Watcher,
    max_failures: int = 1,
    scheduler: TrialScheduler | None = None,
) -> None:
    """Runs jobs on the connected cluster; each commits its trial to the store when it is finished.

    Args:
        orders: What to run, in the order of its jobs, and how.
        at_once: Says how many trials may run at once, asked again and again: nodes come and go.
        watcher: Hears what happens.
        max_failures: How often a job is tried again after it failed or its process died; it goes
            on from its last kept state.
        scheduler: What may stop trials before their last epoch, by their reports of ``val_acc``;
            a trial that it stops is not committed. It needs orders with a report every epoch.

    Raises:
        Exception: What the watcher raised; it ends the run.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    jobs = orders.jobs
    queue = BasicVariantGenerator(max_concurrent=at_once())
    relay = _Relay(jobs, queue, at_once, watcher)
    keeper = None
    if orders.resources.workers > 1:
        keeper = GroupKeeper.remote()  # type: ignore[attr-defined]
        keeper.watch.remote()
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(distil, orders=orders, keeper=keeper), orders.reserved
        ),
        # Tune hands on only plain values as they are: a trial gets its job by number.
        param_space={"job": tune.grid_search(list(range(len(jobs))))},
        tune_config=tune.TuneConfig(
            search_alg=queue,
            scheduler=scheduler,
            reuse_actors=True,
            trial_name_creator=lambda trial: jobs[trial.config["job"]].trial.name,
            trial_dirname_creator=lambda trial: jobs[trial.config["job"]].trial.id,
        ),
        run_config=tune.RunConfig(
            name="students",
            **orders.folder.ray_storage,
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=max_failures),
            callbacks=[relay],
            stop=_Stop(relay),
        ),
    )
    try:
        tuner.fit()
    except Exception as error:
        # Tune stumbles over its own files where the disk is full, and says so in a page of text.
        is_full = os.strerror(errno.ENOSPC) in str(error) and relay.error is None
        relay.error = OSError(errno.ENOSPC, str(error)) if is_full else relay.error or error
    finally:
        if keeper is not None:
            ray.get(keeper.free_all.remote())
            ray.kill(keeper)
    if relay.error is not None:
        raise relay.error


class _Relay(Callback):  # type: ignore[misc]
    """Relays Tune's events to the watcher, and the cluster's size to Tune.

    Attributes:
        error: What the watcher raised; Tune would wrap it into a page of text.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        queue: BasicVariantGenerator,
        at_once: Callable[[], int],
        watcher: Watcher,
    ) -> None:
        self._jobs = jobs
        self._queue = queue
        self._at_once = at_once
        self._watcher = watcher
        self.error: Exception | None = None
        self._looked_at = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        # Tune keeps its callbacks for a restore of its own, which a study never asks for.
        return {}

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: object) -> None:
        if time.monotonic() - self._looked_at > LOOK_INTERVAL_S:
            self._looked_at = time.monotonic()
            self._queue.max_concurrent = self._at_once()

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: object) -> None:
        count = sum(trial.status == TuneTrial.RUNNING for trial in trials)
        self._tell(lambda: self._watcher.running(count))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: object,
    ) -> None:
        if "epoch" in result:
            self._tell(lambda: self._watcher.epoch(self._job(trial), result["epoch"] + 1))

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        if trial.last_result.get("committed"):
            val_acc = trial.last_result["val_acc"]
            self._tell(lambda: self._watcher.done(self._job(trial), val_acc))

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: object
    ) -> None:
        self._tell(lambda: self._watcher.failed(self._job(trial), _reason(trial)))

    def _job(self, trial: TuneTrial) -> Job:
        job: int = trial.config["job"]
        return self._jobs[job]

    def _tell(self, call: Callable[[], None]) -> None:
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


def _reason(trial: TuneTrial) -> str:
    """Returns the last line that Tune wrote of a failure: that of the exception in the worker."""
    try:
        # What Tune itself would read arrives in its storage only later.
        report = Path(trial.error_file).read_text()
    except (OSError, TypeError):
        return "Ray left no report of it"
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    return lines[-1] if lines else "Ray left no report of it"
