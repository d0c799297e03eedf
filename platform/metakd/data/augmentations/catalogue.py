"""The recipes by name: what is done to an image alone, and how views are then mixed in pairs."""

from dataclasses import dataclass

from metakd.data.augmentations.mixing import Mixing

VERSION = 1
"""Raised whenever a recipe's views change: stored views of another version are not used."""


class AugmentationError(ValueError):
    """An augmentation that does not exist."""


@dataclass(frozen=True)
class Recipe:
    """A named augmentation."""

    base: str
    """What is done to an image alone: none, standard or strong."""
    mixing: Mixing | None = None
    """How views are mixed in pairs; None leaves each as it is."""
    smoothing: float = 0.0
    """Share of the label that all classes get alike (Szegedy et al. 2016, arXiv 1512.00567)."""

    @property
    def is_constant(self) -> bool:
        """Whether all views of an image are the same."""
        return self.base == "none" and self.mixing is None

    @property
    def has_soft_labels(self) -> bool:
        """Whether a view's label is spread over classes."""
        return self.mixing is not None or self.smoothing > 0


RECIPES: dict[str, Recipe] = {
    "none": Recipe("none"),
    "standard": Recipe("standard"),
    "strong": Recipe("strong"),
    # α = 1 as both papers have it on CIFAR.
    "mixup": Recipe("standard", Mixing(mixup_alpha=1.0)),
    "cutmix": Recipe("standard", Mixing(cutmix_alpha=1.0)),
    "mixup+cutmix": Recipe("standard", Mixing(mixup_alpha=1.0, cutmix_alpha=1.0)),
    # The settings of DeiT (Touvron et al. 2021, arXiv 2012.12877), timm's for ViTs.
    "vit": Recipe("strong", Mixing(mixup_alpha=0.8, cutmix_alpha=1.0), smoothing=0.1),
}


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of this name.

    Raises:
        AugmentationError: If there is no such recipe.
    """
    if name not in RECIPES:
        raise AugmentationError(
            f"unknown augmentation {name!r}, expected one of {', '.join(RECIPES)}"
        )
    return RECIPES[name]
