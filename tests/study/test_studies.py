"""The scripts of ``studies/``: each asks its question of the digits, and shares what it can."""

import runpy
from pathlib import Path

import pytest

from metakd.data.datasets import ImageDataset, open_dataset
from metakd.study.plan import make_plan
from metakd.study.spec import SpecError, StudySpec

STUDIES = Path(__file__).parents[2] / "studies"
QUESTIONS = (
    *("augmentation_gap", "learning_to_teach", "multi_teacher", "start_range"),
    *("teacher_gap", "transfer"),
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> ImageDataset:
    return open_dataset("digits", Path(tmp_path_factory.mktemp("data")))


def study(name: str) -> StudySpec:
    spec = runpy.run_path(str(STUDIES / f"{name}.py"))["STUDY"]
    assert isinstance(spec, StudySpec)
    return spec


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_study_asks_what_its_file_is_called(name: str, digits: ImageDataset) -> None:
    spec = study(name)
    assert (spec.name, spec.question) == (name, name)
    plan = make_plan(spec, [digits])
    assert plan.left_out == {}
    assert len(plan.settings) >= 4


def test_every_script_has_a_question_of_its_own() -> None:
    scripts = {path.stem for path in STUDIES.glob("*.py")} - {"__init__"}
    assert scripts == {"grid_vs_meta", *QUESTIONS}


def test_studies_with_one_out_share_teachers_and_trials(digits: ImageDataset) -> None:
    asked = ("teacher_gap", "transfer")
    teacher_gap, transfer = (make_plan(study(name), [digits]) for name in asked)
    assert set(teacher_gap.teachers) == set(transfer.teachers)
    whole = make_plan(StudySpec("grid_vs_meta"), [digits])
    assert {bank.id for bank in whole.banks} & {bank.id for bank in transfer.banks}
    # Augmentations that are compared with each other share their seeds, and have others.
    gap = make_plan(study("augmentation_gap"), [digits])
    assert not set(gap.trial_ids) & set(whole.trial_ids)


def test_a_gap_needs_levels() -> None:
    with pytest.raises(SpecError, match="needs two teachers or more"):
        StudySpec("s", question="teacher_gap", teachers=("digit_cnn",))
    with pytest.raises(SpecError, match="needs two augmentations or more"):
        StudySpec("s", question="augmentation_gap", augmentations=("none",))
    with pytest.raises(SpecError, match="teacher 'rising' stands alone"):
        StudySpec("s", teachers=("rising", "digit_cnn"))
