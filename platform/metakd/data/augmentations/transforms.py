"""What is done to pictures and to glyphs.

Each maps images (B, C, H, W) uint8 and the random numbers of their views to images of the same
shape and type.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.data.augmentations import operations
from metakd.data.augmentations.draws import Draws
from metakd.data.augmentations.operations import Affine, rotation, scaling, shear, translation, warp
from metakd.data.counter_random import derive_seed

GEOMETRIC = ("rotate", "shear x", "shear y", "translate x", "translate y")
PHOTOMETRIC = {
    "brightness": operations.brightness,
    "contrast": operations.contrast,
    "colour": operations.colour,
    "sharpness": operations.sharpness,
    "posterize": operations.posterize,
    "solarize": operations.solarize,
    "equalize": operations.equalize,
}
OPERATIONS = ("identity", *GEOMETRIC, *PHOTOMETRIC)
"""What RandAugment (Cubuk et al. 2020, arXiv 1909.13719) draws from."""


def identity(images: Tensor, draws: Draws) -> Tensor:
    """Every view is the image itself."""
    return images


def standard_picture(images: Tensor, draws: Draws) -> Tensor:
    """Crop after padding by an eighth of the side, and a flip at even odds."""
    return _to_bytes(warp(images.float(), _crop_and_flip(images, draws)))


def standard_glyph(images: Tensor, draws: Draws) -> Tensor:
    """Rotated by up to 10°, scaled by up to 10 %, shifted by up to an eighth of the side.

    Glyphs are not flipped: a mirrored 3 is no 3.
    """
    affine = _loose_affine(images, draws, degrees=10, stretch=0.1, slant=0, shift=1 / 8)
    return _to_bytes(warp(images.float(), affine))


def strong_picture(images: Tensor, draws: Draws) -> Tensor:
    """Crop and flip, two operations of RandAugment, and a random black rectangle."""
    affine = _crop_and_flip(images, draws)
    slots = [
        (
            draws.integer(f"operation {slot}", 0, len(OPERATIONS) - 1),
            draws.uniform(f"strength {slot}", -1, 1),
        )
        for slot in range(2)
    ]
    for operation, strength in slots:
        affine = affine.after(_geometric(images, operation, strength))
    changed = warp(images.float(), affine)
    for operation, strength in slots:
        for name, change in PHOTOMETRIC.items():
            rows = (operation == OPERATIONS.index(name)).nonzero().squeeze(1)
            if len(rows) > 0:
                changed[rows] = change(changed[rows], strength[rows])
    return _to_bytes(_erase(changed, draws, probability=0.25))


def strong_glyph(images: Tensor, draws: Draws) -> Tensor:
    """A wider affine map, contrast, brightness, noise, and a random black rectangle."""
    affine = _loose_affine(images, draws, degrees=25, stretch=0.25, slant=0.3, shift=3 / 16)
    changed = warp(images.float(), affine)
    changed = operations.contrast(changed, draws.uniform("contrast", -0.5, 0.5))
    changed = operations.brightness(changed, draws.uniform("brightness", -0.5, 0.5))
    amplitude = draws.uniform("amplitude", 0, 0.2 * 255)[:, None]
    noise = amplitude * draws.noise("noise", images[0].numel())
    return _to_bytes(_erase(changed + noise.view_as(changed), draws, probability=0.25))


def _crop_and_flip(images: Tensor, draws: Draws) -> Affine:
    height, width = images.shape[-2:]
    x = draws.integer("crop x", -round(width / 8), round(width / 8))
    y = draws.integer("crop y", -round(height / 8), round(height / 8))
    mirror = torch.where(draws.coin("flip", 0.5), -1.0, 1.0)
    return translation(x.float(), y.float()).after(scaling(mirror, torch.ones_like(mirror)))


def _loose_affine(
    images: Tensor, draws: Draws, degrees: float, stretch: float, slant: float, shift: float
) -> Affine:
    height, width = images.shape[-2:]
    tan_half = math.tan(math.radians(degrees / 2))
    zoom = draws.uniform("zoom", 1 - stretch, 1 + stretch)
    moves = (
        rotation(draws.uniform("rotation", -tan_half, tan_half)),
        shear(draws.uniform("shear", -slant, slant), torch.zeros_like(zoom)),
        scaling(zoom, zoom),
    )
    affine = translation(
        draws.uniform("shift x", -shift * width, shift * width),
        draws.uniform("shift y", -shift * height, shift * height),
    )
    for move in moves:
        affine = affine.after(move)
    return affine


def _geometric(images: Tensor, operation: Tensor, strength: Tensor) -> Affine:
    """Rotation by up to 30°, shear by up to 0.3, translation by up to 0.3 of the side."""

    def amount(name: str, largest: float) -> Tensor:
        return torch.where(operation == OPERATIONS.index(name), largest * strength, 0.0)

    height, width = images.shape[-2:]
    turned = rotation(amount("rotate", math.tan(math.radians(15))))
    slanted = shear(amount("shear x", 0.3), amount("shear y", 0.3))
    moved = translation(amount("translate x", 0.3 * width), amount("translate y", 0.3 * height))
    return turned.after(slanted).after(moved)


def _erase(images: Tensor, draws: Draws, probability: float) -> Tensor:
    """Blackens a rectangle (Zhong et al. 2020, arXiv 1708.04896), sides up to half the image's."""
    height, width = images.shape[-2:]
    tall, wide = draws.integer("tall", 1, height // 2), draws.integer("wide", 1, width // 2)
    top, left = draws.integer("top", 0, height - tall), draws.integer("left", 0, width - wide)
    y = torch.arange(height, device=images.device)[:, None]
    x = torch.arange(width, device=images.device)
    tall, wide, top, left = (side[:, None, None] for side in (tall, wide, top, left))
    inside = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide)
    erased = inside & draws.coin("erase", probability)[:, None, None]
    return images.masked_fill(erased[:, None], 0)


