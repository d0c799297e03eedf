"""Augmented views: pure functions of image, sample id, recipe, view number and seed."""

from metakd.data.augmentations.draws import Draws
from metakd.data.augmentations.mixing import Mix, draw_mix, mix_labels, mix_views
from metakd.data.augmentations.transforms import BASES, make_views

__all__ = [
    "BASES",
    "Draws",
    "Mix",
    "draw_mix",
    "make_views",
    "mix_labels",
    "mix_views",
]
