"""Makes views of single images."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.data.augmentations import transforms
from metakd.data.augmentations.draws import Draws
from metakd.data.counter_random import derive_seed

IMAGES_AT_ONCE = 256
"""As many as stay in a CPU's cache."""


class Variants(NamedTuple):
    """What is done to colour pictures, and to grey glyphs such as handwritten digits."""

    picture: Callable[[Tensor, Draws], Tensor]
    glyph: Callable[[Tensor, Draws], Tensor]


BASES: dict[str, Variants] = {
    "none": Variants(transforms.identity, transforms.identity),
    "standard": Variants(transforms.standard_picture, transforms.standard_glyph),
    "strong": Variants(transforms.strong_picture, transforms.strong_glyph),
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
