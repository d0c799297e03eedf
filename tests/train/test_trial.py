"""A trial's identity is its content."""

import dataclasses
import json

import pytest

from metakd.core.distillers import CrossEntropyConfig, KDConfig, MeanLossesConfig, MKDConfig
from metakd.core.training import Recipe
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, TeacherSpec, Trial, teachers_name

DATA = DataSpec("digits", "f00d")
TEACHER = TeacherSpec(DATA, "digit_cnn", "standard", Recipe(epochs=3))
SAMPLING = Sampling(scale=0.3, augmentation="strong")
TRIAL = Trial(
    data=DATA,
    sampling=SAMPLING,
    teacher=TEACHER,
    student="digit_cnn_tiny",
    recipe=Recipe(epochs=2),
    distiller=KDConfig(tau_s=2.0, tau_t=2.0),
    seed=1,
)

CHANGES = [
    {"data": DataSpec("digits", "beef")},
    {"data": DataSpec("digits", "f00d", split_seed=1)},
    {"sampling": dataclasses.replace(SAMPLING, scale=0.1)},
    {"sampling": dataclasses.replace(SAMPLING, augmentation="none")},
    {"sampling": dataclasses.replace(SAMPLING, images_per_class=3)},
    {"sampling": dataclasses.replace(SAMPLING, match="steps")},
    {"sampling": dataclasses.replace(SAMPLING, views=2)},
    {"sampling": dataclasses.replace(SAMPLING, logits="float32")},
    {"sampling": dataclasses.replace(SAMPLING, validation="full")},
    {"teacher": dataclasses.replace(TEACHER, seed=1)},
    {"teacher": None},
    {
        "further_teachers": (dataclasses.replace(TEACHER, seed=1),),
        "distiller": MeanLossesConfig(),
    },
    {"student": "digit_mlp"},
    {"recipe": Recipe(epochs=3)},
    {"distiller": KDConfig(tau_s=2.0, tau_t=4.0)},
    {"distiller": MKDConfig(tau_s=2.0, tau_t=2.0)},
    {"distiller": CrossEntropyConfig()},
    {"seed": 2},
]


def test_equal_content_is_the_same_trial() -> None:
    again = dataclasses.replace(TRIAL, distiller=KDConfig(tau_s=2.0, tau_t=2.0))
    assert again.id == TRIAL.id
    assert again.config_json == TRIAL.config_json


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_any_other_content_is_another_trial(change: dict[str, object]) -> None:
    assert dataclasses.replace(TRIAL, **change).id != TRIAL.id  # type: ignore[arg-type]


def test_an_id_stays_what_it_was() -> None:
    # A store outlives the code that wrote it: a changed id would run everything again.
    assert TRIAL.id == "be18b495b5b5d554"
    assert TEACHER.id == "eaa4ccf51506ca50"


def test_a_pair_is_the_same_setting_and_seed_whatever_the_method() -> None:
    for distiller in (CrossEntropyConfig(), MKDConfig(), KDConfig(tau_s=8.0)):
        assert dataclasses.replace(TRIAL, distiller=distiller).pair_id == TRIAL.pair_id
    assert dataclasses.replace(TRIAL, seed=2).pair_id != TRIAL.pair_id
    smaller = dataclasses.replace(SAMPLING, scale=0.1)
    assert dataclasses.replace(TRIAL, sampling=smaller).pair_id != TRIAL.pair_id


def test_the_content_can_be_read_back() -> None:
    stored = json.loads(TRIAL.config_json)
    fields = {"tau_s": 2.0, "tau_t": 2.0, "alpha": 0.9}
    assert stored["distiller"] == {"method": "kd", "versions": {"kd": 1}, **fields}
    assert stored["teacher"]["model"] == "digit_cnn"


def test_the_name_says_what_it_is() -> None:
    assert TRIAL.name == "digits-30pct-strong-kd-tau2-seed1"
    assert dataclasses.replace(TRIAL, distiller=CrossEntropyConfig()).name.endswith("-ce-seed1")


def test_several_teachers_have_one_name_and_need_a_first() -> None:
    other = dataclasses.replace(TEACHER, model="digit_mlp")
    both = dataclasses.replace(TRIAL, further_teachers=(other,), distiller=MeanLossesConfig())
    assert both.teachers == (TEACHER, other)
    assert teachers_name(both.teachers) == "digit_cnn+digit_mlp"
    assert teachers_name(()) is None
    assert both.pair_id != TRIAL.pair_id
    with pytest.raises(ValueError, match="first"):
        dataclasses.replace(both, teacher=None)
    with pytest.raises(ValueError, match="kd takes one teacher, got 2"):
        dataclasses.replace(both, distiller=KDConfig())
