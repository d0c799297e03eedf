"""Contents and ids: what decides a result and nothing else, with the version of each algorithm."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from changed_fields import changed_in_one_field

from metakd.core.distillers import (
    CONFIGS,
    CTKDConfig,
    DistillerConfig,
    KDConfig,
    KDCosineConfig,
    KDStdConfig,
    MeanLossesConfig,
    MetaDistilConfig,
    MKDConfig,
    MMKDConfig,
    NormKDConfig,
    RLDConfig,
    WTTMConfig,
)
from metakd.core.recipe import Recipe
from metakd.data.catalogue import RECIPES
from metakd.train.algorithms import current_versions, outdated
from metakd.train.content import content_id, content_json
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, TeacherSpec, Trial

CONFIGURED = [
    Recipe(),
    Recipe(algorithm="adamw"),
    Recipe(milestones=(5.0, 15.0)),
    KDCosineConfig(),
    KDStdConfig(),
    NormKDConfig(),
    WTTMConfig(),
    RLDConfig(),
    CTKDConfig(),
    CTKDConfig(taught_by="dkd"),
    MeanLossesConfig(),
    MeanLossesConfig(features_weight=1.0),
    MMKDConfig(),
    MMKDConfig(learns="temperatures"),
    MMKDConfig(learns="both", features_weight=1.0),
    MMKDConfig.reference(),
    MetaDistilConfig(),
    MetaDistilConfig(learns_temperatures=True),
    MetaDistilConfig.reference(),
]


@pytest.mark.parametrize("value", CONFIGURED, ids=str)
def test_a_field_without_effect_is_no_part_of_an_id_and_every_other_field_is(value: Any) -> None:
    unused = set(value.unused_fields)
    assert unused <= {field.name for field in fields(value)}
    seen = dict(changed_in_one_field(value))
    assert len(seen) >= len(fields(value)) - 3
    for name, changed in seen.items():
        # A change can itself bring a field into effect: milestones, where there were none.
        has_no_effect = name in unused.intersection(changed.unused_fields)
        assert (content_id(changed) == content_id(value)) == has_no_effect, name
    assert not unused & set(json.loads(content_json(value)))


DATA = DataSpec("digits", "0123")
TEACHER = TeacherSpec(DATA, "digit_mlp", "standard", Recipe())


def trial(distiller: DistillerConfig) -> Trial:
    return Trial(DATA, Sampling(0.1, "strong"), TEACHER, "digit_mlp", Recipe(), distiller, 0)


def test_every_algorithm_of_a_trial_stands_in_its_content_with_its_version() -> None:
    content = json.loads(trial(MKDConfig()).config_json)
    assert content["distiller"]["versions"] == {"mkd": MKDConfig.version}
    assert content["recipe"]["versions"] == content["teacher"]["recipe"]["versions"]
    assert content["data"]["versions"] == {"split": DataSpec.versions["split"]}
    assert content["sampling"]["versions"] == {"augmentation strong": 1}
    assert content["teacher"]["versions"] == {"augmentation standard": 1}
    assert set(current_versions()) == {
        *CONFIGS, "recipe", "split", *(f"augmentation {name}" for name in RECIPES)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name"),
    [(KDConfig, "kd"), (Recipe, "recipe"), (DataSpec, "split"), (RECIPES, "augmentation strong")],
)
def test_a_raised_version_makes_other_ids_and_older_rows(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trial(KDConfig())
    old_id, stored = before.id, before.config_json
    assert outdated(stored, current_versions()) == {}
    if owner is KDConfig:
        monkeypatch.setattr(KDConfig, "version", 99)
    elif owner is RECIPES:
        monkeypatch.setitem(RECIPES, "strong", replace(RECIPES["strong"], version=99))
    else:
        monkeypatch.setattr(owner, "versions", {name: 99})
    assert trial(KDConfig()).id != old_id
    assert set(outdated(stored, current_versions())) == {name}
    assert outdated(trial(KDConfig()).config_json, current_versions()) == {}


def test_a_row_from_before_versions_is_of_an_older_algorithm() -> None:
    content = '{"distiller":{"method":"mkd","rule":null},"seed":0}'
    assert outdated(content, current_versions()) == {"mkd": None}
