"""Images that stay in their files and are decoded whenever they are read."""

import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from metakd.data.catalogue import DatasetError
from metakd.data.counter_random import derive_seed, random_bits
from metakd.data.datasets.image_dataset import ImageDataset, Statistics
from metakd.data.datasets.pictures import UNREADABLE, ValueRange, rgb_of
from metakd.machine import usable_cpus


@dataclass(frozen=True, kw_only=True)
class FolderDataset(ImageDataset):
    """Image files of any size, seen through timm's transforms as squares of one size.

    Attributes:
        root: The folder.
        files: Names of the files relative to it, (N,) bytes in the file system's encoding.
        image_size: Side of the squares in pixels.
        value_range: Of the images that have more than 8 bits, if there are any.
    """

    root: Path
    files: NDArray[np.bytes_]
    image_size: int
    value_range: ValueRange | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (3, S, S) of every image."""
        return 3, self.image_size, self.image_size

    @property
    def is_decoded(self) -> bool:
        """False: each read decodes a file."""
        return False

    @property
    def statistics(self) -> Statistics | None:
        """Those of ImageNet, which timm's pretrained models expect as well."""
        # timm costs seconds to import.
        from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        mean, std = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
        return np.array(mean, dtype=np.float32), np.array(std, dtype=np.float32)

    def pixels(self, ids: NDArray[np.int64]) -> Tensor:
        """Returns images through the evaluation transform, (n, 3, S, S) uint8."""
        transform = find_transform("none", self.image_size)
        with ThreadPoolExecutor(usable_cpus()) as pool:
            return self._stack(len(ids), pool.map(lambda id_: transform(self._read(id_)), ids))

    def views(self, ids: Tensor, numbers: Tensor, recipe: str, seed: int) -> Tensor:
        """Returns views by timm's transforms, (B, 3, S, S) uint8.

        timm draws from Python's, numpy's and torch's default generators: each view seeds them, and
        they are left as they were. What other threads draw meanwhile is not random.
        """
        if recipe == "none":
            return self.pixels(ids.numpy())
        transform = find_transform(recipe, self.image_size)
        seeds = random_bits(derive_seed(seed, f"recipe {recipe}"), ids, numbers)

        def view(id_: int, view_seed: int) -> Tensor:
            image = self._read(id_)
            with seeded(view_seed):
                return transform(image)

        return self._stack(len(ids), map(view, ids.tolist(), seeds.tolist()))

    def _stack(self, count: int, images: Iterable[Tensor]) -> Tensor:
        stacked = torch.empty((count, *self.image_shape), dtype=torch.uint8)
        for row, image in zip(stacked, images, strict=True):
            row.copy_(image)
        return stacked

    def _read(self, id_: int) -> Image.Image:
        file = self.root / os.fsdecode(self.files[id_])
        try:
            with Image.open(file) as image:
                return rgb_of(image, self.value_range)
        except UNREADABLE as error:
            raise DatasetError(
                f"{file} cannot be decoded: {error}; --corrupt-images skip looks at all files "
                "first, and leaves such ones out"
            ) from error


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
