"""What is left of a study will take: time, work, memory and disk, before it runs."""

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from metakd.models.names import brings_weights
from metakd.models.outline import parameters_of
from metakd.results.seeds import seed_number
from metakd.study.allotment import Allotment
from metakd.study.cases import Job
from metakd.study.cost import expected_steps, live_teacher_passes, plain_run, work_left
from metakd.study.plan import Plan
from metakd.study.preparation import OutputsJob, PreparationJob, TeacherJob, preparation_of
from metakd.study.scheduler import Scheduler
from metakd.study.speeds import Speeds
from metakd.train.trial import TeacherSpec

START_S = 15.0
"""Ray, and the imports of each process that trains."""
TEACHERS_FIRST_S = 25.0
"""Ray Train's group, and then the processes that train students, which start only after it."""
END_S = 4.0
"""The analysis and the report."""
TRIAL_S = 0.03
"""What a trial takes beside its passes: its dataset's indices, its model, its commit."""
TESTS = 1.5
"""Test sets that a student predicts: after its last epoch, and after the selected one if that is
another."""
AROUND_RAY_BYTES = 1600 * 2**20
"""The driver and Ray's own processes."""
PROCESS_BYTES = 560 * 2**20
"""A process that trains, before it has a model."""
TRIAL_BYTES, EPOCH_BYTES = 3000, 100
"""In the store: a trial's row and its content, a row of its curve."""
REPORT_BYTES = 2 * 2**20
STATE_OVER_WEIGHTS = 3
"""A kept state: weights, momentum, the best epoch's weights."""
WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Estimate:
    """What is left of a study.

    Attributes:
        wall_s: Seconds on the clock.
        device_s: Seconds of work, over all CPUs or GPUs.
        memory_bytes: Of all processes at once, on all machines.
        disk_bytes: What the results folder grows to: banks, images, trials, students, the report.
    """

    wall_s: float
    device_s: float
    memory_bytes: int
    disk_bytes: int


class TeachersAlone(NamedTuple):
    """Teachers that are trained before all trials, each on all that a machine has.

    Attributes:
        speeds: Of one process.
        processes: How many share the work.
        devices: CPUs or GPUs of each of them.
    """

    speeds: Speeds
    processes: int
    devices: int


class Timed(NamedTuple):
    """A job of a schedule.

    Attributes:
        name: Unique.
        seconds: How long it takes.
        needs: Names of those that end before it begins; names of no job count as done.
    """

    name: str
    seconds: float
    needs: frozenset[str] = frozenset()


def makespan_s(jobs: Sequence[Timed], at_once: int) -> float:
    """Returns how long jobs take where so many go on at once.

    Of jobs that could begin the first one goes first.

    Raises:
        ValueError: If some of them wait for each other.
    """
    places = {job.name: place for place, job in enumerate(jobs)}
    open_needs = [len(job.needs & places.keys()) for job in jobs]
    waiting: dict[str, list[int]] = {}
    for place, job in enumerate(jobs):
        for need in job.needs & places.keys():
            waiting.setdefault(need, []).append(place)
    ready = [place for place, needs in enumerate(open_needs) if not needs]
    running: list[tuple[float, int]] = []
    now, ended = 0.0, 0
    while ready or running:
        while ready and len(running) < at_once:
            place = heapq.heappop(ready)
            heapq.heappush(running, (now + jobs[place].seconds, place))
        now, place = heapq.heappop(running)
        ended += 1
        for follower in waiting.get(jobs[place].name, ()):
            open_needs[follower] -= 1
            if not open_needs[follower]:
                heapq.heappush(ready, follower)
    if ended < len(jobs):
        raise ValueError("jobs wait for each other")
    return now


