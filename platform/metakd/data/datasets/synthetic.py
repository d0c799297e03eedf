"""Pictures made up: a smooth random prototype for each class, and noise over it.

For trying things out at any size, without data: a small network can learn it.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.counter_random import derive_seed, random_bits, uniform
from metakd.data.datasets.named_options import read_numbers
from metakd.data.datasets.source import Decoded, DecodedSource

VERSION = 1
"""Raised whenever the pictures change: cached ones of another version are not used."""

GRID = 4
"""A prototype is interpolated between so many random values a side."""

NOISE = 96
"""Each pixel is off by up to so many of 255 greys, evenly distributed."""

PIXELS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Synthetic:
    """A set of made-up pictures; its options determine every byte."""

    samples: int = 50_000
    classes: int = 10
    size: int = 32
    channels: int = 3
    seed: int = 0

    def decode(self) -> Decoded:
        """Describes the set; its chunks are made when they are taken."""
        return Decoded(
            image_shape=(self.channels, self.size, self.size),
            chunks=self._chunks(),
            labels=np.arange(self.samples) % self.classes,
            class_names=tuple(str(label) for label in range(self.classes)),
            test_ids=None,
        )

    def _chunks(self) -> Iterator[NDArray[np.uint8]]:
        pixels = self.channels * self.size**2
        at_once = max(1, PIXELS_AT_ONCE // pixels)
        values = torch.arange(self.classes * self.channels * GRID**2)
        grids = uniform(derive_seed(self.seed, "prototypes"), values)
        grids = grids.reshape(self.classes, self.channels, GRID, GRID)
        noise_seed = derive_seed(self.seed, "noise")
        # 64 bits are four numbers of 16 bits.
        blocks = torch.arange((pixels + 3) // 4)
        for start in range(0, self.samples, at_once):
            ids = torch.arange(start, min(start + at_once, self.samples))
            smooth = interpolate(grids[ids % self.classes], (self.size, self.size), mode="bilinear")
            bits = random_bits(noise_seed, ids[:, None], blocks)
            noise = bits.view(torch.int16)[:, :pixels].reshape(smooth.shape).float() / 2**15
            noisy = (255 * smooth + NOISE * noise).clamp(0, 255).round()
            yield noisy.to(torch.uint8).numpy()


def synthetic_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns made-up pictures; there is no official test set.

    Args:
        argument: For example "samples=1000,classes=5,size=16,channels=1,seed=3"; what it leaves out
            has the default of ``Synthetic``.
        options: Not heeded.

    Raises:
        DatasetError: If an option does not exist or is out of its range.
    """
    made = Synthetic(**read_numbers("synthetic", argument, asdict(Synthetic())))
    if min(made.size, made.channels) < 1:
        raise DatasetError(
            f"synthetic: size and channels must be at least 1, got {made.size} and {made.channels}"
        )
    if not 2 <= made.classes <= made.samples:
        raise DatasetError(
            "synthetic: classes must be at least 2 and at most the number of samples, got "
            f"classes={made.classes} and samples={made.samples}"
        )
    return DecodedSource(
        name=f"synthetic:{argument}" if argument else "synthetic",
        key=f"synthetic {VERSION} {made}",
        decode=made.decode,
    )
