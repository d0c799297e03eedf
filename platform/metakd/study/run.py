"""Runs what is missing of a study: the cluster, what trials share, the trials."""

import errno
import os
import time
from collections.abc import Collection, Sequence

from rich.console import Console

from metakd.study.announce import Failure
from metakd.study.cluster import asks_for_token, connect, present_nodes
from metakd.study.command_line import RunOptions
from metakd.study.cost import expected_steps
from metakd.study.metrics import StudyGauges
from metakd.study.plan import Job, Plan
from metakd.study.prepare import prepare
from metakd.study.progress import StageProgress, TrialProgress, duration
from metakd.study.record import git_commit
from metakd.study.resources import allot, at_once
from metakd.study.storage import require_shared
from metakd.study.trainable import Orders
from metakd.study.tuning import Watcher, run_jobs
from metakd.train.commit import record_failure
from metakd.train.folder import StudyFolder


def run_pending(
    plan: Plan,
    pending: Sequence[Job],
    needed: Collection[str],
    folder: StudyFolder,
    options: RunOptions,
    console: Console,
) -> list[Failure]:
    """Runs jobs of a plan on the cluster that the options name.

    Args:
        plan: The study's plan.
        pending: Its jobs that are not finished.
        needed: Ids of the banks that they ask for.
        folder: The study's folder.
        options: How to run it.
        console: Where to show progress.

    Returns:
        The jobs that failed; they are recorded, and the others are committed.

    Raises:
        ClusterError: If the cluster cannot be reached.
        ResourceError: If it does not hold a single trial.
        StorageError: If its machines do not share the study's folder.
        TeacherError: If the teacher's training failed.
        OSError: If the disk is full.
    """
    console.print("connecting to Ray ...")
    cluster = connect(options.cluster)
    console.print(
        f"cluster      {cluster.cpus} CPUs, {cluster.gpus} GPUs, {len(cluster.nodes)} node(s)"
        + (", started here" if cluster.started_here else "")
    )
    console.print(f"dashboard    {cluster.dashboard or 'none on this cluster'}")
    if cluster.dashboard is not None and asks_for_token(cluster.dashboard):
        console.print("             it asks for a token: `ray get-auth-token` prints it")
    allotment = allot(options.wanted, cluster.nodes)
    console.print(f"resources    {allotment}")
    require_shared(folder)

    clock = time.monotonic()
    with StageProgress(console) as stages:
        teacher = prepare(plan, folder, cluster, needed, stages.show)
    if plan.teacher is not None and teacher is not None:
        console.print(f"teacher      {plan.teacher.model}: {100 * teacher.test_acc:.2f} % on test")
    console.print(f"prepared     in {duration(time.monotonic() - clock)}")

    def fitting() -> int:
        return at_once(allotment.each, present_nodes(), options.wanted.max_concurrent)

    orders = Orders(pending, folder, allotment.each, git_commit(), options.save_interval_s)
    with _Shown(plan, orders, console) as shown:
        run_jobs(orders, fitting, shown, options.max_failures)
    return shown.failures


class _Shown(Watcher):
    """Shows in the terminal and on Ray's dashboard how far a run is, and records its failures."""

    def __init__(self, plan: Plan, orders: Orders, console: Console) -> None:
        jobs = orders.jobs
        self.failures: list[Failure] = []
        self._orders = orders
        self._work = {job.trial.id: expected_steps(job, plan.train_samples) for job in jobs}
        self._progress = TrialProgress(console, len(jobs), sum(self._work.values()))
        self._gauges = StudyGauges(plan.spec.name, len(jobs))

    def __enter__(self) -> "_Shown":
        self._progress.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.__exit__(*exception)
        self._show()

    def running(self, count: int) -> None:
        if count != self._progress.running:
            self._progress.running = count
            self._show()

    def epoch(self, job: Job, epochs_done: int) -> None:
        share = epochs_done / job.trial.recipe.epochs
        self._progress.advance(job.trial.name, share * self._work[job.trial.id])

    def done(self, job: Job, val_acc: float) -> None:
        self._progress.finish(job.trial.name, val_acc, self._work[job.trial.id])
        self._show()

    def failed(self, job: Job, reason: str) -> None:
        if os.strerror(errno.ENOSPC) in reason:
            # All others would fail of it, too.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        record_failure(job.trial, reason, self._orders.folder, self._orders.git_commit)
        self.failures.append(Failure(job.trial.name, reason))
        self._progress.fail(job.trial.name, self._work[job.trial.id])
        self._show()

    def _show(self) -> None:
        progress = self._progress
        self._gauges.show(progress.done, progress.running, progress.failed)
