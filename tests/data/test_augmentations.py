import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.data.augmentations import BASES, make_views
from metakd.data.catalogue import RECIPES, AugmentationError, find_recipe

SHAPES = [(1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 16, 24)]
RANDOM_RECIPES = ["standard", "strong"]


def random_images(count: int, shape: tuple[int, int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    # Smooth enough that shifted and turned images differ by more than noise.
    coarse = torch.rand(count, shape[0], 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear")
    return (smooth * 255).to(torch.uint8)


def view(images: Tensor, recipe: str, number: int = 0, seed: int = 0) -> Tensor:
    ids = torch.arange(len(images))
    return make_views(images, ids, torch.full_like(ids, number), recipe, seed)


def share_different(a: Tensor, b: Tensor) -> float:
    return float((a != b).flatten(1).any(dim=1).double().mean())


@pytest.mark.parametrize("recipe", BASES)
@pytest.mark.parametrize("shape", SHAPES)
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_a_view_does_not_depend_on_its_batch(
    recipe: str, shape: tuple[int, int, int], data: st.DataObject
) -> None:
    images = random_images(40, shape)
    ids = torch.arange(40) * 31 + 7
    views = torch.arange(40) % 5
    together = make_views(images, ids, views, recipe, seed=3)
    order = torch.tensor(data.draw(st.permutations(range(40))))
    chunk = data.draw(st.integers(1, 40))
    apart = [make_views(images[r], ids[r], views[r], recipe, seed=3) for r in order.split(chunk)]
    assert torch.equal(torch.cat(apart), together[order])


def test_a_batch_larger_than_one_chunk_gives_the_same_views() -> None:
    images = random_images(1000, (1, 8, 8))
    assert torch.equal(view(images, "strong")[:300], view(images[:300], "strong"))


@pytest.mark.parametrize("recipe", RANDOM_RECIPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sample_view_seed_and_recipe_decide_the_view(
    recipe: str, shape: tuple[int, int, int]
) -> None:
    images = random_images(1, shape).repeat(200, 1, 1, 1)
    base = view(images, recipe)
    assert base.shape == images.shape
    assert base.dtype == torch.uint8
    assert torch.equal(base, view(images, recipe))
    assert share_different(base, view(images, recipe, number=1)) > 0.9
    assert share_different(base, view(images, recipe, seed=1)) > 0.9
    assert share_different(base, base.roll(1, dims=0)) > 0.9
    assert share_different(view(images, "standard"), view(images, "strong")) > 0.9


def test_none_is_the_image_and_the_only_constant_recipe() -> None:
    images = random_images(5, (3, 32, 32))
    assert torch.equal(view(images, "none", number=9), images)
    assert [name for name, recipe in RECIPES.items() if recipe.is_constant] == ["none"]


def test_standard_pictures_are_crops_and_flips_exactly() -> None:
    images = random_images(64, (3, 32, 32))
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4))
    crops = torch.stack(
        [padded[..., y : y + 32, x : x + 32] for y in range(9) for x in range(9)], dim=1
    )
    candidates = torch.cat([crops, crops.flip(-1)], dim=1)
    matches = (candidates == view(images, "standard")[:, None]).flatten(2).all(dim=2)
    assert matches.any(dim=1).all()
    # All 162 crops and flips are equally likely; 64 views see many of them.
    assert len(matches.double().argmax(dim=1).unique()) > 40


def test_glyphs_are_never_mirrored() -> None:
    # A bright left half stays on the left under mild rotation, zoom and shift.
    images = torch.zeros(300, 1, 8, 8, dtype=torch.uint8)
    images[..., :3] = 255
    left, right = view(images, "standard").double().split(4, dim=3)
    assert (left.sum(dim=(1, 2, 3)) > right.sum(dim=(1, 2, 3))).all()


def test_strong_changes_an_image_more_than_standard() -> None:
    for shape in SHAPES:
        images = random_images(300, shape)
        changes = {
            recipe: (view(images, recipe).double() - images.double()).abs().mean()
            for recipe in RANDOM_RECIPES
        }
        assert changes["strong"] > changes["standard"] > 0


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(AugmentationError, match="'weak', expected one of none, standard, strong"):
        find_recipe("weak")
