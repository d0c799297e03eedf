from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.imagenet_cost import imagenet, plan_of
from hypothesis import given, settings
from hypothesis import strategies as st
from refilled_scheduler import SchedulerOfJobs

from metakd.data.datasets import open_dataset
from metakd.models.names import without_weights
from metakd.study.cost import expected_steps
from metakd.study.curves import Curves
from metakd.study.gpu_cost import (
    AROUND,
    DECODED_PER_S,
    DECODING_CPUS,
    ImageSeconds,
    gpu_cost,
    run_s,
    wall_clock_s,
)
from metakd.study.gpu_work import H100, Gpu, Work, work_of
from metakd.study.options import BankPolicy
from metakd.study.plan import Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.train.folder import StudyFolder

SHAPE = (3, 224, 224)
TINY = imagenet(train=1000, test=20, classes=10)
UNIT = Gpu("unit", autocast=100.0, convolutions=10.0, products=5.0, memory=1000.0)


def scheduler(plan: Plan) -> Scheduler:
    return SchedulerOfJobs(Curves(StudyFolder(Path("nowhere")), ()), plan.jobs)


def test_a_pass_is_charged_for_arithmetic_and_memory() -> None:
    work = Work(convolutions=20.0, products=30.0, values=100.0)
    # Forward and backward: three times 50 operations, 16 bytes a value.
    assert work.training_s(UNIT) == pytest.approx(3 * 50 / 100 + 16 * 100 / 1000)
    # Forward alone, in float32: a third of the values' traffic, each twice as wide.
    assert work.answering_s(UNIT) == pytest.approx(20 / 10 + 30 / 5 + 16 * 100 * 2 / 3 / 1000)


def test_a_convolution_is_counted_by_hand() -> None:
    work = work_of("cifar_resnet8", (3, 32, 32), 10)
    stem = 3 * 16 * 9 * 32**2
    blocks = 2 * 16 * 16 * 9 * 32**2 + (16 * 32 * 10 + 32 * 32 * 9) * 16**2
    blocks += (32 * 64 * 10 + 64 * 64 * 9) * 8**2
    assert work.convolutions == 2 * (stem + blocks)
    assert work.products == 2 * 64 * 10


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


def test_a_run_takes_the_slower_of_passes_and_loading() -> None:
    # 110 student steps' worth and 100 answers against 100 batches to load.
    computing = ImageSeconds(student=2e-3, teacher=1e-3, loading=3e-3)
    assert run_s(100, 110, 32, computing) == pytest.approx(1.15 * 32 * (0.22 + 0.1))
    loading = computing._replace(loading=5e-3)
    assert run_s(100, 110, 32, loading) == pytest.approx(1.15 * 32 * 0.5)


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
def test_runs_are_packed_as_they_come(
    chains: list[list[float]], at_once: int, expected: float
) -> None:
    assert wall_clock_s(chains, at_once) == expected


@given(
    st.lists(st.lists(st.floats(0.1, 9), max_size=4), max_size=6),
    st.integers(1, 5),
)
@settings(max_examples=50, deadline=None)
def test_the_clock_lies_between_the_bounds(chains: list[list[float]], at_once: int) -> None:
    longest = max(map(sum, chains), default=0.0)
    share = sum(map(sum, chains)) / at_once
    took = wall_clock_s(chains, at_once)
    assert max(longest, share) <= took + 1e-9
    assert took <= longest + share + 1e-9


@pytest.fixture(scope="module")
def plan() -> Plan:
    """ViT-T, 21 trials on 850 training images, the teacher run live."""
    return plan_of("vit-tiny-imagenet", TINY, BankPolicy("live"))[0]


def test_more_gpus_take_less_time_for_the_same_work(plan: Plan) -> None:
    eight = gpu_cost(plan, scheduler(plan), plan.teachers, 8, workers=8)
    more = gpu_cost(plan, scheduler(plan), plan.teachers, 64, workers=8)
    assert more.gpu_h == pytest.approx(eight.gpu_h)
    assert eight.wall_h * 8 == pytest.approx(eight.gpu_h)
    # 21 trials, 8 at once: three rounds, where one after the other they are 21.
    assert more.wall_h == pytest.approx(eight.wall_h * 3 / 21, rel=0.1)


