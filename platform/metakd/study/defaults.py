"""Recipes and models for whoever names none, by the size of the images."""

from dataclasses import dataclass

from metakd.core.training import Recipe
from metakd.models.create import SMALL_SIDE, TINY_SIDE


@dataclass(frozen=True)
class Recipes:
    """How students and teachers are trained."""

    student: Recipe
    teacher: Recipe


def recipes_for(image_shape: tuple[int, int, int]) -> Recipes:
    """Returns the default recipes for images of shape (C, H, W)."""
    side = max(image_shape[1:])
    if side < TINY_SIDE:
        return Recipes(
            student=Recipe(epochs=40, batch_size=32, lr=0.05),
            teacher=Recipe(epochs=40, batch_size=64, lr=0.1),
        )
    if side < SMALL_SIDE:
        return Recipes(
            student=Recipe(epochs=30, batch_size=64, lr=0.05),
            teacher=Recipe(epochs=8, batch_size=128, lr=0.1),
        )
    return Recipes(
        student=Recipe(epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4),
        teacher=Recipe(epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4),
    )
