"""A study from its command line to its verdict."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import ray
import torch
from rich.console import Console

from metakd.analysis.summarise import summarise, write_summary
from metakd.analysis.summary import Summary
from metakd.atomic import DISK_IS_FULL
from metakd.data.bank import BankError
from metakd.data.datasets import DatasetError, open_dataset
from metakd.data.splits import SplitError
from metakd.models.create import ModelError
from metakd.models.pretrained import require_classes
from metakd.results.compaction import compact, is_due
from metakd.results.mirror import check_store, fetch_results, push_compaction, push_stragglers
from metakd.results.reader import finished_trials
from metakd.results.study import STUDY_FILE, StoreError, check_out
from metakd.study.announce import (
    Failure,
    announce_failures,
    announce_places,
    announce_plan,
    announce_skipped,
    announce_verdict,
)
from metakd.study.banks import RoomError, check_room, free_bytes
from metakd.study.board import Board
from metakd.study.cases import Case
from metakd.study.cluster import ClusterError, Node
from metakd.study.command_line import RunOptions, parse
from metakd.study.curves import Curves
from metakd.study.lease import WATCH_S, only_study_on
from metakd.study.lock import LockError, only_study_in
from metakd.study.plan import Plan, make_plan
from metakd.study.progress import duration
from metakd.study.record import record_searches, record_study
from metakd.study.resources import ResourceError, allot
from metakd.study.run import run_pending
from metakd.study.searching import Searching
from metakd.study.spec import SpecError, StudySpec
from metakd.study.storage import StorageError, require_lasting
from metakd.study.strategies import STRATEGIES, StrategyError
from metakd.train.folder import StudyFolder
from metakd.train.in_flight import sweep_finished
from metakd.train.share import ShareError, require_same_result
from metakd.train.teacher import read_report, trained_teachers
from metakd.train.teacher_training import TeacherTrainingError

USER_ERRORS = (
    BankError,
    ClusterError,
    DatasetError,
    LockError,
    ModelError,
    ResourceError,
    RoomError,
    ShareError,
    SpecError,
    SplitError,
    StorageError,
    StoreError,
    StrategyError,
    TeacherTrainingError,
)
INTERRUPTED = 130

Render = Callable[[Path, Summary], Path]


def main(defaults: StudySpec, render: Render, argv: Sequence[str] | None = None) -> int:
    """Runs a study's command line and returns the process's exit code.

    0: done. 1: done, but some trials failed. 2: something asked for cannot be had. 130: Ctrl-C.

    Args:
        defaults: The study's own spec.
        render: Writes the HTML report of a summary into the results folder, returns its path.
        argv: The words after the script's name; None takes those of the process.
    """
    console = _console()
    try:
        spec, options = parse(defaults, argv)
        return _run(spec, options, render, console)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in DISK_IS_FULL:
            raise
        print(
            f"error: the disk of {options.out} is full: finished trials are kept; make room and "
            "run the same command again",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        console.print("\nStopped. Finished trials are kept; the same command continues from here.")
        return INTERRUPTED
    finally:
        ray.shutdown()


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    # Away from a terminal nothing says how wide a line may be: the table needs this much.
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=120)


def _run(spec: StudySpec, options: RunOptions, render: Render, console: Console) -> int:
    # Workers have working directories of their own.
    folder = StudyFolder(options.out.absolute(), options.store)
    require_lasting(folder.out)
    check_out(options.out)
    if folder.store is not None:
        check_store(folder.store)
    with _seen(folder) if options.dry_run else _held(folder, console):
        return _plan_and_run(spec, options, folder, render, console)


@contextmanager
def _seen(folder: StudyFolder) -> Iterator[None]:
    """Has the results here."""
    if folder.store is not None:
        fetch_results(folder.out, folder.store)
    yield


@contextmanager
def _held(folder: StudyFolder, console: Console) -> Iterator[None]:
    """Has the results here, and lets nobody else work on them."""

    def tell(who: str) -> None:
        console.print(
            f"waiting      to see whether {who} still works here, {WATCH_S:.0f} s at most"
        )

    with ExitStack() as held:
        held.enter_context(only_study_in(folder.out))
        if folder.store is not None:
            held.enter_context(only_study_on(folder.store, folder.out, tell))
            fetch_results(folder.out, folder.store)
            push_stragglers(folder.out, folder.store)
        yield


def _plan_and_run(
    spec: StudySpec, options: RunOptions, folder: StudyFolder, render: Render, console: Console
) -> int:
    started = time.monotonic()
    datasets = [open_dataset(name, folder.datasets, options.data) for name in spec.datasets]
    plan = make_plan(spec, datasets, options.banks)
    for teacher in plan.teachers:
        require_classes(teacher.model, plan.opened_of(teacher.data).dataset.num_classes)
    board = _board(plan, folder)
    untrained = [teacher for teacher in plan.teachers if read_report(teacher, folder) is None]
    announce_plan(
        console,
        plan,
        board,
        untrained,
        os.cpu_count() or 1,
        free_bytes(folder.banks),
        options.wanted.workers,
    )
    for job in board.known():
        require_same_result(job.trial, job.samples, options.wanted.workers)
    needed = {bank.id for bank in board.banks()}
    check_room([bank for bank in plan.banks if bank.id in needed], folder.banks)
    if options.dry_run:
        here = Node(os.cpu_count() or 1, torch.cuda.device_count())
        console.print(f"resources    {allot(options.wanted, [here])}, on this machine")
        return 0

    record_study(plan, options.out)
    record_searches(board, folder)
    kept = [folder.datasets / opened.data.fingerprint for opened in plan.opened]
    folder.hand_over(folder.out / STUDY_FILE, *kept)
    failures: list[Failure] = []
    if not board.is_over:
        try:
            failures = run_pending(plan, board, needed, folder, options, console)
        finally:
            record_searches(board, folder)
            folder.remove(folder.ray)
            if folder.store is not None:
                fetch_results(folder.out, folder.store)
            finished = finished_trials(options.out) | trained_teachers(folder)
            sweep_finished(folder, finished | board.ended_trainings())
    if is_due(options.out):
        done = compact(options.out)
        if folder.store is not None:
            push_compaction(folder.out, folder.store, done)
    summary = summarise(options.out)
    folder.hand_over(write_summary(folder.out, summary))
    report = render(options.out, summary) if options.report else None
    if report is not None:
        folder.hand_over(report.absolute())
    announce_verdict(console, summary)
    announce_places(console, options.out, report, folder.store)
    announce_skipped(console, options.out, board.trial_ids() | set(plan.trial_ids))
    announce_failures(console, failures)
    console.print(f"done in {duration(time.monotonic() - started)}")
    return 1 if failures else 0


def _board(plan: Plan, folder: StudyFolder) -> Board:
    """Returns what is not finished of a plan; searches are told what is in the store."""
    finished = finished_trials(folder.out)

    def release(search: Searching) -> None:
        for training in search.trainings():
            folder.remove(folder.checkpoints / training)

    return Board(
        Curves(folder, finished),
        [job for job in plan.jobs if job.trial.id not in finished],
        [_searching(name, case, plan.spec) for name, case in plan.searches],
        release,
    )


def _searching(name: str, case: Case, spec: StudySpec) -> Searching:
    return Searching(name, STRATEGIES[name], case, case.choices(name, spec))
