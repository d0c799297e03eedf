"""Machines that a cost is predicted for, and the speeds of GPUs that are not here."""

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.imagenet_cost import imagenet, plan_of
from refilled_scheduler import SchedulerOfJobs

from metakd.machine import usable_cpus
from metakd.models.names import without_weights
from metakd.study.allotment import Node
from metakd.study.cost import expected_steps
from metakd.study.curves import Curves
from metakd.study.estimate import END_S, START_S, TEACHERS_FIRST_S, TESTS, TRIAL_S
from metakd.study.gpu_work import H100, LAUNCH_S, Gpu, Work, work_of
from metakd.study.machines import (
    AROUND,
    DECODED_PER_S,
    DECODING_CPUS,
    assumed_machines,
    machines_here,
    machines_of,
)
from metakd.study.options import BankPolicy, ResourceError, Wanted
from metakd.study.plan import Plan
from metakd.study.scheduler import Scheduler
from metakd.study.speeds import MeasuredSpeeds
from metakd.train.folder import StudyFolder

SHAPE = (3, 224, 224)
TINY = imagenet(train=1000, test=20, classes=10)
UNIT = Gpu("unit", autocast=100.0, convolutions=10.0, products=5.0, memory=1000.0)
ALL_EIGHT = Wanted(workers=8)
AROUND_TRIALS_S = START_S + END_S


def scheduler(plan: Plan) -> Scheduler:
    return SchedulerOfJobs(Curves(StudyFolder(Path("nowhere")), ()), plan.jobs)


def test_a_pass_is_charged_for_arithmetic_and_memory() -> None:
    work = Work(convolutions=20.0, products=30.0, values=100.0, operations=7)
    # Forward and backward: three times 50 operations, 16 bytes a value.
    assert work.training_s(UNIT) == pytest.approx(3 * 50 / 100 + 16 * 100 / 1000)
    # Forward alone, in float32: a third of the values' traffic, each twice as wide.
    assert work.forward_s(UNIT) == pytest.approx(20 / 10 + 30 / 5 + 16 * 100 * 2 / 3 / 1000)
    assert work.launching_s == pytest.approx(3 * 7 * LAUNCH_S)


def test_a_convolution_is_counted_by_hand() -> None:
    work = work_of("cifar_resnet8", (3, 32, 32), 10)
    stem = 3 * 16 * 9 * 32**2
    blocks = 2 * 16 * 16 * 9 * 32**2 + (16 * 32 * 10 + 32 * 32 * 9) * 16**2
    blocks += (32 * 64 * 10 + 64 * 64 * 9) * 8**2
    assert work.convolutions == 2 * (stem + blocks)
    assert work.products == 2 * 64 * 10
    # Nine convolutions and a linear layer, as many normalisations and rectifiers, three sums, ...
    assert 25 < work.operations < 60


@pytest.mark.parametrize(
    ("size", "measured", "tolerance"),
    # Images a second of a training step, as timm measured on an RTX 3090.
    [
        ("tiny", 2299.56, 0.35),
        ("small", 1057.92, 0.1),
        ("base", 392.99, 0.1),
        ("large", 117.2, 0.1),
    ],
)
def test_the_speeds_that_timm_measured_come_out(
    size: str, measured: float, tolerance: float
) -> None:
    # 71 TFLOP/s with float32 sums, of which large products reach 0.85; 936 GB/s.
    rtx_3090 = Gpu("RTX 3090", autocast=0.85 * 71e12, convolutions=1, products=1, memory=936e9)
    work = work_of(f"timm:vit_{size}_patch16_224", SHAPE, 1000)
    assert 1 / work.training_s(rtx_3090) == pytest.approx(measured, rel=tolerance)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """ViT-T, 21 trials on 850 training images, the teacher run live."""
    return plan_of("vit-tiny-imagenet", TINY, BankPolicy("live"))[0]


