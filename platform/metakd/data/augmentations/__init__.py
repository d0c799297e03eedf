"""Augmented views of images: a pure function of image, sample id, recipe, view number and seed."""

from metakd.data.augmentations.views import (
    RECIPES,
    VERSION,
    AugmentationError,
    is_constant,
    make_views,
)

__all__ = ["RECIPES", "VERSION", "AugmentationError", "is_constant", "make_views"]
