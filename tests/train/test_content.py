import json
from dataclasses import fields, replace

import pytest

from metakd.core.recipe import Recipe
from metakd.train.content import ADDED_LATER, content_id, content_json

CHANGES = {"algorithm": "adamw", "betas": (0.9, 0.99), "warmup_epochs": 1.0, "min_lr": 1e-5}


def test_a_field_that_came_later_shows_only_where_it_says_something() -> None:
    assert set(json.loads(content_json(Recipe()))) == {
        "epochs",
        "batch_size",
        "lr",
        "momentum",
        "nesterov",
        "weight_decay",
    }
    assert json.loads(content_json(Recipe(algorithm="adamw")))["algorithm"] == "adamw"


@pytest.mark.parametrize("name", ADDED_LATER["Recipe"])
def test_every_field_that_came_later_is_content(name: str) -> None:
    assert name in {field.name for field in fields(Recipe)}
    changed = replace(Recipe(), **{name: CHANGES[name]})  # type: ignore[arg-type]
    assert content_id(changed) != content_id(Recipe())
