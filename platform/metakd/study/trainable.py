"""What a Tune actor runs: a trial, here or on Ray Train workers of its own, or what trials share.

Either way Tune sees the same reports, epoch by epoch, and may stop the trial after any of them; its
state on disk is kept under its id, whatever runs it next.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ray import tune

from metakd.results.writer import FinishedTrial
from metakd.student_card import KeepStudents
from metakd.study.cases import Job
from metakd.study.metrics import TrialGauges
from metakd.study.preparation import PreparationJob, carry_out
from metakd.study.scheduler import AnyJob
from metakd.train.commit import result_of
from metakd.train.content import from_json
from metakd.train.epochs import Epoch
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import SAVE_INTERVAL_S
from metakd.train.resources import Resources
from metakd.train.student import run_trial
from metakd.train.trial import Trial

if TYPE_CHECKING:
    from metakd.train.trial_workers import TrialWorkers

RESULT = "result"
"""The key under which the last report of a trial has its ``FinishedTrial``."""
PREPARED = "prepared"
"""The key that only the last report of a preparation has."""
REPORT_INTERVAL_S = 1.0
"""A report costs as much as an epoch of a tiny student."""
DRIVER_MEMORY = 256 * 2**20
"""What Tune reserves for the driver of a trial on workers: it computes nothing."""


@dataclass(frozen=True)
class RunContext:
    """What all trials of a run have in common.

    Attributes:
        folder: The study's folder, with everything prepared.
        resources: What each trial is given.
        git_commit: Recorded with each.
        save_interval_s: At least so much time lies between two states of a trial.
        report_interval_s: At least so much time lies between two reports of a trial to Tune.
        keep_students: Which students the study keeps.
    """

    folder: StudyFolder
    resources: Resources
    git_commit: str
    save_interval_s: float = SAVE_INTERVAL_S
    report_interval_s: float = REPORT_INTERVAL_S
    keep_students: KeepStudents = "none"

    @property
    def reserved(self) -> dict[str, float]:
        """What Tune reserves for a trial; workers of its own are Ray Train's to place."""
        if self.resources.workers > 1:
            return {"cpu": 0, "memory": DRIVER_MEMORY}
        return {"cpu": self.resources.cpus, "gpu": self.resources.gpus}


def run_job(config: Mapping[str, str], context: RunContext, keeper: Any) -> None:  # noqa: ANN401
    """The Tune trainable: runs one job, a trial or what trials share.

    Args:
        config: The job, as JSON.
        context: What all jobs have in common.
        keeper: The run's ``GroupKeeper``, where trials have workers of their own; else None.

    Raises:
        UserError: If something that the job needs cannot be had.
    """
    job: AnyJob = from_json(config["job"])
    # A reused actor keeps one name on Ray's dashboard: its log there says which job it runs.
    print(f"{job.name} {job.id}: started", flush=True)
    if not isinstance(job, Job):
        _prepare(job, context)
    elif context.resources.workers > 1:
        _on_workers(job, context, keeper)
    else:
        _here(job, context)
    print(f"{job.name} {job.id}: done", flush=True)


def _prepare(job: PreparationJob, context: RunContext) -> None:
    context.resources.claim()
    interval = _Interval(context.report_interval_s)

    def report(epochs_done: int) -> None:
        interval.report({"epoch": epochs_done - 1})

    carry_out(job, context.folder, context.save_interval_s, report)
    tune.report({PREPARED: True})


def _here(job: Job, context: RunContext) -> None:
    context.resources.claim()
    reporter = _Reporter(job.trial, context.report_interval_s)
    outcome = run_trial(
        job.trial,
        context.folder,
        job.bank,
        reporter.epoch,
        context.save_interval_s,
        context.keep_students,
    )
    reporter.done(outcome.epochs[-1], result_of(job.trial, outcome, context.git_commit))


def _on_workers(job: Job, context: RunContext, keeper: Any) -> None:  # noqa: ANN401
    # Ray Train takes seconds to import, and trials with one worker need none of it.
    from metakd.train.trial_workers import Task, WorkersError

    task = Task(
        job.trial,
        context.folder,
        job.bank,
        context.git_commit,
        context.save_interval_s,
        context.keep_students,
    )
    reporter = _Reporter(job.trial, context.report_interval_s)
    try:
        for report in _workers(context.resources, context.folder, keeper).train(task):
            if report.result is None:
                reporter.epoch(report.epoch)
            else:
                reporter.done(report.epoch, report.result)
    except WorkersError:
        _workers.cache_clear()
        raise


@cache
def _workers(resources: Resources, folder: StudyFolder, keeper: Any) -> "TrialWorkers":  # noqa: ANN401
    """Returns the workers of this process, which serve one trial after the other."""
    from metakd.train.trial_workers import TrialWorkers

    return TrialWorkers(resources, folder, keeper)


class _Interval:
    """Reports to Tune at most so often: a report costs milliseconds, in the driver too."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._reported_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last report, or the beginning, is longer ago than the interval."""
        return time.monotonic() - self._reported_at >= self._interval_s

    def report(self, result: dict[str, Any]) -> None:
        """Reports if it is due."""
        if self.is_due:
            self._reported_at = time.monotonic()
            tune.report(result)


class _Reporter:
    """Reports to Tune and the dashboard how far a trial is."""

    def __init__(self, trial: Trial, interval_s: float) -> None:
        self._trial = trial
        self._interval = _Interval(interval_s)

    def epoch(self, epoch: Epoch) -> None:
        """Reports an epoch, if the last report is long enough ago."""
        if self._interval.is_due:
            _gauges().show(self._trial, epoch)
            self._interval.report(_metrics(epoch))

    def done(self, epoch: Epoch, result: FinishedTrial) -> None:
        """Reports the last epoch, and what the store keeps of the trial."""
        _gauges().show(self._trial, epoch)
        tune.report({**_metrics(epoch), RESULT: result})


def _metrics(epoch: Epoch) -> dict[str, Any]:
    tau_s, tau_t = epoch.record.temperatures or (None, None)
    return {
        "epoch": epoch.record.epoch,
        "train_loss": epoch.record.train_loss,
        "val_acc": epoch.validation.accuracy,
        "tau_s": tau_s,
        "tau_t": tau_t,
    }


@cache
def _gauges() -> TrialGauges:
    return TrialGauges()
