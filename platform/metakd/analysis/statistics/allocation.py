"""Which group of settings gets how many more seeds: Neyman's allocation by variance and cost.

The variance of a weighted mean, Σ w² v / n, falls fastest for the cost Σ c n where n is in
proportion to w √(v / c) (Neyman 1934, doi 10.2307/2342192). Means are no argument: an allocation
that looked at them would bias the very means it serves.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHRUNK_AS = 8.0
"""A variance is shrunk to the groups' mean as though so many further seeds had shown that mean.

Of skewed differences a group whose variance is small by chance has a mean that is off by chance,
and is left with it where it gets few seeds. Simulated, 8 halves what 2 adds to the misses, and
costs 5 % of the compute.
"""
HALVINGS = 60


def next_counts(
    counts: ArrayLike,
    variances: ArrayLike,
    costs: ArrayLike,
    weights: ArrayLike,
    budget: ArrayLike,
    units: ArrayLike = 0.0,
) -> NDArray[np.int64]:
    """Returns how many seeds each group has after a block of this cost; never fewer than now.

    A variance of a few seeds may be small by chance, so each is shrunk to the groups' mean: no
    group is forgotten.

    Args:
        counts: Seeds of each group so far, ``[..., group]``.
        variances: Sample variances of their differences, likewise; NaN for a group that is to get
            no more seeds.
        costs: What one seed of each group costs, ``[group]``.
        weights: Of the groups in the mean, ``[group]``.
        budget: What the block may cost, in the unit of ``costs``, with the axes before the groups.
        units: The smallest step of a difference, ``[group]``: groups that vary by less are alike,
            as they differ in which of them has shown one of its rare steps.
    """
    now = np.asarray(counts, dtype=float)
    spread = np.maximum(np.asarray(variances, dtype=float), np.square(units))
    open_ = np.isfinite(spread)
    mean = np.nanmean(np.where(open_.any(axis=-1, keepdims=True), spread, 0.0), -1, keepdims=True)
    shrunk = ((now - 1) * spread + SHRUNK_AS * mean) / (now - 1 + SHRUNK_AS)
    pull = np.where(open_, np.asarray(weights) * np.sqrt(shrunk / np.asarray(costs)), 0.0)
    # Without any spread all groups are alike.
    even = open_ / np.sqrt(np.asarray(costs))
    pull = np.where(pull.sum(axis=-1, keepdims=True) > 0, pull, even)
    allowed = np.asarray(budget, dtype=float)[..., None] + 0 * now[..., :1]

    def spent(level: NDArray[np.float64]) -> NDArray[np.float64]:
        wanted = np.maximum(now, np.floor(level * pull))
        return np.asarray(((wanted - now) * costs).sum(axis=-1, keepdims=True))

    # The level of n / pull at which the block costs its budget, by halving; whole seeds only.
    low = np.zeros_like(allowed)
    positive = np.where(pull > 0, pull, np.inf)
    high = ((now + allowed / np.asarray(costs) + 1) / positive).max(axis=-1, keepdims=True)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = spent(middle) <= allowed
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.asarray(np.maximum(now, np.floor(low * pull)), dtype=np.int64)
