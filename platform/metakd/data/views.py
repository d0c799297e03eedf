"""The views that a run sees: V of each of n samples, each a pure function of its counters."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from metakd.data.augmentations import Draws, Mix, draw_mix, mix_labels, mix_views
from metakd.data.catalogue import Recipe, find_recipe
from metakd.data.counter_random import derive_seed
from metakd.data.datasets import ImageDataset

HASH_LENGTH = 16

Ids = NDArray[np.int64]
Images = Callable[[Tensor, int], Tensor]
"""Maps rows (B,) and the number of their views to these, (B, C, H, W) uint8."""


@dataclass(eq=False)
class Views:
    """All views of a run.

    Sample, recipe, view number and seed decide a view; where views are mixed in pairs, so does the
    set of samples, for that is where partners come from. Without mixing, the views of the first
    samples are the first views.

    Attributes:
        dataset: The images.
        recipe_name: One of ``RECIPES``.
        seed: Seed of the views.
        sample_ids: The samples in their order, (n,); a row is a place in it.
        passes: How often each sample is seen; a recipe that is constant has one view for all.
        device: Where views of decoded images are made and returned; files are read on the CPU.
    """

    dataset: ImageDataset
    recipe_name: str
    seed: int
    sample_ids: Ids
    passes: int
    device: str = "cpu"
    _last_mix: tuple[int, Mix] | None = field(default=None, init=False, repr=False)

    @cached_property
    def recipe(self) -> Recipe:
        """The augmentation."""
        return find_recipe(self.recipe_name)

    @property
    def count(self) -> int:
        """Different views V of each sample."""
        return 1 if self.recipe.is_constant else self.passes

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """The shape (V, n, C, H, W) of all views."""
        return (self.count, len(self.sample_ids), *self.dataset.image_shape)

    @property
    def image_bytes(self) -> int:
        """What all views take as uint8."""
        return math.prod(self.shape)

    @cached_property
    def id(self) -> str:
        """Content hash of the views; it names their bank."""
        return hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()[
            :HASH_LENGTH
        ]

    @cached_property
    def key(self) -> dict[str, str | int]:
        """All that decides the views, as JSON values."""
        order = np.ascontiguousarray(self.sample_ids, dtype=np.int64).data
        return {
            "dataset_fingerprint": self.dataset.fingerprint,
            "augmentation": self.recipe_name,
            "augmentation_version": self.recipe.version,
            "seed": self.seed,
            "samples": len(self.sample_ids),
            "sample_order": hashlib.sha256(order).hexdigest(),
            "views": self.count,
        }

    def number(self, pass_: int) -> int:
        """Returns which view a pass sees; after the last comes the first again."""
        return pass_ % self.count

    def images(self, rows: Tensor, number: int) -> Tensor:
        """Makes views of some samples.

        Args:
            rows: Which samples, (B,) int64.
            number: Which view of each.

        Returns:
            (B, C, H, W) uint8.
        """
        rows = self._here(rows)
        own = self._unmixed(rows, number)
        if self.recipe.mixing is None:
            return own
        mix = self._mix(number).of(rows)
        return mix_views(own, self._unmixed(mix.partners, number), mix)

    def labels(self, rows: Tensor, number: int) -> Tensor:
        """Returns classes (B,) int64, or shares of classes (B, K) float32 where these are soft."""
        rows = self._here(rows)
        own = self._classes[rows]
        if not self.recipe.has_soft_labels:
            return own
        classes = self.dataset.num_classes
        if self.recipe.mixing is None:
            shares = torch.nn.functional.one_hot(own, classes).float()
        else:
            mix = self._mix(number).of(rows)
            shares = mix_labels(own, self._classes[mix.partners], mix, classes)
        return shares.lerp(torch.full_like(shares, 1 / classes), self.recipe.smoothing)

    def __post_init__(self) -> None:
        if not self.dataset.is_decoded:
            self.device = "cpu"

    @cached_property
    def _classes(self) -> Tensor:
        return torch.from_numpy(self.dataset.labels[self.sample_ids]).to(self.device)

    @cached_property
    def _ids(self) -> Tensor:
        return torch.from_numpy(np.asarray(self.sample_ids, dtype=np.int64)).to(self.device)

    def _here(self, rows: Tensor) -> Tensor:
        # A copy that blocks, as indexing makes, would wait until a GPU has done all it was given.
        return rows.to(self._ids.device, non_blocking=True)

    def _unmixed(self, rows: Tensor, number: int) -> Tensor:
        ids = self._ids[rows]
        numbers = torch.full_like(ids, number)
        return self.dataset.views(ids, numbers, self.recipe.base, self.seed)

    def _mix(self, number: int) -> Mix:
        """Returns how all samples' views of this number are mixed; the last result is kept."""
        if self._last_mix is None or self._last_mix[0] != number:
            assert self.recipe.mixing is not None
            draws = Draws(
                derive_seed(self.seed, f"mix of {self.recipe_name}"),
                self._ids,
                torch.full_like(self._ids, number),
            )
            side = self.dataset.image_shape[1:]
            mix = draw_mix(self.recipe.mixing, draws, len(self._ids), side)
            self._last_mix = number, mix
        return self._last_mix[1]
