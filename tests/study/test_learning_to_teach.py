"""A study of a teacher that learns to teach: what is expected to run, student's and teacher's."""

from dataclasses import replace
from pathlib import Path

import pytest

from metakd.core.lookahead.look_aheads import PASS_EQUIVALENTS
from metakd.data.datasets import ImageDataset, open_dataset
from metakd.strategies import STRATEGIES
from metakd.study.cases import Job
from metakd.study.cost import expected_steps, live_teacher_passes
from metakd.study.curves import Curves
from metakd.study.machines import assumed_machines
from metakd.study.options import BankPolicy, Wanted
from metakd.study.plan import Plan, make_plan
from metakd.study.scheduler import Scheduler
from metakd.study.searching import searches_of
from metakd.study.spec import StudySpec
from metakd.testing.strategy import check_strategy
from metakd.train.folder import StudyFolder

LEARNING = [name for name in STRATEGIES if name.startswith("metadistil")]
SPEC = StudySpec(
    name="s",
    question="learning_to_teach",
    scales=(0.3,),
    augmentations=("none",),
    teachers=("digit_cnn",),
    strategies=("fixed", *LEARNING),
    seeds=1,
    epochs=16,
)
STEPS = 16 * (321 // 32)
LOOKED_BACK = 1 + PASS_EQUIVALENTS["jvp"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", Path(tmp_path_factory.mktemp("data")))


def scheduler(plan: Plan) -> Scheduler:
    return Scheduler(Curves(StudyFolder(Path("nowhere")), ()), searches_of(plan))


def jobs(plan: Plan) -> dict[str, Job]:
    """The run of each strategy."""
    return {search.name: search.waits_for[0] for search in scheduler(plan).unfinished()}


@pytest.mark.parametrize("name", LEARNING)
def test_its_strategies_keep_the_rules(name: str) -> None:
    check_strategy(STRATEGIES[name], name)


def test_pilots_are_counted_from_the_end_of_the_warm_up(digits: ImageDataset) -> None:
    found = {name: expected_steps(job) for name, job in jobs(make_plan(SPEC, [digits])).items()}
    # The published code moves the teacher after 150 of 240 epochs: in the last 6 of 16.
    assert found == {
        "fixed": STEPS,
        "metadistil": STEPS * (2 + LOOKED_BACK),
        "metadistil+tau": STEPS * (2 + LOOKED_BACK),
        "metadistil-no-pilot": STEPS * (1 + LOOKED_BACK),
        "metadistil-own-quiz": STEPS * (2 + LOOKED_BACK),
        "metadistil-reference": STEPS * (1 + 6 / 16 * (1 + LOOKED_BACK)),
    }


@pytest.mark.parametrize(("kept", "passed"), [("full", 6), ("live", 16)])
def test_a_learning_teacher_computes_live_and_goes_back_as_well(
    digits: ImageDataset, kept: str, passed: int
) -> None:
    plan = make_plan(SPEC, [digits], BankPolicy(kept))  # type: ignore[arg-type]
    found = {name: live_teacher_passes(job) for name, job in jobs(plan).items()}
    # For the real step; for the pilot, or the part of the step that is looked at again; and back.
    assert found == {
        "fixed": 0 if kept == "full" else STEPS,
        **{name: STEPS * (1 + 1 + 2) for name in LEARNING if name != "metadistil-reference"},
        "metadistil-reference": STEPS * (passed + 6 * (1 + 2)) / 16,
    }


def test_the_estimate_for_gpus_has_the_teachers_passes(digits: ImageDataset) -> None:
    def work_s(*strategies: str) -> float:
        plan = make_plan(replace(SPEC, strategies=strategies), [digits], BankPolicy("live"))
        one = assumed_machines("1xH100")
        return one.estimate(plan, scheduler(plan), [], Wanted()).device_s

    assert work_s("metadistil") == pytest.approx(work_s("metadistil-own-quiz"))
    assert work_s("metadistil") > 3 * work_s("fixed")
