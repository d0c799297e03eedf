"""timm's transforms for the recipes, and the seeding that makes them pure functions."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Transform = Callable[[Image.Image], Tensor]

RAND_AUGMENT = "rand-m9-mstd0.5-inc1"
ERASING = 0.25
"""The share of strong views that have a black rectangle."""

_RANDOM_STATES = threading.Lock()


@cache
def find_transform(recipe: str, image_size: int) -> Transform:
    """Returns what a recipe does to a picture: from a PIL image to (3, S, S) uint8.

    Args:
        recipe: "none" resizes and crops the centre; "standard" crops at random and flips; "strong"
            does so too, then RandAugment, then erases a rectangle at times.
        image_size: Side S of the square that comes out, in pixels.
    """
    # timm costs seconds to import, and only folders of images need it.
    from timm.data import create_transform
    from timm.data.random_erasing import RandomErasing

    plain: dict[str, Any] = {"is_training": True, "color_jitter": None}
    options: dict[str, Any] = {
        "none": {"crop_pct": 0.875},
        "standard": plain,
        "strong": {**plain, "auto_augment": RAND_AUGMENT},
    }[recipe]
    # Without normalisation timm returns bytes.
    transform: Transform = create_transform(
        image_size, interpolation="bicubic", normalize=False, **options
    )
    if recipe != "strong":
        return transform
    _keep_no_bits(transform)
    # create_transform leaves erasing out where it does not normalise.
    erase = RandomErasing(ERASING, device="cpu")
    return lambda image: erase(transform(image))


def _keep_no_bits(transform: Any) -> None:  # noqa: ANN401 - torchvision's Compose
    """Lets RandAugment keep 0 bits of a picture, black then, which Pillow 13 refuses to do."""
    from timm.data.auto_augment import RandAugment

    for step in transform.transforms:
        for operation in step.ops if isinstance(step, RandAugment) else ():
            if operation.name.startswith("Posterize"):
                operation.aug_fn = partial(_posterized, operation.aug_fn)


def _posterized(
    posterize: Callable[..., Image.Image], image: Image.Image, bits: int, **options: object
) -> Image.Image:
    return image.point(lambda _: 0) if bits < 1 else posterize(image, bits, **options)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds all default generators on the CPU inside, and leaves them as they were.

    Args:
        seed: Any int64; its uppermost bit does not count.
    """
    # One thread at a time: the generators belong to the process.
    with _RANDOM_STATES, torch.random.fork_rng(devices=[]):
        python_state, numpy_state = random.getstate(), np.random.get_state()
        try:
            seed &= 2**63 - 1
            random.seed(seed)
            np.random.seed(seed % 2**32)
            # torch.manual_seed would reseed the GPUs as well.
            torch.default_generator.manual_seed(seed)
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