def test_a_study_on_gpus_costs_what_its_trials_cost(plan: Plan) -> None:
    student = work_of("timm:vit_tiny_patch16_224", SHAPE, 10)
    teacher = work_of("timm:regnety_160", SHAPE, 10)
    (opened,) = plan.opened
    held_out, test = len(opened.splits.validation), len(opened.splits.test)
    seconds = 0.0
    for job in plan.jobs:
        # One step of all 850 images is an epoch.
        step_s = max(850 * student.training_s(H100), student.launching_s)
        passes = expected_steps(job) * step_s
        if job.trial.teacher is not None:
            passes += 300 * 850 * teacher.forward_s(H100)
        # Two images for each mixed view.
        loading = 300 * 850 * 2 / (DECODING_CPUS * DECODED_PER_S)
        evaluated = 300 * held_out + TESTS * test
        evaluation = evaluated * student.training_s(H100) / 3
        seconds += AROUND * max(passes, loading) + evaluation + 8 * TRIAL_S
    cost = assumed_machines("8xH100").estimate(plan, scheduler(plan), [], ALL_EIGHT)
    assert cost.device_s == pytest.approx(seconds)
    assert (cost.wall_s - AROUND_TRIALS_S) * 8 == pytest.approx(cost.device_s)


def test_more_gpus_take_less_time_for_the_same_work(plan: Plan) -> None:
    eight, more = (
        assumed_machines(text).estimate(plan, scheduler(plan), [], ALL_EIGHT)
        for text in ("8xH100", "64xH100")
    )
    assert more.device_s == pytest.approx(eight.device_s)
    # 21 trials, 8 at once: three rounds, where one after the other they are 21.
    in_rounds = (eight.wall_s - AROUND_TRIALS_S) * 3 / 21
    assert more.wall_s - AROUND_TRIALS_S == pytest.approx(in_rounds, rel=0.1)


def test_all_gpus_train_a_teacher_before_all_trials(plan: Plan) -> None:
    machines = assumed_machines("8xH100")
    trained = machines.estimate(plan, scheduler(plan), [], ALL_EIGHT)
    # One that brings its weights takes nothing.
    brought = machines.estimate(plan, scheduler(plan), plan.teachers, ALL_EIGHT)
    assert brought.wall_s == trained.wall_s
    (teacher,) = plan.teachers
    own = replace(teacher, model=without_weights(teacher.model))
    untrained = machines.estimate(plan, scheduler(plan), [own], ALL_EIGHT)
    assert untrained.wall_s > trained.wall_s
    more_s = untrained.wall_s - trained.wall_s - TEACHERS_FIRST_S
    assert untrained.device_s - trained.device_s == pytest.approx(8 * more_s)


@pytest.mark.parametrize(
    ("text", "nodes", "in_words"),
    [
        ("8xH100", ((192, 8),), "8 H100"),
        ("20 x a100", ((192, 8), (192, 8), (96, 4)), "20 A100"),
        ("1×H200", ((24, 1),), "1 H200"),
        ("64xCPU", ((64, 0),), "64 CPUs like those here"),
    ],
)
def test_machines_are_assumed_by_number_and_kind(
    text: str, nodes: tuple[tuple[int, int], ...], in_words: str
) -> None:
    machines = assumed_machines(text)
    assert machines.nodes == nodes
    assert machines.in_words == in_words
    # What is here can be measured.
    assert machines.is_measured is ("CPU" in text)


@pytest.mark.parametrize("text", ["", "8", "H100", "0xH100", "8xB300", "-8xH100", "9" * 9 + "xCPU"])
def test_other_machines_are_refused(text: str) -> None:
    with pytest.raises(ResourceError, match=r"a number and a kind .*H100.* such as 8xH100"):
        assumed_machines(text)


def test_a_trial_that_does_not_fit_is_refused(plan: Plan) -> None:
    with pytest.raises(ResourceError, match="a trial needs 16 workers"):
        assumed_machines("8xH100").estimate(plan, scheduler(plan), [], Wanted(workers=16))


def test_this_machine_is_measured() -> None:
    here = machines_here()
    assert here.is_measured
    assert isinstance(here.speeds, MeasuredSpeeds)
    assert here.nodes[0].cpus == usable_cpus()


def test_a_clusters_gpus_are_not_guessed_from_cpus() -> None:
    cpus = machines_of([Node(4, 0), Node(4, 0)])
    assert cpus is not None
    assert "8 CPUs" in cpus.in_words
    assert machines_of([Node(4, 1)]) is None
