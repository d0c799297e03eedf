"""Executes a study: its plan, what is missing of it, its verdict and report."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from metakd.data.datasets import ImageDataset, open_dataset
from metakd.memory import MemoryRanOutError, is_about_memory
from metakd.models.names import require_checkpoint
from metakd.models.pretrained import require_classes
from metakd.results.compaction import compact, is_due
from metakd.results.mirror import check_store, fetch_results, push_change
from metakd.results.reader import finished_trials, read_study
from metakd.results.study import STUDY_FILE, StudyRecord, check_out
from metakd.signals import StoppedBySignal
from metakd.study.allotment import allot
from metakd.study.announce import (
    Failure,
    announce_decision,
    announce_estimate,
    announce_failures,
    announce_kept,
    announce_older,
    announce_places,
    announce_plan,
    announce_schedule,
    announce_skipped,
    announce_students,
    announce_versions,
)
from metakd.study.banks import check_room, free_bytes
from metakd.study.cluster_address import ClusterError, address_of
from metakd.study.config_file import write_config
from metakd.study.curves import Curves
from metakd.study.given_teachers import check_given_teachers, put_given_teachers
from metakd.study.lease import WATCH_S, only_study_on
from metakd.study.lock import only_study_in
from metakd.study.machines import (
    UNMEASURED,
    Machines,
    assumed_machines,
    machines_here,
    machines_of,
)
from metakd.study.options import RunOptions
from metakd.study.plan import Plan, make_plan, own_code
from metakd.study.progress import duration
from metakd.study.record import record_searches, record_study
from metakd.study.scheduler import Scheduler
from metakd.study.searching import Searching, searches_of
from metakd.study.spec import StudySpec
from metakd.study.storage import require_lasting
from metakd.study.trackers import Trackers, check_trackers
from metakd.train.failure_report import reason_of
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import sweep_finished
from metakd.train.share import require_same_result
from metakd.train.teacher import read_report, trained_teachers

if TYPE_CHECKING:
    from metakd.analysis.summary import Summary
    from metakd.study.blocks import Blocks


def execute(
    spec: StudySpec,
    options: RunOptions,
    render: Callable[[Path, "Summary"], Path],
    show: Callable[[Console, "Summary"], None],
    console: Console,
) -> int:
    """Runs what is missing of a study, then analyses and reports it.

    Args:
        spec: The question.
        options: How to run it.
        render: Writes the HTML report of a summary into the results folder, returns its path.
        show: Prints the verdict of a summary and its tables.
        console: Where to print.

    Returns:
        0, or 1 if trials failed.

    Raises:
        UserError: If something that was given cannot be done.
        OSError: If the disk is full.
    """

    def note(line: str) -> None:
        console.print(f"note         {line}")

    # Workers have working directories of their own.
    folder = StudyFolder(options.out.absolute(), options.store)
    require_lasting(folder.out)
    check_out(options.out)
    if folder.store is not None:
        check_store(folder.store)
    with _seen(folder) if options.is_plan_only else _held(folder, console):
        started = time.monotonic()
        plan, blocks = _plan(spec, options, folder, console)
        scheduler = until_look = _scheduler(plan, folder)
        if blocks is not None and not all(map(plan.spec.goes_on, plan.spec.strategies)):
            until_look = _scheduler(plan, folder, holds=True)
        _announce(plan, scheduler, until_look, options, folder, console)
        announce_older(console, plan, folder.out)
        announce_versions(console, folder.out)
        if blocks is not None:
            announce_schedule(console, plan, blocks.declared.looks, blocks.looks)
        if options.is_plan_only:
            _announce_power(plan, options, console)
            return 0
        with Trackers(options.trackers, folder.out, spec.name, note) as trackers:
            failures = _run(plan, until_look, blocks, trackers, options, folder, console)
            summary, report = _conclude(options, folder, render, show, console)
            trackers.conclude(summary)
        announce_places(console, options.out, report, folder.store)
        announce_students(console, options.out, summary, folder.store)
        announce_skipped(console, options.out, until_look.trial_ids())
        announce_failures(console, failures)
        console.print(f"done in {duration(time.monotonic() - started)}")
        announce_decision(console, summary)
        return 1 if failures else 0


@contextmanager
def _seen(folder: StudyFolder) -> Iterator[None]:
    """Has the results here."""
    if folder.store is not None:
        fetch_results(folder.out, folder.store)
    yield


@contextmanager
def _held(folder: StudyFolder, console: Console) -> Iterator[None]:
    """Has the results here, and locks them."""

    def show_wait(who: str) -> None:
        console.print(
            f"waiting      to see whether {who} still works here, {WATCH_S:.0f} s at most"
        )

    with ExitStack() as held:
        held.enter_context(only_study_in(folder.out))
        if folder.store is not None:
            held.enter_context(only_study_on(folder.store, folder.out, show_wait))
            fetch_results(folder.out, folder.store)
        yield


def _plan(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, console: Console
) -> "tuple[Plan, Blocks | None]":
    """Lays out what a study runs: as many seeds as it says, or those of its looks."""
    datasets = [open_dataset(name, folder.datasets, options.data) for name in spec.datasets]
    recorded = read_study(folder.out) if (folder.out / STUDY_FILE).exists() else None
    if recorded is not None:
        # Stores of before have one stream of seeds, and go on with it.
        spec = replace(spec, seed_streams=recorded.spec.get("seed_streams", "shared"))
    blocks = None
    if options.until_decided is not None:
        from metakd.study.blocks import Blocks

        def plan_of(seed_counts: Sequence[int]) -> Plan:
            return make_plan(spec, datasets, options.banks, seed_counts)

        blocks = Blocks(plan_of, spec, recorded, options.until_decided, folder, console)
        plan = blocks.plan
    else:
        plan = make_plan(spec, datasets, options.banks)
        if recorded is not None and recorded.schedule is not None:
            plan = _with_more_seeds(plan, spec, datasets, recorded, options, console)
    for teacher in plan.teachers:
        require_classes(teacher.model, plan.opened_of(teacher.data).dataset.num_classes)
    return plan, blocks


def _with_more_seeds(
    plan: Plan,
    spec: StudySpec,
    datasets: Sequence[ImageDataset],
    recorded: StudyRecord,
    options: RunOptions,
    console: Console,
) -> Plan:
    """Keeps the seeds of a study whose looks were declared, and says what further ones are."""
    console.print(
        "note         this study's looks were declared before its first trial: further seeds show "
        "in its numbers, and change no word; --until-decided goes on with its looks"
    )
    if len(recorded.seed_counts) != len(plan.settings):
        return plan
    counts = [max(spec.seeds, count) for count in recorded.seed_counts]
    return make_plan(spec, datasets, options.banks, counts)


def _announce(
    plan: Plan,
    scheduler: Scheduler,
    until_look: Scheduler,
    options: RunOptions,
    folder: StudyFolder,
    console: Console,
) -> None:
    """Prints the plan, and refuses what cannot be run.

    Args:
        plan: It.
        scheduler: All that is not finished of it.
        until_look: What runs until its next look, or to its end.
        options: How it is to run.
        folder: The study's folder.
        console: Where to print.
    """
    untrained = [teacher for teacher in plan.teachers if read_report(teacher, folder) is None]
    for model in (*(t.model for t in untrained), *(job.trial.student for job in scheduler.known())):
        require_checkpoint(model)
    announce_plan(console, plan, scheduler, free_bytes(folder.banks), options.until_decided)
    machines = None if scheduler.is_over else _machines(options, console)
    if machines is not None:
        wanted, until = options.wanted, options.until_decided
        announce_estimate(console, plan, scheduler, untrained, machines, wanted, until_look, until)
    if not scheduler.is_over:
        announce_kept(console, plan, options.keep_students)
    check_given_teachers(plan, folder, console)
    for line in check_trackers(options.trackers, options.out):
        console.print(f"log          {line}")
    for note in options.notes:
        console.print(f"note         {note}")
    for job in scheduler.known():
        require_same_result(job.trial, job.samples, job.held_out, options.wanted.workers)
    needed = scheduler.bank_ids()
    check_room([bank for bank in plan.banks if bank.id in needed], folder.banks)
    if options.is_plan_only and machines is not None:
        console.print(f"resources    {allot(options.wanted, machines.nodes)}")


def _machines(options: RunOptions, console: Console) -> Machines | None:
    """Returns where a plan's cost is predicted for: what is assumed, a running cluster, or here.

    None where a run is about to connect to a cluster: it says more once it knows its machines.
    """
    if options.assume is not None:
        return assumed_machines(options.assume)
    if address_of(options.cluster) is None:
        return machines_here()
    if not options.is_plan_only:
        return None
    import ray

    from metakd.study.cluster import connect

    try:
        nodes = connect(options.cluster).nodes
    finally:
        ray.shutdown()
    machines = machines_of(nodes)
    if machines is None:
        console.print(f"note         {UNMEASURED}")
    return machines


def _run(
    plan: Plan,
    scheduler: Scheduler,
    blocks: "Blocks | None",
    trackers: Trackers,
    options: RunOptions,
    folder: StudyFolder,
    console: Console,
) -> list[Failure]:
    """Runs what is missing, and returns the trials that failed."""
    record_study(plan, options.out, None if blocks is None else blocks.declared)
    folder.push(write_config(options.out, options.config))
    record_searches(scheduler, folder)
    kept = [folder.datasets / opened.data.fingerprint for opened in plan.opened]
    folder.push(folder.out / STUDY_FILE, *kept)
    if scheduler.is_over and not (blocks is not None and blocks.extend(scheduler)):
        return []
    plan = plan if blocks is None else blocks.plan
    put_given_teachers(plan, folder)
    # Only a study with something left to run needs Ray.
    import ray

    from metakd.study.cluster import connect

    is_in_haste = False
    try:
        console.print("connecting to Ray ...")
        with _importing("metakd.study.run"):
            cluster = connect(
                options.cluster,
                lambda line: console.print(f"note         {line}"),
                own_code(plan),
            )
        from metakd.study.run import run_on

        return run_on(cluster, plan, scheduler, blocks, trackers, folder, options, console)
    except (ray.exceptions.RayError, ConnectionError) as error:
        if is_about_memory(f"{type(error).__name__}: {error}"):
            raise MemoryRanOutError("the study", reason_of(str(error)), at_once=1) from error
        raise ClusterError(
            f"the Ray cluster failed under the study: {reason_of(str(error))}; the same command "
            "goes on from here"
        ) from error
    except StoppedBySignal as stop:
        is_in_haste = stop.number != signal.SIGINT
        raise
    finally:
        # Who signals a whole job, as Slurm does, ends Ray's processes, too: Ray would wait for
        # them, or end this one with a code of its own. They do not outlive it.
        if not is_in_haste:
            ray.shutdown()
        record_searches(scheduler, folder)
        folder.remove(folder.ray)
        finished = finished_trials(options.out) | trained_teachers(folder)
        sweep_finished(folder, finished | scheduler.ended_trainings())


def _announce_power(plan: Plan, options: RunOptions, console: Console) -> None:
    """Prints how long it would take to decide, by a store's variances, where there is one."""
    place = options.power_of or options.out
    if options.power_of is None and not ((place / STUDY_FILE).exists() and finished_trials(place)):
        return
    from metakd.study.plan_power import announce_power

    pilots = None if options.until_decided is None else options.until_decided.pilots
    announce_power(console, plan, place, pilots, options.power_of is not None)


