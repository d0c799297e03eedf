"""The mean over independent groups of settings, each with seeds of its own.

The groups are strata: they are fixed, their weights are known, and chance is in their seeds alone.
Welch's variance and Satterthwaite's degrees of freedom hold for unequal variances and unequal
numbers of seeds (Satterthwaite 1946, doi 10.2307/3002019). Every function takes any number of axes
before the groups, so that a simulation runs many studies at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
FEWEST_SEEDS = 2
"""A group with fewer has no variance."""


class StratifiedMean(NamedTuple):
    """A weighted mean over groups; every field has the axes before the groups."""

    mean: Array
    variance: Array
    freedom: Array

    def half_width(self, level: ArrayLike) -> Array:
        """Returns half the width of the t interval that covers with this probability."""
        critical = stdtrit(self.freedom, (1 + np.asarray(level)) / 2)
        return np.asarray(critical * np.sqrt(self.variance))


def stratified_mean(
    means: ArrayLike,
    variances: ArrayLike,
    counts: ArrayLike,
    weights: ArrayLike,
    units: ArrayLike = 0.0,
) -> StratifiedMean:
    """Estimates the weighted mean over groups.

    Accuracies of a small test set move in whole samples, so a few equal differences do not show
    that seeds never differ: the variance of a group of n seeds is at least that of n differences
    of which one is off by one unit, unit² / n.

    Args:
        means: Each group's mean difference, ``[..., group]``.
        variances: Sample variances (n − 1 below) of its seeds' differences, likewise.
        counts: n, its number of seeds, at least 2, likewise.
        weights: Of the groups, summing to 1, ``[group]``.
        units: The smallest step of a difference, ``[group]``.
    """
    n, w = np.asarray(counts, dtype=float), np.asarray(weights, dtype=float)
    spread = np.maximum(variances, np.square(units) / n)
    parts = np.square(w) * spread / n
    variance = parts.sum(axis=-1)
    below = (np.square(parts) / (n - 1)).sum(axis=-1)
    # Without any spread each seed is one piece of evidence.
    freedom = np.where(below > 0, np.square(variance) / np.where(below > 0, below, 1.0), 0.0)
    freedom = np.where(below > 0, freedom, (n - 1).sum(axis=-1))
    return StratifiedMean(np.asarray((w * means).sum(axis=-1)), variance, freedom)
