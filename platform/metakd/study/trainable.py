"""One loop, two hosts: a trial in this Tune actor's process, or on Ray Train workers of its own.

Either way Tune sees the same reports, epoch by epoch, and may stop the trial after any of them; its
state on disk is kept under its id, whoever runs it next.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray import tune

from metakd.study.cases import Job
from metakd.study.metrics import TrialGauges
from metakd.train.commit import commit
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S
from metakd.train.progress import Epoch
from metakd.train.resources import Resources
from metakd.train.student import run_trial
from metakd.train.trial import Trial
from metakd.train.trial_workers import Task, TrialWorkers, WorkersError

REPORT_INTERVAL_S = 1.0
"""A report costs milliseconds, in the driver too: as much as an epoch of a tiny student."""
DRIVER_MEMORY = 256 * 2**20
"""What Tune reserves for the driver of a trial on workers: it computes nothing."""


@dataclass(frozen=True)
class Orders:
    """What all trials of a run have in common.

    Attributes:
        folder: The study's folder, with everything prepared.
        resources: What each trial is given.
        git_commit: Recorded with each.
        save_interval_s: At least so much time lies between two states of a trial.
        report_interval_s: At least so much time lies between two reports of a trial to Tune.
    """

    folder: StudyFolder
    resources: Resources
    git_commit: str
    save_interval_s: float = SAVE_INTERVAL_S
    report_interval_s: float = REPORT_INTERVAL_S

    @property
    def reserved(self) -> dict[str, float]:
        """What Tune reserves for a trial; workers of its own are Ray Train's to place."""
        if self.resources.workers > 1:
            return {"cpu": 0, "memory": DRIVER_MEMORY}
        return {"cpu": self.resources.cpus, "gpu": self.resources.gpus}


@ray.remote(num_cpus=0)
class JobBook:
    """Where the driver puts jobs, and trials find theirs."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def put(self, job: Job) -> None:
        """Puts a job there, under its trial's id."""
        self._jobs[job.trial.id] = job

    def get(self, trial_id: str) -> Job:
        """Returns the job of a trial's id."""
        return self._jobs[trial_id]


def distil(config: Mapping[str, str], orders: Orders, book: Any, keeper: Any) -> None:  # noqa: ANN401
    """The Tune trainable: trains and commits the student of one job.

    Args:
        config: The id of the job's trial.
        orders: What all jobs have in common.
        book: The run's ``JobBook``.
        keeper: The run's ``GroupKeeper``, where trials have workers of their own; else None.
    """
    job: Job = ray.get(book.get.remote(config["job"]))
    # A reused actor keeps one name on Ray's dashboard: its log there says which trial it runs.
    print(f"{job.trial.name} {job.trial.id}: started", flush=True)
    if orders.resources.workers > 1:
        _on_workers(job, orders, keeper)
    else:
        _here(job, orders)
    print(f"{job.trial.name} {job.trial.id}: committed", flush=True)


def _here(job: Job, orders: Orders) -> None:
    orders.resources.claim()
    reporter = _Reporter(job.trial, orders.report_interval_s)
    outcome = run_trial(job.trial, orders.folder, job.bank, reporter.epoch, orders.save_interval_s)
    commit(job.trial, outcome, orders.folder, orders.git_commit)
    reporter.committed(outcome.epochs[-1])


def _on_workers(job: Job, orders: Orders, keeper: Any) -> None:  # noqa: ANN401
    task = Task(job.trial, orders.folder, job.bank, orders.git_commit, orders.save_interval_s)
    reporter = _Reporter(job.trial, orders.report_interval_s)
    try:
        for report in _workers(orders.resources, orders.folder, keeper).train(task):
            if report.kind == "committed":
                reporter.committed(report.epoch)
            else:
                reporter.epoch(report.epoch)
    except WorkersError:
        _workers.cache_clear()
        raise


@cache
def _workers(resources: Resources, folder: StudyFolder, keeper: Any) -> TrialWorkers:  # noqa: ANN401
    """Returns the workers of this process, which serve one trial after the other."""
    return TrialWorkers(resources, folder, keeper)


class _Reporter:
    """Tells Tune and the dashboard how far a trial is."""

    def __init__(self, trial: Trial, interval_s: float) -> None:
        self._trial = trial
        self._interval_s = interval_s
        self._told_at = time.monotonic()

    def epoch(self, epoch: Epoch) -> None:
        """Reports an epoch, if the last report is long enough ago."""
        if time.monotonic() - self._told_at >= self._interval_s:
            self._told_at = time.monotonic()
            _gauges().show(self._trial, epoch)
            self._report(epoch, committed=False)

    def committed(self, epoch: Epoch) -> None:
        """Reports the last epoch of a trial that is in the store."""
        _gauges().show(self._trial, epoch)
        self._report(epoch, committed=True)

    def _report(self, epoch: Epoch, committed: bool) -> None:
        tau_s, tau_t = epoch.record.temperatures or (None, None)
        tune.report(
            {
                "epoch": epoch.record.epoch,
                "train_loss": epoch.record.train_loss,
                "val_acc": epoch.validation.accuracy,
                "tau_s": tau_s,
                "tau_t": tau_t,
                "committed": committed,
            }
        )


@cache
def _gauges() -> TrialGauges:
    return TrialGauges()
