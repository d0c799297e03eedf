"""Augmented views: pure functions of image, sample id, recipe, view number and seed."""

from metakd.data.augmentations.catalogue import (
    RECIPES,
    VERSION,
    AugmentationError,
    Recipe,
    find_recipe,
)
from metakd.data.augmentations.draws import Draws
from metakd.data.augmentations.mixing import Mix, Mixing, draw_mix, mix_labels, mix_views
from metakd.data.augmentations.views import BASES, make_views

__all__ = [
    "BASES",
    "RECIPES",
    "VERSION",
    "AugmentationError",
    "Draws",
    "Mix",
    "Mixing",
    "Recipe",
    "draw_mix",
    "find_recipe",
    "make_views",
    "mix_labels",
    "mix_views",
]