def estimate(
    plan: Plan,
    scheduler: Scheduler,
    untrained: Sequence[TeacherSpec],
    allotment: Allotment,
    speeds: Speeds,
    alone: TeachersAlone | None = None,
) -> Estimate:
    """Returns what the rest of a study takes.

    Args:
        plan: The study's plan.
        scheduler: What is not finished of it.
        untrained: Teachers that are not trained yet.
        allotment: What each trial is given, and how many run at once.
        speeds: Of the device that a worker of a trial has.
        alone: How teachers are trained before all trials; None where they are jobs among others.
    """
    seconds = _Seconds(plan, allotment.each.workers, speeds)
    jobs, needed = scheduler.known(), scheduler.bank_ids()
    teachers = [teacher for teacher in untrained if not brings_weights(teacher.model)]
    alone_s = alone_device_s = 0.0
    if alone is not None:
        # Threads wait for each other: measured where other processes compute, too, two of them can
        # be a hundred times as slow as one.
        ways = [_Seconds(plan, 1, each) for each in (speeds, alone.speeds)]
        process_s = sum(min(way.teacher_s(teacher) for way in ways) for teacher in teachers)
        alone_s = TEACHERS_FIRST_S + process_s / alone.processes if teachers else 0.0
        alone_device_s = process_s * alone.devices
        untrained = ()
    timed = list(_in_order(plan, scheduler, jobs, seconds, needed, untrained))
    workers = allotment.each.workers
    return Estimate(
        wall_s=START_S + END_S + alone_s + makespan_s(timed, allotment.at_once),
        device_s=workers * sum(job.seconds for job in timed) + alone_device_s,
        memory_bytes=_memory(plan, jobs, teachers, allotment, speeds),
        disk_bytes=_disk(plan, scheduler, needed),
    )


def _in_order(
    plan: Plan,
    scheduler: Scheduler,
    jobs: Sequence[Job],
    seconds: "_Seconds",
    needed: set[str],
    untrained: Sequence[TeacherSpec],
) -> Iterator[Timed]:
    """Yields everything that is to run, in the scheduler's order: seed by seed, banks first."""
    preparations = preparation_of(plan.banks, needed, untrained)
    by_seed = sorted(
        [(each.seed, 0, each) for each in preparations]
        + [(seed_number(job.trial.seed), 1, job) for job in jobs],
        key=lambda each: each[:2],
    )
    for _, _, each in by_seed:
        if isinstance(each, Job):
            yield Timed(each.id, seconds.job_s(each), each.needs)
        else:
            yield Timed(each.id, seconds.preparation_s(each), each.needs)
    for number, search in enumerate(scheduler.unfinished()):
        # Its later segments come one after the other, after what it waits for now.
        before = search.waits_for[-1].id
        each_s = seconds.job_s(plain_run(search.case)) if search.runs_to_come else 0.0
        for segment in range(math.ceil(search.runs_to_come)):
            name = f"search {number}, segment {segment}"
            yield Timed(name, each_s, frozenset({before}))
            before = name


