"""Which settings, or which strategies, show a difference, corrected for looking at all of them."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from metakd.analysis.statistics.intervals import MIN_PAIRS, Matrix, complete_block, mean_squares
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.statistics.strata import Strata, group_means

SIGNIFICANT = 0.05


def paired_p_value(differences: NDArray[np.float64]) -> float | None:
    """Returns the two-sided p of the paired t test against 0; None below three pairs.

    Of equal differences it is what exchanging the signs of pairs can give at least, 2 / 2^N.

    Args:
        differences: One for each seed of a setting, complete, in percentage points (N,).
    """
    pairs = len(differences)
    if pairs < MIN_PAIRS:
        return None
    variance = float(differences.var(ddof=1)) / pairs
    return _p_value(float(differences.mean()), variance, pairs - 1, pairs)


def crossed_p_value(differences: Matrix) -> float | None:
    """Returns the two-sided p against 0 of the mean over settings and seeds, both seen as samples.

    It is the t test of ``intervals.crossed_interval``: below 5 % where that interval leaves out 0.

    Differences without any spread have no t. They get the smallest p that exchanging signs can
    give, 2 / 2^units, where a unit is what is independent of the others. Cells are not: those of a
    setting share its data, those of a seed its initial weights and batches. Signs may be exchanged
    setting by setting only if seeds have no effect of their own, and seed by seed only if settings
    have none; equal differences do not show which of the two holds. The units are therefore those
    of the smaller factor, which also bounds the interval's degrees of freedom: two settings that
    agree prove no more than two coins that fall alike, p = 0.5, however many seeds each has.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing. Of an
            incomplete matrix the settings and seeds of
            ``intervals.complete_block`` are used.

    Returns:
        None where there is no interval either.
    """
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    settings, seeds = block.shape
    if settings < 2 or not seeds:
        return paired_p_value(block.ravel())
    if seeds < 2:
        return None
    variance, freedom = mean_squares(block).variance_of_mean(settings, seeds)
    return _p_value(float(block.mean()), variance, freedom, min(settings, seeds))


def mean_p_value(differences: Matrix, strata: Strata | None) -> float | None:
    """Returns the two-sided p against 0 of the mean over settings.

    It is the t test of ``strata.mean_interval``.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing.
        strata: How the rows are grouped; None where settings share their seeds.

    Returns:
        None where there is no interval either.
    """
    if strata is None:
        return crossed_p_value(differences)
    found = group_means(differences, strata)
    if not found.has_interval:
        return crossed_p_value(differences)
    estimate = found.mean()
    units = int((found.counts - 1).sum()) + 1
    return _p_value(float(estimate.mean), float(estimate.variance), float(estimate.freedom), units)


def _p_value(mean: float, variance: float, freedom: float, units: int) -> float:
    """Returns the p of a mean of so many independent units, by t or, without a spread, by signs.

    A few units that agree by chance, as accuracies of few test samples do, prove no more than that.
    """
    if variance <= ROUNDING_PP**2:
        return 2.0 ** (1 - units) if abs(mean) > ROUNDING_PP else 1.0
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


def corrected_for(p_values: Iterable[float | None]) -> int:
    """Returns for how many p values ``holm`` corrects."""
    return sum(p is not None for p in p_values)


def claim(mean_pp: float | None, p_holm: float | None) -> str:
    """Returns "ahead" or "behind" where the corrected p allows it, else "no clear gap"."""
    if mean_pp is None or p_holm is None or p_holm >= SIGNIFICANT:
        return "no clear gap"
    return "ahead" if mean_pp > 0 else "behind"