@contextmanager
def _importing(module: str) -> Iterator[None]:
    """Imports a module while this thread waits for something else."""
    thread = threading.Thread(target=import_module, args=(module,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()  # what ends meanwhile must not end in the middle of an import


def _conclude(
    options: RunOptions,
    folder: StudyFolder,
    render: Callable[[Path, "Summary"], Path],
    show: Callable[[Console, "Summary"], None],
    console: Console,
) -> "tuple[Summary, Path | None]":
    """Analyses what is in the store, prints the verdict, and returns it with the report's path."""
    # What a plan does not need: pandas and scipy.
    from metakd.analysis.students import selected_trials
    from metakd.analysis.summarise import summarise, write_summary
    from metakd.study.kept_students import keep_selected, sweep_students

    sweep_students(folder)
    if options.keep_students == "selected":
        keep_selected(folder, selected_trials(options.out))
    if is_due(options.out):
        change = compact(options.out)
        if folder.store is not None:
            push_change(folder.out, folder.store, change)
    summary = summarise(options.out)
    folder.push(write_summary(folder.out, summary))
    report = render(options.out, summary) if options.report else None
    if report is not None:
        folder.push(report.absolute())
    show(console, summary)
    return summary, report


def _scheduler(plan: Plan, folder: StudyFolder, holds: bool = False) -> Scheduler:
    """Returns what is not finished of a plan; searches get what is in the store.

    Args:
        plan: The plan.
        folder: The study's folder.
        holds: Whether strategies that stop after the pilot are held until the others have ended.
    """
    finished = finished_trials(folder.out)

    def release(search: Searching) -> None:
        for training in search.trainings():
            folder.remove(folder.checkpoints / training)

    def is_held(search: Searching) -> bool:
        return holds and not plan.spec.goes_on(search.name)

    searches = searches_of(plan)
    scheduler = Scheduler(Curves(folder, finished), filterfalse(is_held, searches), release)
    scheduler.hold(filter(is_held, searches))
    return scheduler
