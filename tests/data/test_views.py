"""Views of a run: pure functions of their counters, mixed in pairs or alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.data.augmentations import Draws, draw_mix
from metakd.data.catalogue import RECIPES, Mixing
from metakd.data.datasets import DecodedDataset
from metakd.data.views import Views

SAMPLES, CLASSES = 60, 5
MIXED = [name for name, recipe in RECIPES.items() if recipe.mixing is not None]


def pictures() -> DecodedDataset:
    random = np.random.default_rng(3)
    return DecodedDataset(
        images=random.integers(0, 256, (SAMPLES, 3, 32, 32), dtype=np.uint8),
        labels=np.arange(SAMPLES) % CLASSES,
        class_names=tuple("abcde"),
        test_ids=None,
        name="noise",
        fingerprint="0123",
    )


def views_of(recipe: str, samples: int = 40, seed: int = 1) -> Views:
    return Views(pictures(), recipe, seed, np.arange(SAMPLES)[::-1][:samples].copy(), passes=4)


def as_shares(labels: Tensor) -> Tensor:
    return labels if labels.dim() == 2 else torch.nn.functional.one_hot(labels, CLASSES).float()


def draws(count: int) -> Draws:
    return Draws(7, torch.arange(count), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("recipe", RECIPES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_a_view_and_its_label_do_not_depend_on_who_asks_or_when(
    recipe: str, data: st.DataObject
) -> None:
    views = views_of(recipe)
    number = data.draw(st.integers(0, views.count - 1))
    rows = torch.tensor(data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=40)))
    together, labels = views.images(torch.arange(40), number), views.labels(rows, number)
    asked_before = data.draw(st.integers(0, views.count - 1))
    fresh = views_of(recipe)
    fresh.images(torch.tensor([3]), asked_before)
    apart = [fresh.images(chunk, number) for chunk in rows.split(data.draw(st.integers(1, 40)))]
    assert torch.equal(torch.cat(apart), together[rows])
    assert torch.equal(fresh.labels(rows, number), labels)


IN_ANOTHER_PROCESS = """
import sys
sys.path.insert(0, sys.argv[1])
import torch, test_views
views = test_views.views_of("mixup+cutmix")
print(int(views.images(torch.arange(40), 2).double().mul(torch.arange(1, 33)).sum()))
"""


def test_another_process_makes_the_same_views() -> None:
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(Path(__file__).parent)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    here = views_of("mixup+cutmix").images(torch.arange(40), 2).double()
    assert int(there) == int(here.mul(torch.arange(1, 33)).sum())


@pytest.mark.parametrize("recipe", RECIPES)
def test_labels_are_shares_of_classes(recipe: str) -> None:
    views = views_of(recipe)
    labels = views.labels(torch.arange(40), 0)
    is_soft = recipe in {"mixup", "cutmix", "mixup+cutmix", "vit"}
    assert (labels.dim() == 2) == is_soft
    assert torch.allclose(as_shares(labels).sum(dim=1), torch.ones(40))
    least = 0.1 / CLASSES if recipe == "vit" else 0.0
    assert as_shares(labels).min() >= least - 1e-6


def test_mixup_blends_pixels_as_it_blends_labels() -> None:
    views, plain = views_of("mixup"), views_of("standard")
    rows = torch.arange(40)
    mix = views._mix(2).of(rows)
    own, other = plain.images(rows, 2).double(), plain.images(mix.partners, 2).double()
    share = mix.shares.double()[:, None, None, None]
    blended = share * own + (1 - share) * other
    assert (views.images(rows, 2).double() - blended).abs().max() <= 0.5 + 1e-4
    classes = as_shares(plain.labels(rows, 2))
    partners = as_shares(plain.labels(mix.partners, 2))
    shares = mix.shares[:, None]
    expected = shares * classes + (1 - shares) * partners
    torch.testing.assert_close(views.labels(rows, 2), expected)


def test_cutmix_pastes_a_box_and_counts_its_pixels() -> None:
    views, plain = views_of("cutmix"), views_of("standard")
    rows = torch.arange(40)
    mix = views._mix(1).of(rows)
    own, other, cut = (
        plain.images(rows, 1),
        plain.images(mix.partners, 1),
        views.images(rows, 1),
    )
    for row, (top, bottom, left, right) in enumerate(mix.boxes.tolist()):
        expected = own[row].clone()
        expected[:, top:bottom, left:right] = other[row][:, top:bottom, left:right]
        assert torch.equal(cut[row], expected)
        area = (bottom - top) * (right - left) / 32**2
        assert float(mix.shares[row]) == pytest.approx(1 - area)
    assert (mix.shares < 0.9).sum() > 20


def test_partners_come_from_the_same_subset_alone() -> None:
    for name in MIXED:
        small = views_of(name, samples=7)
        partners = torch.cat([small._mix(number).partners for number in range(30)])
        assert partners.max() < 7
        assert set(partners.tolist()) == set(range(7))


def test_views_that_are_not_mixed_are_a_prefix_of_those_of_more_samples() -> None:
    rows = torch.arange(7)
    for name in ("none", "standard", "strong"):
        few, many = views_of(name, samples=7), views_of(name, samples=40)
        assert torch.equal(few.images(rows, 0), many.images(rows, 0))


def test_shares_follow_their_beta_distribution() -> None:
    # Mean and variance of Beta(α, α): 1/2 and 1/(4 (2 α + 1)).
    for alpha in (0.2, 0.8, 1.0):
        mix = draw_mix(Mixing(mixup_alpha=alpha), draws(20_000), 100, (32, 32))
        assert not mix.cuts.any()
        assert float(mix.shares.mean()) == pytest.approx(0.5, abs=0.01)
        assert float(mix.shares.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_half_of_the_views_are_cut_where_both_mixtures_are_drawn() -> None:
    mix = draw_mix(Mixing(mixup_alpha=1.0, cutmix_alpha=1.0), draws(20_000), 100, (32, 32))
    assert float(mix.cuts.double().mean()) == pytest.approx(0.5, abs=0.02)
    assert draw_mix(Mixing(cutmix_alpha=1.0), draws(500), 100, (32, 32)).cuts.all()
    partners = mix.partners.bincount(minlength=100)
    assert partners.min() > 120
    assert partners.max() < 290


@pytest.mark.parametrize("recipe", MIXED)
def test_passes_seeds_and_recipes_mix_differently(recipe: str) -> None:
    rows = torch.arange(40)
    views = views_of(recipe)
    others = [views.images(rows, 1), views_of(recipe, seed=2).images(rows, 0)]
    others += [views_of(name).images(rows, 0) for name in MIXED if name != recipe]
    for other in others:
        assert (views.images(rows, 0) != other).flatten(1).any(dim=1).double().mean() > 0.9
