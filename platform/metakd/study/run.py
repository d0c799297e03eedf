"""Runs what is missing of a study: what trials share, and the trials."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from metakd.errors import UserError
from metakd.memory import MemoryRanOutError
from metakd.models.outline import parameters_of
from metakd.results.teacher_scores import TEACHERS_FILE, TeacherScore, write_teachers
from metakd.results.writer import FinishedTrial
from metakd.study.allotment import Allotment, allot, allot_teachers, begun_at_once
from metakd.study.announce import Failure, announce_estimate
from metakd.study.cases import Job
from metakd.study.cluster import Cluster, present_nodes, requires_token
from metakd.study.cost import expected_steps, steps_left
from metakd.study.curves import Curves
from metakd.study.dispatch import Watcher
from metakd.study.kept_students import KeptStudents
from metakd.study.machines import UNMEASURED, machines_of
from metakd.study.metrics import StudyGauges
from metakd.study.options import RunOptions, Wanted
from metakd.study.plan import Plan
from metakd.study.preparation import PreparationJob, TeacherJob, preparation_of, teacher_job_id
from metakd.study.progress import StageProgress, TrialProgress
from metakd.study.record import as_recorded, git_commit, record_searches
from metakd.study.scheduler import AnyJob, Scheduler
from metakd.study.storage import require_shared
from metakd.study.teachers_first import come_first
from metakd.study.trackers import Trackers
from metakd.study.trainable import RunContext
from metakd.study.tuning import run_jobs
from metakd.train.commit import record_failure
from metakd.train.folder import StudyFolder
from metakd.train.teacher import TeacherReport, pushed_report, read_report
from metakd.train.trial import TeacherSpec

if TYPE_CHECKING:
    from metakd.study.blocks import Blocks

SEARCHES_INTERVAL_S = 10.0
"""Segments are written that often, for reports of a running study."""


def run_on(
    cluster: Cluster,
    plan: Plan,
    scheduler: Scheduler,
    blocks: "Blocks | None",
    trackers: Trackers,
    folder: StudyFolder,
    options: RunOptions,
    console: Console,
) -> list[Failure]:
    """Runs what is left of a study on a connected cluster.

    Args:
        cluster: The cluster.
        plan: The study's plan.
        scheduler: What is not finished of it.
        blocks: Adds further seeds until the study is decided; None adds none.
        trackers: Log each trial that is committed.
        folder: The study's folder.
        options: How to run it.
        console: Where to show progress.

    Returns:
        The trials that failed; they are recorded, and the others are committed.

    Raises:
        ResourceError: If the cluster does not hold a single trial.
        StorageError: If its machines do not share the study's folder.
        TeacherTrainingError: If a teacher's training failed on Ray Train.
        PreparationError: If anything else that trials share could not be made.
        OSError: If the disk is full.
    """
    console.print(
        f"cluster      {cluster.cpus} CPUs, {cluster.gpus} GPUs, {len(cluster.nodes)} node(s)"
        + (", started here" if cluster.started_here else "")
    )
    console.print(f"dashboard    {cluster.dashboard or 'none on this cluster'}")
    if cluster.dashboard is not None and requires_token(cluster.dashboard):
        console.print("             it requires a token: `ray get-auth-token` prints it")
    allotment = allot(options.wanted, cluster.nodes)
    console.print(f"resources    {allotment}")
    if not cluster.started_here:
        _announce_estimate(plan, scheduler, folder, cluster, options.wanted, console)
    require_shared(folder)

    with StageProgress(console) as stages:
        untrained = _teach(plan, scheduler, folder, cluster, stages, console)
    if not untrained:
        report_teachers(plan, folder, console)
    scheduler.prepare(preparation_of(plan.banks, scheduler.bank_ids(), untrained))

    def run(scheduler: Scheduler, allotment: Allotment) -> list[Failure]:
        context = RunContext(
            folder,
            allotment.each,
            git_commit(),
            options.save_interval_s,
            keep_students=options.keep_students,
        )

        def run_at_most(at_once: int | None) -> None:
            def begun() -> int:
                if blocks is not None and blocks.is_out_of_time and not scheduler.is_closed:
                    console.print("budget       --max-hours are over: what runs is ended")
                    scheduler.close()
                return begun_at_once(allotment.each, present_nodes(), at_once)

            run_jobs(context, scheduler, begun, shown, options.max_failures)

        def extend() -> None:
            if blocks is not None and blocks.extend(scheduler):
                scheduler.prepare(preparation_of(blocks.plan.banks, scheduler.bank_ids()))
                shown.extend()

        with _Shown(plan, scheduler, context, trackers, console) as shown:
            if allotment.each.workers == 1:
                scheduler.when_over(extend)
            with_less_at_once(run_at_most, options.wanted.max_concurrent, console)
        return shown.failures

    failures: list[Failure] = []
    while True:
        if allotment.each.workers > 1 and not scheduler.is_prepared:
            # What drives a trial on workers has no CPU of its own to prepare anything on.
            alone = Scheduler(Curves(folder, ()))
            alone.prepare(scheduler.take_preparations())
            run(alone, allot(Wanted(), cluster.nodes))
        failures += run(scheduler, allotment)
        if allotment.each.workers == 1 or blocks is None or not blocks.extend(scheduler):
            return failures
        scheduler.prepare(preparation_of(blocks.plan.banks, scheduler.bank_ids()))


def _announce_estimate(
    plan: Plan,
    scheduler: Scheduler,
    folder: StudyFolder,
    cluster: Cluster,
    wanted: Wanted,
    console: Console,
) -> None:
    """Prints what the rest of a study is expected to take on a cluster that was there before."""
    machines = machines_of(cluster.nodes)
    if machines is None:
        console.print(f"note         {UNMEASURED}")
        return
    untrained = [spec for spec in plan.teachers if read_report(spec, folder) is None]
    announce_estimate(console, plan, scheduler, untrained, machines, wanted)


def with_less_at_once(
    run: Callable[[int | None], None], at_once: int | None, console: Console
) -> None:
    """Runs trials, and where memory runs out the rest of them again, half as many at once.

    Args:
        run: Runs what is left, at most so many at once; None: as many as fit.
        at_once: With how many it begins.
        console: Where it is said.

    Raises:
        MemoryRanOutError: If memory ran out twice for one that ran alone.
    """
    alone: set[str] = set()
    while True:
        try:
            return run(at_once)
        except MemoryRanOutError as error:
            if error.name in alone:
                raise
            if error.at_once == 1:
                # Another process may have had the memory.
                alone.add(error.name)
            at_once = max(1, error.at_once // 2)
            console.print(
                f"memory       ran out with {error.at_once} at once ({error.name}): "
                f"it goes on with {at_once} at once"
            )


def _teach(
    plan: Plan,
    scheduler: Scheduler,
    folder: StudyFolder,
    cluster: Cluster,
    stages: StageProgress,
    console: Console,
) -> list[TeacherSpec]:
    """Trains missing teachers that come before all trials, and returns those left to train."""
    missing = [spec for spec in plan.teachers if read_report(spec, folder) is None]
    if not come_first(plan, scheduler, missing, cluster.nodes):
        return missing
    from metakd.train.teacher_training import train_teachers

    batch = min(spec.recipe.batch_size for spec in missing)
    allotment = allot_teachers(cluster.nodes, len(missing), batch)
    stages.show(teacher_in_words(missing[0], plan.teachers))

    def show(spec: TeacherSpec, done: int) -> None:
        stages.show(
            f"{teacher_in_words(spec, plan.teachers)}, epoch {done} of {spec.recipe.epochs}"
        )

    def train_at_most(at_once: int | None) -> None:
        train_teachers(missing, folder, allotment.each, at_once or allotment.at_once, show)

    with_less_at_once(train_at_most, None, console)
    return []


def teacher_in_words(teacher: TeacherSpec, teachers: Sequence[TeacherSpec]) -> str:
    """Returns what a teacher under training is called: one model may stand there twice."""
    of = f" {teachers.index(teacher) + 1} of {len(teachers)}," if len(teachers) > 1 else ""
    return f"teacher{of} {teacher.model}"


def report_teachers(plan: Plan, folder: StudyFolder, console: Console) -> None:
    """Writes down how good the teachers are, and prints it.

    Raises:
        StoreError: If one of them is not there.
    """
    scores = [_score(spec, pushed_report(spec, folder), plan) for spec in plan.teachers]
    write_teachers(folder.out, scores)
    folder.push(folder.out / TEACHERS_FILE)
    for score in scores:
        console.print(f"teacher      {score.name}: {100 * score.test_acc:.2f} % on test")


def _score(spec: TeacherSpec, report: TeacherReport, plan: Plan) -> TeacherScore:
    dataset = plan.opened_of(spec.data).dataset
    return TeacherScore(
        dataset=spec.data.dataset,
        model=spec.model,
        parameters=parameters_of(spec.model, dataset.image_shape, dataset.num_classes),
        val_acc=report.val_acc,
        test_acc=report.test_acc,
        seed=spec.seed,
    )


class PreparationError(UserError):
    """Something that trials share could not be made."""


class _Shown(Watcher):
    """Shows in the terminal and on Ray's dashboard how far a run is, and records its failures."""

    def __init__(
        self,
        plan: Plan,
        scheduler: Scheduler,
        context: RunContext,
        trackers: Trackers,
        console: Console,
    ) -> None:
        goes_on = any(search.runs_to_come for search in scheduler.unfinished())
        total = None if goes_on else len(scheduler.known())
        self.failures: list[Failure] = []
        self._plan = plan
        self._context = context
        self._scheduler = scheduler
        self._trackers = trackers
        self._console = console
        self._progress = TrialProgress(console, total, steps_left(scheduler))
        self._gauges = StudyGauges(plan.spec.name)
        settings = [as_recorded(setting) for setting in plan.settings]
        self._students = KeptStudents(context.keep_students, context.folder, settings)
        self._wrote_at = time.monotonic()

    def extend(self) -> None:
        """Takes up the block that was added to the scheduler."""
        progress = self._progress
        if progress.total is not None:
            progress.total += len(self._scheduler.known())
        progress.total_work += steps_left(self._scheduler)
        progress.is_over = False

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

    def epoch(self, job: AnyJob, epochs_done: int) -> None:
        if isinstance(job, TeacherJob):
            words = teacher_in_words(job.teacher, self._plan.teachers)
            words += f", epoch {epochs_done} of {job.teacher.recipe.epochs}"
            self._progress.prepare(words)
        if not isinstance(job, Job):
            return
        share = (epochs_done - job.from_epoch) / (job.trial.epochs - job.from_epoch)
        self._progress.advance(job.trial.id, max(0.0, share) * expected_steps(job))

    def prepared(self, job: PreparationJob) -> None:
        if isinstance(job, TeacherJob):
            self._progress.prepare("")
            if not any(self._scheduler.lacks(teacher_job_id(t)) for t in self._plan.teachers):
                report_teachers(self._plan, self._context.folder, self._console)

    def done(self, job: Job, result: FinishedTrial) -> None:
        self._students.add(result)
        self._trackers.add(result)
        self._progress.is_over = self._scheduler.is_over
        val_acc = float(result.val_acc[-1])
        self._progress.finish(job.trial.id, job.trial.name, val_acc, expected_steps(job))
        self._show()
        if time.monotonic() - self._wrote_at > SEARCHES_INTERVAL_S:
            self._wrote_at = time.monotonic()
            record_searches(self._scheduler, self._context.folder)

    def failed(self, job: AnyJob, reason: str) -> None:
        if os.strerror(errno.ENOSPC) in reason:
            # All others would fail of it, too.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not isinstance(job, Job):
            reason = _without_class(reason)
            if isinstance(job, TeacherJob):
                reason = f"the teacher {job.teacher.model} could not be trained: {reason}"
            raise PreparationError(reason)
        record_failure(job.trial, reason, self._context.folder, self._context.git_commit)
        self.failures.append(Failure(job.trial.name, reason))
        self._progress.is_over = self._scheduler.is_over
        self._progress.fail(job.trial.id, expected_steps(job))
        self._show()

    def _show(self) -> None:
        progress = self._progress
        self._gauges.show(
            progress.done, progress.running, progress.failed, self._scheduler.waiting()
        )


def _without_class(reason: str) -> str:
    """Returns the last line of a traceback without the name of the exception's class."""
    kind, _, message = reason.partition(": ")
    return message if message and " " not in kind else reason
