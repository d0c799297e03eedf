"""What the rest of a study takes, against sums by hand: every speed is a made-up round number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.core.recipe import Recipe
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.models.outline import parameters_of
from metakd.study.allotment import Allotment
from metakd.study.cost import expected_steps
from metakd.study.curves import Curves
from metakd.study.estimate import (
    AROUND_RAY_BYTES,
    END_S,
    PROCESS_BYTES,
    REPORT_BYTES,
    START_S,
    TEACHERS_FIRST_S,
    TESTS,
    TRIAL_S,
    Estimate,
    TeachersAlone,
    Timed,
    estimate,
    makespan_s,
)
from metakd.study.options import BankPolicy, Mode
from metakd.study.plan import Opened, Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder
from metakd.train.resources import Resources
from metakd.train.trial import TeacherSpec

STEP_S, IMAGE_S, EVALUATION_S, VIEW_S, BYTES = 0.5, 0.002, 0.0015, 0.0001, 7 * 2**20


@dataclass(frozen=True)
class RoundSpeeds:
    """The same for every model."""

    loading: float = 0.0
    around: float = 1.0
    threads_wait: float = 1.0

    def step_s(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> float:
        return self.threads_wait * STEP_S

    def forward_s(self, model: str, opened: Opened) -> float:
        return IMAGE_S

    def evaluating_s(self, model: str, opened: Opened) -> float:
        return EVALUATION_S

    def view_s(self, opened: Opened, augmentation: str) -> float:
        return VIEW_S

    def loading_s(self, opened: Opened, augmentation: str) -> float:
        return self.loading

    def memory(self, model: str, recipe: Recipe, opened: Opened, augmentation: str) -> int:
        return BYTES


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    place = tmp_path_factory.mktemp("pictures")
    return open_dataset("synthetic:samples=1000,classes=10,size=32", place)


def plan_of(
    pictures: ImageDataset,
    *strategies: str,
    mode: Mode = "live",
    seeds: int = 1,
    teacher: str = "cifar_cnn",
) -> tuple[Plan, Scheduler]:
    spec = StudySpec(
        "s",
        scales=(1.0,),
        augmentations=("standard",),
        teachers=(teacher,),
        strategies=strategies,
        seeds=seeds,
        epochs=4,
    )
    plan = make_plan(spec, [pictures], BankPolicy(mode))
    return plan, Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches_of(plan))


def estimated(
    found: tuple[Plan, Scheduler],
    untrained: Sequence[TeacherSpec] = (),
    at_once: int = 1,
    workers: int = 1,
    speeds: RoundSpeeds = RoundSpeeds(),
    alone: TeachersAlone | None = None,
) -> Estimate:
    given_each = Allotment(Resources(workers, 1), at_once)
    return estimate(*found, untrained, given_each, speeds, alone)


def sizes(plan: Plan) -> tuple[int, int, int]:
    """How many samples train, are held out and test."""
    (opened,) = plan.opened
    splits = opened.splits
    return len(splits.train), len(splits.validation), len(splits.test)


def evaluation_s(plan: Plan, epochs: int = 4) -> float:
    _, held_out, test = sizes(plan)
    return (epochs * held_out + TESTS * test) * EVALUATION_S


def test_a_trial_takes_its_steps_and_its_evaluation(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "ce")
    (job,) = plan.jobs
    took = estimated((plan, scheduler))
    by_hand = job.steps * STEP_S + evaluation_s(plan) + TRIAL_S
    assert took.device_s == pytest.approx(by_hand)
    assert took.wall_s == pytest.approx(START_S + by_hand + END_S)


def test_look_aheads_and_a_live_teacher_are_charged(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "meta")
    (job,) = plan.jobs
    assert expected_steps(job) > job.steps
    by_hand = expected_steps(job) * STEP_S + job.steps * job.batch_size * IMAGE_S
    took = estimated((plan, scheduler))
    assert took.device_s == pytest.approx(by_hand + evaluation_s(plan) + TRIAL_S)


def test_what_a_bank_keeps_is_made_once(pictures: ImageDataset) -> None:
    def device_s(mode: Mode) -> tuple[float, Plan]:
        found = plan_of(pictures, "fixed", "grid", mode=mode)
        return estimated(found).device_s, found[0]

    (kept_s, plan), (live_s, _), (full_s, _) = map(device_s, ("logits", "live", "full"))
    (bank,) = plan.banks
    trials = len(plan.jobs)
    passed = sum(job.steps * job.batch_size for job in plan.jobs)
    views = bank.passes * bank.samples
    # Live: each trial has its teacher pass every batch. Kept: the bank does so once.
    assert live_s - kept_s == pytest.approx(passed * IMAGE_S - views * (IMAGE_S + VIEW_S))
    # Kept views are read, not made.
    assert kept_s - full_s == pytest.approx(passed * VIEW_S)
    assert trials == len(plan.spec.temperatures)


def test_the_slower_of_passes_and_loading_counts(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "ce")
    (job,) = plan.jobs
    slow = RoundSpeeds(loading=0.1)
    took = estimated((plan, scheduler), speeds=slow)
    loading = job.steps * job.batch_size * 0.1
    assert loading > job.steps * STEP_S
    assert took.device_s == pytest.approx(loading + evaluation_s(plan) + TRIAL_S)


def test_workers_share_a_batch_and_are_all_paid(pictures: ImageDataset) -> None:
    found = plan_of(pictures, "ce")
    alone, shared = estimated(found), estimated(found, workers=2)
    trial_s = alone.wall_s - START_S - END_S
    assert shared.wall_s - START_S - END_S == pytest.approx((trial_s - TRIAL_S) / 2 + TRIAL_S)
    assert shared.device_s == pytest.approx(trial_s + TRIAL_S)


def test_trials_that_need_no_teacher_run_beside_its_training(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "ce", "fixed")
    (teacher,) = plan.teachers
    took = estimated((plan, scheduler), [teacher], at_once=2)
    without, fixed = plan.jobs
    train, held_out, test = sizes(plan)
    steps = teacher.recipe.epochs * (train // min(train, teacher.recipe.batch_size))
    teacher_s = steps * STEP_S + (held_out + test) * EVALUATION_S
    without_s = without.steps * STEP_S + evaluation_s(plan) + TRIAL_S
    fixed_s = without_s + fixed.steps * fixed.batch_size * IMAGE_S
    longest = max(teacher_s + fixed_s, without_s)
    assert took.wall_s == pytest.approx(START_S + END_S + longest)
    assert took.device_s == pytest.approx(teacher_s + without_s + fixed_s)
    # Before all trials, on all of a machine: two processes of eight CPUs.
    alone = TeachersAlone(RoundSpeeds(), processes=2, devices=8)
    before = estimated((plan, scheduler), [teacher], at_once=2, alone=alone)
    around_s = START_S + END_S + TEACHERS_FIRST_S
    assert before.wall_s == pytest.approx(around_s + teacher_s / 2 + fixed_s)
    assert before.device_s == pytest.approx(8 * teacher_s + without_s + fixed_s)
    # Measured beside other processes, many threads seem slower than one: never in a plan.
    slow = TeachersAlone(RoundSpeeds(threads_wait=100.0), processes=2, devices=8)
    assert estimated((plan, scheduler), [teacher], at_once=2, alone=slow) == before
    fast = TeachersAlone(RoundSpeeds(threads_wait=0.5), processes=2, devices=8)
    sooner = estimated((plan, scheduler), [teacher], at_once=2, alone=fast)
    assert before.wall_s - sooner.wall_s == pytest.approx(steps * STEP_S / 4)


def test_runs_that_a_searcher_adds_come_one_after_another(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "optuna")
    runs = plan.spec.runs_to_spend
    job = plan.jobs[0]
    run_s = job.steps * STEP_S + job.steps * job.batch_size * IMAGE_S
    run_s += evaluation_s(plan) + TRIAL_S
    took = estimated((plan, scheduler), at_once=100)
    assert took.device_s == pytest.approx(runs * run_s)
    first = len(scheduler.known())
    rounds = runs - first + 1
    assert took.wall_s == pytest.approx(START_S + END_S + rounds * run_s)


def test_memory_is_that_of_all_processes(pictures: ImageDataset) -> None:
    found = plan_of(pictures, "ce")
    one, four = estimated(found), estimated(found, at_once=2, workers=2)
    images = 1000 * 3 * 32 * 32
    assert one.memory_bytes == AROUND_RAY_BYTES + PROCESS_BYTES + BYTES + images
    assert four.memory_bytes - one.memory_bytes == 3 * (PROCESS_BYTES + BYTES)


def test_disk_is_banks_images_weights_and_the_store(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "fixed", mode="logits")
    (bank,) = plan.banks
    took = estimated((plan, scheduler)).disk_bytes
    weights = 3 * 4 * parameters_of("cifar_cnn", (3, 32, 32), 10)
    known = bank.kept_bytes + 1000 * 3 * 32 * 32 + weights + REPORT_BYTES
    assert known < took < known + 10_000


@pytest.mark.parametrize(
    ("chains", "at_once", "expected"),
    [
        ([], 2, 0),
        ([[3], [2], [2]], 1, 7),
        ([[3], [2], [2]], 2, 4),
        ([[3], [2], [2]], 8, 3),
        # A searcher's runs wait for each other, whatever is free.
        ([[1, 1, 1, 1], [2]], 8, 4),
        ([[2], [1, 1], [1]], 2, 3),
    ],
)
def test_jobs_are_packed_as_they_come(
    chains: list[list[float]], at_once: int, expected: float
) -> None:
    assert makespan_s(chained(chains), at_once) == expected


def test_a_job_waits_for_all_that_it_needs() -> None:
    jobs = [
        Timed("last", 1, frozenset({"a", "b", "of no job"})),
        Timed("a", 2),
        Timed("b", 5),
        Timed("c", 1),
    ]
    assert makespan_s(jobs, 3) == 6
    assert makespan_s(jobs, 1) == 9


def test_jobs_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="wait for each other"):
        makespan_s([Timed("a", 1, frozenset({"b"})), Timed("b", 1, frozenset({"a"}))], 1)


@given(
    st.lists(st.lists(st.floats(0.1, 9), max_size=4), max_size=6),
    st.integers(1, 5),
)
@settings(max_examples=50, deadline=None)
def test_the_clock_lies_between_the_bounds(chains: list[list[float]], at_once: int) -> None:
    longest = max(map(sum, chains), default=0.0)
    share = sum(map(sum, chains)) / at_once
    took = makespan_s(chained(chains), at_once)
    assert max(longest, share) <= took + 1e-9
    assert took <= longest + share + 1e-9


def chained(chains: list[list[float]]) -> list[Timed]:
    """Jobs of which those of a chain wait for each other; first come those of the first chain."""
    return [
        Timed(f"{chain}.{place}", seconds, frozenset({f"{chain}.{place - 1}"} if place else ()))
        for chain, lengths in enumerate(chains)
        for place, seconds in enumerate(lengths)
    ]


def test_a_searchers_budget_is_whole_runs(pictures: ImageDataset) -> None:
    plan, scheduler = plan_of(pictures, "optuna")
    (search,) = scheduler.unfinished()
    assert math.ceil(search.runs_to_come) + len(scheduler.known()) == plan.spec.runs_to_spend
