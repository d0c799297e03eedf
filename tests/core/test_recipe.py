"""Schedules and optimisers: closed forms, and the rules that timm's users know."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
import timm
import torch
from timm.optim import param_groups_weight_decay
from torch import nn
from torch.optim import SGD, AdamW

from metakd.core.lookahead import TakenStep
from metakd.core.recipe import Recipe, parameters_by_decay

VIT = Recipe(
    epochs=30,
    batch_size=8,
    lr=1e-3,
    weight_decay=0.05,
    algorithm="adamw",
    warmup_epochs=5,
    min_lr=1e-5,
)


def tiny_vit() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(  # type: ignore[no-any-return]
        "vit_tiny_patch16_224", img_size=8, patch_size=4, embed_dim=12, depth=2, num_classes=3
    )


def test_without_a_warm_up_the_rate_falls_along_half_a_cosine_from_the_first_step() -> None:
    recipe = Recipe(lr=0.2)
    for step in range(10):
        assert recipe.lr_at(step, 10) == 0.5 * 0.2 * (1 + math.cos(math.pi * step / 10))


def test_the_warm_up_is_a_line_and_what_follows_half_a_cosine_to_the_minimum() -> None:
    total = 300  # ten steps an epoch
    rates = [VIT.lr_at(step, total) for step in range(total)]
    assert rates[:50] == pytest.approx([1e-3 * (step + 1) / 50 for step in range(50)])
    assert rates[50] == 1e-3
    # A half of the way down after a half of the steps, a quarter of the cosine after a quarter.
    assert rates[175] == pytest.approx((1e-3 + 1e-5) / 2)
    assert rates[50 + 250 // 5] == pytest.approx(
        1e-5 + 0.5 * (1e-3 - 1e-5) * (1 + math.cos(math.pi / 5))
    )
    assert all(later < earlier for earlier, later in pairwise(rates[50:]))
    assert 1e-5 < rates[-1] < 1.1e-5


def test_after_each_milestone_the_rate_is_a_tenth() -> None:
    """As in the code of the published tables: over 240 epochs, from epochs 151, 181 and 211 on."""
    recipe = Recipe(epochs=240, milestones=(150, 180, 210))
    steps_per_epoch = 781
    total = 240 * steps_per_epoch
    for epoch in range(1, 241):
        expected = 0.05 * 0.1 ** sum(epoch > milestone for milestone in (150, 180, 210))
        first = (epoch - 1) * steps_per_epoch
        for step in (first, first + steps_per_epoch - 1):
            assert recipe.lr_at(step, total) == pytest.approx(expected)


def test_milestones_stay_where_they_are_in_a_run_of_another_length() -> None:
    recipe = Recipe(epochs=240, milestones=(150, 180, 210))
    assert recipe.over(24) == replace(recipe, epochs=24, milestones=(15, 18, 21))
    assert recipe.over(8).lr_at(4, 8) == 0.05
    assert recipe.over(8).lr_at(5, 8) == pytest.approx(0.005)


def test_the_schedule_that_a_recipe_does_not_have_is_no_part_of_it() -> None:
    assert {"milestones", "decay"} <= set(Recipe().unused_fields)
    assert "min_lr" in Recipe(milestones=(5,)).unused_fields


def test_a_shorter_run_warms_up_in_proportion_and_a_longer_one_no_longer() -> None:
    assert VIT.over(None) is VIT
    assert VIT.over(6) == replace(VIT, epochs=6, warmup_epochs=1)
    assert VIT.over(1).lr_at(0, 30) == pytest.approx(1e-3 / 5)
    assert VIT.over(60) == replace(VIT, epochs=60)


def test_adamw_decays_what_timm_decays() -> None:
    model = tiny_vit()
    optimiser = VIT.optimiser(model)
    assert isinstance(optimiser, AdamW)
    ours = {p: group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    timms = {
        p: group["weight_decay"]
        for group in param_groups_weight_decay(
            model, 0.05, no_weight_decay_list=model.no_weight_decay()
        )
        for p in group["params"]
    }
    assert ours == timms
    assert ours[model.pos_embed] == ours[model.cls_token] == ours[model.norm.bias] == 0
    assert ours[model.head.weight] == 0.05


def test_a_plain_model_decays_its_weights_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    decayed, others = parameters_by_decay(model)
    assert [p.ndim for p in decayed] == [4, 2]
    assert [p.ndim for p in others] == [1, 1, 1, 1]


def test_adamw_takes_the_recipes_settings_and_shrinks_what_it_decays() -> None:
    model = nn.Linear(3, 2)
    before = model.weight.detach().clone()
    optimiser = replace(VIT, betas=(0.8, 0.95)).optimiser(model)
    assert {group["betas"] for group in optimiser.param_groups} == {(0.8, 0.95)}
    model(torch.zeros(1, 3)).sum().backward()  # no gradient reaches the weight
    optimiser.step()
    assert torch.allclose(model.weight, before * (1 - 1e-3 * 0.05), rtol=1e-6)


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(momentum=0.0), VIT], ids=str)
def test_a_look_ahead_can_differentiate_every_optimiser(recipe: Recipe) -> None:
    model = nn.Linear(2, 2)
    TakenStep(model, recipe.optimiser(model))


def test_sgd_is_the_default_and_decays_every_parameter() -> None:
    optimiser = Recipe().optimiser(nn.Linear(2, 2))
    assert isinstance(optimiser, SGD)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [5e-4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got epochs=0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got batch_size=0"),
        ({"lr": -1.0}, "lr must be above 0, got lr=-1.0"),
        ({"min_lr": 0.1}, "min_lr must be in [0, lr=0.05], got min_lr=0.1"),
        ({"min_lr": -0.1}, "got min_lr=-0.1"),
        ({"warmup_epochs": 30}, "in [0, epochs=30), got warmup_epochs=30"),
        ({"warmup_epochs": -1}, "got warmup_epochs=-1"),
        ({"algorithm": "lamb"}, "algorithm must be one of sgd, adamw, got algorithm='lamb'"),
        ({"milestones": (20, 10)}, "ascend in (0, epochs=30), got milestones=(20, 10)"),
        ({"milestones": (10, 30)}, "got milestones=(10, 30)"),
        ({"milestones": (10,), "decay": 1.0}, "decay must be in (0, 1), got decay=1.0"),
        ({"betas": (0.9, 1.0)}, "betas must be in [0, 1), got betas=(0.9, 1.0)"),
    ],
)
def test_a_value_out_of_range_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Recipe(**change)  # type: ignore[arg-type]