class _Seconds:
    """Seconds of the parts of a plan, where ``workers`` devices share each batch."""

    def __init__(self, plan: Plan, workers: int, speeds: Speeds) -> None:
        self._plan = plan
        self._workers = workers
        self._speeds = speeds

    def job_s(self, job: Job) -> float:
        """Returns the seconds of a trial: steps, look-aheads, live teachers, evaluation."""
        trial = job.trial
        opened, augmentation = self._plan.opened_of(trial.data), trial.sampling.augmentation
        steps, batch = job.steps, job.batch_size
        full = min(opened.recipes.student.batch_size, len(opened.splits.train))
        recipe = opened.recipes.student
        step_s = self._speeds.step_s(trial.student, recipe, opened, augmentation) * batch / full
        if job.bank is not None and job.bank.has_views:
            step_s = max(0.0, step_s - batch * self._speeds.view_s(opened, augmentation))
        passes_s = expected_steps(job) * step_s
        if job.live_teachers:
            passed = batch * live_teacher_passes(job)
            passes_s += sum(
                passed * self._speeds.forward_s(t.model, opened) for t in job.live_teachers
            )
        loading_s = 0.0
        if job.bank is None or not job.bank.has_views:
            loading_s = steps * batch * self._speeds.loading_s(opened, augmentation)
        epochs = trial.epochs - job.from_epoch
        tests = TESTS if trial.stop_after is None else 0.0
        evaluated = epochs * job.held_out + tests * len(opened.splits.test)
        evaluation_s = evaluated * self._speeds.evaluating_s(trial.student, opened)
        shared = self._speeds.around * max(passes_s, loading_s) + evaluation_s
        return shared / self._workers + TRIAL_S

    def preparation_s(self, job: PreparationJob) -> float:
        """Returns the seconds of a teacher's training, or of what a bank keeps."""
        if isinstance(job, TeacherJob):
            return 0.0 if brings_weights(job.teacher.model) else self.teacher_s(job.teacher)
        (bank,) = [bank for bank in self._plan.banks if bank.id == job.bank_id]
        opened = self._plan.opened_of(job.content.data)
        views = bank.passes * bank.samples
        making_s = self._speeds.view_s(opened, bank.augmentation)
        making_s = max(making_s, self._speeds.loading_s(opened, bank.augmentation))
        if not isinstance(job, OutputsJob):
            return views * making_s
        forward_s = self._speeds.forward_s(job.teacher.model, opened)
        return views * (forward_s + (0.0 if bank.mode == "full" else making_s))

    def teacher_s(self, teacher: TeacherSpec) -> float:
        """Returns the seconds of a teacher's training and its evaluation at the end."""
        opened, recipe = self._plan.opened_of(teacher.data), teacher.recipe
        samples = len(opened.splits.train)
        batch = min(recipe.batch_size, samples)
        steps = recipe.epochs * (samples // batch)
        step_s = self._speeds.step_s(teacher.model, recipe, opened, teacher.augmentation)
        loading_s = batch * self._speeds.loading_s(opened, teacher.augmentation)
        evaluated = len(opened.splits.validation) + len(opened.splits.test)
        evaluation_s = evaluated * self._speeds.evaluating_s(teacher.model, opened)
        passes_s = self._speeds.around * steps * max(step_s, loading_s)
        return (passes_s + evaluation_s) / self._workers


def _memory(
    plan: Plan,
    jobs: Sequence[Job],
    teachers: Sequence[TeacherSpec],
    allotment: Allotment,
    speeds: Speeds,
) -> int:
    """Returns what processes take at once: the largest trial in all of them."""
    kinds = {(j.trial.data, j.trial.student, j.trial.sampling.augmentation) for j in jobs}
    taken = [
        speeds.memory(student, opened.recipes.student, opened, augmentation)
        for data, student, augmentation in kinds
        for opened in [plan.opened_of(data)]
    ]
    taken += [
        speeds.memory(each.model, each.recipe, plan.opened_of(each.data), each.augmentation)
        for each in teachers
    ]
    largest = max(taken, default=0)
    processes = allotment.at_once * allotment.each.workers
    # Decoded images are mapped: all processes of a machine have the same ones.
    return AROUND_RAY_BYTES + processes * (PROCESS_BYTES + largest) + _image_bytes(plan)


def _image_bytes(plan: Plan) -> int:
    decoded = [opened.dataset for opened in plan.opened if opened.dataset.is_decoded]
    return sum(len(dataset.labels) * math.prod(dataset.image_shape) for dataset in decoded)


def _disk(plan: Plan, scheduler: Scheduler, needed: set[str]) -> int:
    """Returns what the results folder will hold."""
    banks = sum(bank.kept_bytes for bank in plan.banks if bank.id in needed)
    trials: Counter[int] = Counter()
    for job, runs in work_left(scheduler):
        trials[job.trial.epochs] += round(runs)
    rows = sum(count * (TRIAL_BYTES + epochs * EPOCH_BYTES) for epochs, count in trials.items())
    weights = sum(
        WEIGHT_BYTES
        * STATE_OVER_WEIGHTS
        * parameters_of(teacher.model, opened.dataset.image_shape, opened.dataset.num_classes)
        for teacher in plan.teachers
        for opened in [plan.opened_of(teacher.data)]
    )
    return banks + _image_bytes(plan) + rows + weights + REPORT_BYTES
