"""The random numbers of a batch of views, by name.

A number depends on seed, name, sample and view alone, so neither the batch that a view is made in
nor what else was drawn changes it.
"""

import torch
from torch import Tensor

from metakd.data.counter_random import derive_seed, random_bits, uniform


class Draws:
    """Independent random numbers for each of B views.

    Args:
        seed: Seed of the views.
        sample_ids: The sample of each view, (B,) int64.
        views: The view number of each, (B,) int64.
    """

    def __init__(self, seed: int, sample_ids: Tensor, views: Tensor) -> None:
        self._seed = seed
        self._sample_ids = sample_ids
        self._views = views

    def uniform(self, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Returns (B,) float32 in [low, high)."""
        unit = uniform(derive_seed(self._seed, name), self._sample_ids, self._views)
        return low + (high - low) * unit

    def integer(self, name: str, low: int, high: int | Tensor) -> Tensor:
        """Returns (B,) int64 in [low, high]; ``high`` may differ from view to view."""
        return low + (self.uniform(name) * (high - low + 1)).to(torch.int64)

    def coin(self, name: str, probability: float) -> Tensor:
        """Returns (B,) bool, true with the given probability."""
        return self.uniform(name) < probability

    def noise(self, name: str, size: int) -> Tensor:
        """Returns (B, size) float32 in [−1, 1)."""
        blocks = torch.arange((size + 3) // 4, device=self._views.device)
        seed = derive_seed(self._seed, name)
        bits = random_bits(seed, self._sample_ids[:, None], self._views[:, None], blocks)
        # 64 bits are four numbers of 16 bits.
        return bits.view(torch.int16)[:, :size].to(torch.float32) / 2**15
