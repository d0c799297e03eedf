"""Means over seeds with their t intervals, for whole curves at once."""

import numpy as np
from scipy.special import stdtrit

from metakd.analysis.intervals import LEVEL, MIN_PAIRS
from metakd.analysis.rows import Matrix


def mean_over_seeds(values: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Returns the mean over seeds, and the ends of its 95 % t interval, each ``[...]``.

    Args:
        values: ``[seed, ...]``, NaN where unknown.

    Returns:
        The mean, NaN where no seed is known; its ends, NaN below 3 seeds.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(count, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)
    squares = np.where(known, values - mean, 0) ** 2
    freedom = np.maximum(count - 1, 1)
    half = stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(
        squares.sum(axis=0) / freedom / np.maximum(count, 1)
    )
    half = np.where(count >= MIN_PAIRS, half, np.nan)
    return mean, mean - half, mean + half


def none_for_nan(values: Matrix) -> tuple[float | None, ...]:
    """Returns numbers along a curve (N,), None where they are unknown."""
    return tuple(value if np.isfinite(value) else None for value in values.tolist())
