"""A mean accuracy over seeds with its band, for curves of a single strategy."""

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.intervals import paired_interval

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
