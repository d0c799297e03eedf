"""Makes views by the name of a recipe."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.data.augmentations import recipes
from metakd.data.augmentations.draws import Draws
from metakd.data.counter_random import derive_seed

VERSION = 1
"""Raised whenever a recipe's views change: stored views of another version are not used."""

IMAGES_AT_ONCE = 256
"""As many as stay in a CPU's cache."""


class AugmentationError(ValueError):
    """An augmentation that does not exist."""


class Recipe(NamedTuple):
    """What is done to colour pictures, and to grey glyphs such as handwritten digits."""

    picture: Callable[[Tensor, Draws], Tensor]
    glyph: Callable[[Tensor, Draws], Tensor]


RECIPES: dict[str, Recipe] = {
    "none": Recipe(recipes.identity, recipes.identity),
    "standard": Recipe(recipes.standard_picture, recipes.standard_glyph),
    "strong": Recipe(recipes.strong_picture, recipes.strong_glyph),
}


def make_views(images: Tensor, sample_ids: Tensor, views: Tensor, recipe: str, seed: int) -> Tensor:
    """Returns one view of each image; the same arguments give the same bytes, in any batching.

    Args:
        images: (B, C, H, W) uint8.
        sample_ids: Their ids in the dataset, (B,) int64.
        views: Which view of each, (B,) int64.
        recipe: One of ``RECIPES``.
        seed: Seed of the views.

    Returns:
        (B, C, H, W) uint8.

    Raises:
        AugmentationError: If there is no such recipe.
    """
    augment = _variant(recipe, images.shape[1:])
    recipe_seed = derive_seed(seed, f"recipe {recipe}")
    parts = zip(
        *(tensor.split(IMAGES_AT_ONCE) for tensor in (images, sample_ids, views)), strict=True
    )
    return torch.cat([augment(x, Draws(recipe_seed, ids, view)) for x, ids, view in parts])


def is_constant(recipe: str) -> bool:
    """Tells whether all views of an image are the same.

    Raises:
        AugmentationError: If there is no such recipe.
    """
    return _find(recipe) is RECIPES["none"]


def _find(recipe: str) -> Recipe:
    if recipe not in RECIPES:
        raise AugmentationError(
            f"unknown augmentation {recipe!r}, expected one of {', '.join(RECIPES)}"
        )
    return RECIPES[recipe]


def _variant(recipe: str, image_shape: Sequence[int]) -> Callable[[Tensor, Draws], Tensor]:
    channels, height, width = image_shape
    is_glyph = channels == 1 and max(height, width) < 16
    return _find(recipe).glyph if is_glyph else _find(recipe).picture
