"""Whether a mean over settings and seeds differs from 0."""

import math

from scipy.special import stdtr

from metakd.analysis.claims import paired_p_value
from metakd.analysis.intervals import complete_block, mean_squares
from metakd.analysis.table import Matrix
from metakd.analysis.verdict_rule import ROUNDING_PP


def crossed_p_value(differences: Matrix) -> float | None:
    """Returns the two-sided p of the mean against 0, settings and seeds seen as samples of more.

    It is below 5 % where :func:`~metakd.analysis.intervals.crossed_interval` leaves out 0, except
    that differences without any spread get the smallest p that exchanging the signs of seeds can
    give, 2 / 2^seeds: a few coarse accuracies that agree by chance prove no more.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing.

    Returns:
        None where there is no interval either.
    """
    rows, columns = complete_block(differences)
    settings, seeds = len(rows), len(columns)
    block = differences[rows][:, columns]
    if settings < 2:
        return paired_p_value(block.ravel())
    if seeds < 2:
        return None
    mean = float(block.mean())
    variance, freedom = mean_squares(block).variance_of_mean(settings, seeds)
    if math.sqrt(variance) <= ROUNDING_PP:
        return 2.0 ** (1 - seeds) if abs(mean) > ROUNDING_PP else 1.0
    return 2 * float(stdtr(freedom, -abs(mean) / math.sqrt(variance)))
