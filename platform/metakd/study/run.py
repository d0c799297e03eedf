"""Runs what is missing of a study: the cluster, what trials share, the trials."""

import errno
import os
import time

from rich.console import Console

from metakd.models.create import create_model
from metakd.models.names import without_weights
from metakd.results.teachers import TEACHERS_FILE, TeacherScore, write_teachers
from metakd.study.announce import Failure
from metakd.study.board import Board
from metakd.study.cases import Job
from metakd.study.cluster import asks_for_token, connect, present_nodes
from metakd.study.cost import expected_steps, steps_left
from metakd.study.metrics import StudyGauges
from metakd.study.options import RunOptions
from metakd.study.plan import Plan
from metakd.study.prepare import prepare
from metakd.study.progress import StageProgress, TrialProgress, duration
from metakd.study.record import git_commit, record_searches
from metakd.study.resources import allot, at_once
from metakd.study.storage import require_shared
from metakd.study.trainable import Orders
from metakd.study.tuning import Watcher, run_jobs
from metakd.train.commit import record_failure
from metakd.train.folder import StudyFolder
from metakd.train.teacher import TeacherReport
from metakd.train.trial import TeacherSpec

SEARCHES_INTERVAL_S = 10.0
"""What searches have asked is written that often, for who looks at results while they appear."""


def run_pending(
    plan: Plan,
    board: Board,
    folder: StudyFolder,
    options: RunOptions,
    console: Console,
) -> list[Failure]:
    """Runs what a study still asks for, on the cluster that the options name.

    Args:
        plan: The study's plan.
        board: What is not finished of it.
        folder: The study's folder.
        options: How to run it.
        console: Where to show progress.

    Returns:
        The jobs that failed; they are recorded, and the others are committed.

    Raises:
        ClusterError: If the cluster cannot be reached.
        ResourceError: If it does not hold a single trial.
        StorageError: If its machines do not share the study's folder.
        TeacherTrainingError: If a teacher's training failed.
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
        reports = prepare(plan, folder, cluster, board.bank_ids(), stages.show)
    teachers = [
        _score(spec, report, plan) for spec, report in zip(plan.teachers, reports, strict=True)
    ]
    write_teachers(folder.out, teachers)
    folder.hand_over(folder.out / TEACHERS_FILE)
    for teacher in teachers:
        console.print(f"teacher      {teacher.name}: {100 * teacher.test_acc:.2f} % on test")
    console.print(f"prepared     in {duration(time.monotonic() - clock)}")

    def fitting() -> int:
        return at_once(allotment.each, present_nodes(), options.wanted.max_concurrent)

    orders = Orders(folder, allotment.each, git_commit(), options.save_interval_s)
    with _Shown(plan.spec.name, board, orders, console) as shown:
        run_jobs(orders, board, fitting, shown, options.max_failures)
    return shown.failures


def _score(spec: TeacherSpec, report: TeacherReport, plan: Plan) -> TeacherScore:
    dataset = plan.opened_of(spec.data).dataset
    model = create_model(
        without_weights(spec.model), dataset.image_shape, dataset.num_classes, seed=0
    )
    return TeacherScore(
        dataset=spec.data.dataset,
        model=spec.model,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        val_acc=report.val_acc,
        test_acc=report.test_acc,
        seed=spec.seed,
    )


class _Shown(Watcher):
    """Shows in the terminal and on Ray's dashboard how far a run is, and records its failures."""

    def __init__(self, study: str, board: Board, orders: Orders, console: Console) -> None:
        goes_on = any(search.runs_to_come for search in board.unfinished())
        total = None if goes_on else len(board.known())
        self.failures: list[Failure] = []
        self._orders = orders
        self._board = board
        self._progress = TrialProgress(console, total, steps_left(board))
        self._gauges = StudyGauges(study)
        self._wrote_at = time.monotonic()

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
        share = (epochs_done - job.from_epoch) / (job.trial.epochs - job.from_epoch)
        self._progress.advance(job.trial.id, max(0.0, share) * expected_steps(job))

    def done(self, job: Job, val_acc: float) -> None:
        self._progress.is_over = self._board.is_over
        self._progress.finish(job.trial.id, job.trial.name, val_acc, expected_steps(job))
        self._show()
        if time.monotonic() - self._wrote_at > SEARCHES_INTERVAL_S:
            self._wrote_at = time.monotonic()
            record_searches(self._board, self._orders.folder)

    def failed(self, job: Job, reason: str) -> None:
        if os.strerror(errno.ENOSPC) in reason:
            # All others would fail of it, too.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        record_failure(job.trial, reason, self._orders.folder, self._orders.git_commit)
        self.failures.append(Failure(job.trial.name, reason))
        self._progress.is_over = self._board.is_over
        self._progress.fail(job.trial.id, expected_steps(job))
        self._show()

    def _show(self) -> None:
        progress = self._progress
        self._gauges.show(progress.done, progress.running, progress.failed, self._board.waiting())