def test_a_study_costs_what_its_trials_cost(plan: Plan) -> None:
    student = work_of("timm:vit_tiny_patch16_224", SHAPE, 10)
    teacher = work_of("timm:regnety_160", SHAPE, 10)
    seconds = 0.0
    for job in plan.jobs:
        # One step of all 850 images is an epoch.
        passes = expected_steps(job) * student.training_s(H100)
        if job.trial.teacher is not None:
            passes += 300 * teacher.answering_s(H100)
        # Two images for each mixed view.
        loading = 300 * 2 / (DECODING_CPUS * DECODED_PER_S)
        seconds += AROUND * 850 * max(passes, loading)
    cost = gpu_cost(plan, scheduler(plan), plan.teachers, 8, workers=8)
    assert cost.gpu_h * 3600 == pytest.approx(seconds)


def test_answers_that_are_kept_are_paid_for_once(plan: Plan) -> None:
    kept = plan_of("vit-tiny-imagenet", TINY, BankPolicy("logits"))[0]
    teacher = work_of("timm:regnety_160", SHAPE, 10)
    loading_s = 2 / (DECODING_CPUS * DECODED_PER_S)
    # One bank a seed, of 300 views of each image; then students wait for nothing but views.
    banks_s = 3 * 850 * 300 * max(teacher.answering_s(H100), loading_s)
    students_s = 0.0
    for job in kept.jobs:
        student_s = expected_steps(job) * work_of(job.trial.student, SHAPE, 10).training_s(H100)
        students_s += 850 * max(student_s, 300 * loading_s)
    cost = gpu_cost(kept, scheduler(kept), kept.teachers, 8, workers=8)
    assert cost.gpu_h * 3600 == pytest.approx(AROUND * (banks_s + students_s))


def test_a_teacher_that_brings_no_weights_is_trained_first(plan: Plan) -> None:
    brought = gpu_cost(plan, scheduler(plan), plan.teachers, 8, workers=8)
    (teacher,) = plan.teachers
    teacher = replace(teacher, model=without_weights(teacher.model))
    untrained = gpu_cost(plan, scheduler(plan), [teacher], 8, workers=8)
    work = work_of(teacher.model, SHAPE, 10)
    # An epoch is one full batch at least.
    expected = AROUND * 1024 * 300 * work.training_s(H100)
    assert (untrained.gpu_h - brought.gpu_h) * 3600 == pytest.approx(expected)
    trained = gpu_cost(plan, scheduler(plan), [], 8, workers=8)
    assert trained == brought


def test_several_live_teachers_each_answer_at_every_step(tmp_path: Path) -> None:
    models = ("cifar_resnet8", "cifar_cnn_small", "cifar_cnn")
    spec = StudySpec(
        "s",
        scales=(1.0,),
        augmentations=("none",),
        teachers=("+".join(models),),
        strategies=("single", "mean_losses", "mmkd"),
        seeds=1,
        epochs=4,
    )
    pictures = open_dataset("synthetic:samples=1000,classes=10,size=32", tmp_path)
    plan = make_plan(spec, [pictures], BankPolicy("live"))
    searches = searches_of(plan)
    told = Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches)
    answers = [work_of(model, (3, 32, 32), 10).answering_s(H100) for model in models]
    student = work_of("cifar_cnn_tiny", (3, 32, 32), 10).training_s(H100)
    # Each alone; the mean of all; learned weights of all, with look-aheads.
    (mmkd,) = [job for job in told.known() if job.trial.distiller.method == "mmkd"]
    steps = 3 * mmkd.steps + mmkd.steps + expected_steps(mmkd)
    seconds = AROUND * 64 * (steps * student + mmkd.steps * 3 * sum(answers))
    cost = gpu_cost(plan, told, [], 8, workers=1)
    assert cost.gpu_h * 3600 == pytest.approx(seconds)
    # None waits for another.
    longest = AROUND * 64 * (expected_steps(mmkd) * student + mmkd.steps * sum(answers))
    assert cost.wall_h * 3600 == pytest.approx(longest)


def test_a_trial_that_does_not_fit_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="a trial takes 16 GPUs, and there are 8"):
        gpu_cost(plan, scheduler(plan), [], 8, workers=16)
