"""Means over seeds with their bands, and curves thinned to what can be drawn."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from metakd.analysis.rows import Matrix
from metakd.analysis.statistics.intervals import LEVEL, MIN_PAIRS, paired_interval

Band = tuple[float | None, float | None, float | None]


def accuracy_band(accuracies: NDArray[np.float64]) -> Band:
    """Returns mean, lower and upper end of the mean's 95 % t interval, in percent.

    The band is of a mean over seeds, not of a difference, and stays inside [0, 100]. It has no ends
    below three seeds, and no mean without any.

    Args:
        accuracies: Fractions, one for each seed, NaN left out (N,).
    """
    band = paired_interval(100 * accuracies)
    if band.low_pp is None or band.high_pp is None:
        return band.mean_pp, None, None
    return band.mean_pp, max(band.low_pp, 0.0), min(band.high_pp, 100.0)


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


POINTS = 200


def thinned(positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns at most 200 of some positions, evenly spread, the first and the last among them."""
    if len(positions) <= POINTS:
        return positions
    kept = np.linspace(0, len(positions) - 1, POINTS).round().astype(np.intp)
    return np.take(positions, kept)
