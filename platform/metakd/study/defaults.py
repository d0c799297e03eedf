"""Recipes by name, and the one that suits where none is named."""

from dataclasses import dataclass, replace

from metakd.core.recipe import Recipe
from metakd.models.names import SMALL_SIDE, TINY_SIDE

PUBLISHED = "cifar100-published"
PUBLISHED_LIGHT = "cifar100-published-light"


@dataclass(frozen=True)
class Recipes:
    """How students and teachers are trained."""

    student: Recipe
    teacher: Recipe


def _adamw(epochs: int, batch_size: int, warmup_epochs: float) -> Recipe:
    """Returns DeiT's optimiser and schedule (Touvron et al. 2021, arXiv 2012.12877, table 9).

    Its peak learning rate is 5e-4 for 512 samples a step, and in proportion for others.
    """
    return Recipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=5e-4 * batch_size / 512,
        weight_decay=0.05,
        algorithm="adamw",
        warmup_epochs=warmup_epochs,
        min_lr=1e-5,
    )


def _published(lr: float) -> Recipes:
    """Returns RepDistiller's recipe for CIFAR-100 (Tian et al. 2020, arXiv 1910.10699).

    Students and teachers are trained alike. MobileNetV2 and the ShuffleNets have a rate of 0.01
    there, and nothing has a teacher of theirs.
    """
    student = Recipe(
        epochs=240,
        batch_size=64,
        lr=lr,
        nesterov=False,
        weight_decay=5e-4,
        milestones=(150, 180, 210),
    )
    return Recipes(student=student, teacher=replace(student, lr=0.05))


RECIPES: dict[str, Recipes] = {
    "digits": Recipes(
        student=Recipe(epochs=40, batch_size=32, lr=0.05),
        teacher=Recipe(epochs=40, batch_size=64, lr=0.1),
    ),
    "cifar": Recipes(
        student=Recipe(epochs=30, batch_size=64, lr=0.05),
        teacher=Recipe(epochs=8, batch_size=128, lr=0.1),
    ),
    PUBLISHED: _published(lr=0.05),
    PUBLISHED_LIGHT: _published(lr=0.01),
    "imagenet": Recipes(
        student=Recipe(epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4),
        teacher=Recipe(epochs=100, batch_size=256, lr=0.1, weight_decay=1e-4),
    ),
    # Scaled down in proportion, the rates of small batches would be too low for few epochs.
    "vit-cifar": Recipes(
        student=replace(_adamw(epochs=20, batch_size=64, warmup_epochs=2), lr=1e-3),
        teacher=replace(_adamw(epochs=8, batch_size=128, warmup_epochs=1), lr=1e-3),
    ),
    "vit-imagenet": Recipes(
        student=_adamw(epochs=300, batch_size=1024, warmup_epochs=5),
        teacher=_adamw(epochs=300, batch_size=1024, warmup_epochs=5),
    ),
}


def recipes_for(image_shape: tuple[int, int, int], name: str | None = None) -> Recipes:
    """Returns recipes by name, or those for images of shape (C, H, W).

    Args:
        image_shape: Decides where there is no name.
        name: One of ``RECIPES``, or None.

    Raises:
        KeyError: If there is no recipe of that name.
    """
    if name is not None:
        return RECIPES[name]
    side = max(image_shape[1:])
    if side < TINY_SIDE:
        return RECIPES["digits"]
    return RECIPES["cifar" if side < SMALL_SIDE else "imagenet"]