def _to_bytes(images: Tensor) -> Tensor:
    return images.clamp(0, 255).round().to(torch.uint8)


IMAGES_AT_ONCE = 256
"""As many as stay in a CPU's cache."""


class Variants(NamedTuple):
    """What is done to colour pictures, and to grey glyphs such as handwritten digits."""

    picture: Callable[[Tensor, Draws], Tensor]
    glyph: Callable[[Tensor, Draws], Tensor]


BASES: dict[str, Variants] = {
    "none": Variants(identity, identity),
    "standard": Variants(standard_picture, standard_glyph),
    "strong": Variants(strong_picture, strong_glyph),
}
"""What is done to one image alone; recipes are made of these."""


def make_views(images: Tensor, sample_ids: Tensor, views: Tensor, base: str, seed: int) -> Tensor:
    """Returns one view of each image; the same arguments give the same bytes, in any batching.

    Args:
        images: (B, C, H, W) uint8.
        sample_ids: Their ids in the dataset, (B,) int64.
        views: Which view of each, (B,) int64.
        base: One of ``BASES``.
        seed: Seed of the views.

    Returns:
        (B, C, H, W) uint8.
    """
    augment = _variant(base, images.shape[1:])
    base_seed = derive_seed(seed, f"recipe {base}")
    parts = zip(
        *(tensor.split(IMAGES_AT_ONCE) for tensor in (images, sample_ids, views)), strict=True
    )
    return torch.cat([augment(x, Draws(base_seed, ids, view)) for x, ids, view in parts])


def _variant(base: str, image_shape: Sequence[int]) -> Callable[[Tensor, Draws], Tensor]:
    channels, height, width = image_shape
    is_glyph = channels == 1 and max(height, width) < 16
    return BASES[base].glyph if is_glyph else BASES[base].picture
