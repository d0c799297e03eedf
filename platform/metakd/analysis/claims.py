"""Which settings, or which strategies, show a difference, corrected for looking at all of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from metakd.analysis.intervals import MIN_PAIRS, complete_block, mean_squares
from metakd.analysis.rows import Matrix
from metakd.analysis.verdict_rule import ROUNDING_PP

SIGNIFICANT = 0.05


def paired_p_value(differences: NDArray[np.float64]) -> float | None:
    """Returns the two-sided p of the paired t test against 0; None below three pairs.

    Equal differences have no spread to test against. They get the smallest p that exchanging signs
    can give, 2 / 2^N: a few seeds that agree by chance, as accuracies of few test samples do, prove
    no more than that.

    Args:
        differences: One for each seed of a setting, complete, in percentage points (N,).
    """
    pairs = len(differences)
    if pairs < MIN_PAIRS:
        return None
    mean = float(differences.mean())
    if np.ptp(differences) <= ROUNDING_PP:
        return 2.0 ** (1 - pairs) if abs(mean) > ROUNDING_PP else 1.0
    standard_error = float(differences.std(ddof=1)) / math.sqrt(pairs)
    return 2 * float(stdtr(pairs - 1, -abs(mean) / standard_error))


def crossed_p_value(differences: Matrix) -> float | None:
    """Returns the two-sided p against 0 of ``crossed_interval``'s t; None where it has no interval.

    Differences without a spread get the smallest p that exchanging signs can give, of all settings
    or of all seeds at once, whichever are fewer.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing.
    """
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    settings, seeds = block.shape
    if settings < 2 or not seeds:
        return paired_p_value(block.ravel())
    if seeds < 2:
        return None
    mean = float(block.mean())
    variance, freedom = mean_squares(block).variance_of_mean(settings, seeds)
    if variance <= ROUNDING_PP**2:
        return 2.0 ** (1 - min(settings, seeds)) if abs(mean) > ROUNDING_PP else 1.0
    return 2 * float(stdtr(freedom, -abs(mean) / math.sqrt(variance)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns Holm's step-down correction; None stays None and does not count.

    The i-th smallest of m is multiplied by m − i + 1, and none falls below a smaller one.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, index) in enumerate(known):
        so_far = max(so_far, min(1.0, (len(known) - rank) * p))
        corrected[index] = so_far
    return corrected


def claim(mean_pp: float | None, p_holm: float | None) -> str:
    """Returns "ahead" or "behind" where the corrected p allows it, else "no clear gap"."""
    if mean_pp is None or p_holm is None or p_holm >= SIGNIFICANT:
        return "no clear gap"
    return "ahead" if mean_pp > 0 else "behind"
