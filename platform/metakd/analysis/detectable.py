"""Which difference a study would show, by how many seeds and settings it has."""

import math

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from metakd.analysis.curves import DetectableDifference
from metakd.analysis.intervals import LEVEL, MeanSquares, complete_block, mean_squares
from metakd.analysis.table import Matrix

POWER = 0.8
SEEDS = (3, 4, 5, 6, 8, 10, 12, 16, 20, 30)


def detectable_difference(differences: Matrix) -> DetectableDifference | None:
    """Returns the differences that studies of other sizes would show, given this one's spread.

    The mean squares of the complete block are split into variances of settings, seeds and the rest
    (none below 0); another size has the mean squares that these imply, and the interval's own rule
    gives its variance and degrees of freedom.

    Args:
        differences: Learned minus grid in percentage points, ``[setting, seed]``, NaN where a pair
            is missing.

    Returns:
        None below two seeds, or where no difference varies.
    """
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    C, S = block.shape
    if not C or S < 2 or not block.std():
        return None
    # Within a setting, settings apart: seeds and the rest together.
    within = float(block.var(axis=1, ddof=1).mean())
    parts = _Parts(mean_squares(block), C, S) if C > 1 else None
    seeds = tuple(sorted({*SEEDS, max(S, SEEDS[0])}))
    return DetectableDifference(
        seeds=seeds,
        one_setting_pp=tuple(shown_at_power(within / n, n - 1) for n in seeds),
        average_pp=tuple(parts.detectable(C, n) for n in seeds) if parts else (),
        average_doubled_pp=tuple(parts.detectable(2 * C, n) for n in seeds) if parts else (),
        settings_now=C,
        seeds_now=S,
        now_pp=parts.detectable(C, S) if parts else None,
        more_settings_help_more=parts is not None
        and parts.detectable(2 * C, S) < parts.detectable(C, 2 * S),
    )


def shown_at_power(variance: float, freedom: float) -> float:
    """Returns the true mean that a two-sided 5 % t test shows with a probability of 80 %.

    The noncentral t distribution's own answer; the chance to show the opposite sign is left out.

    Args:
        variance: Of the estimated mean.
        freedom: Its degrees of freedom.
    """
    critical = stdtrit(freedom, (1 + LEVEL) / 2)
    return float(nctdtrinc(freedom, 1 - POWER, critical)) * math.sqrt(variance)


class _Parts:
    """Variance components of a two-way table, and what tables of other sizes would show."""

    def __init__(self, squares: MeanSquares, settings: int, seeds: int) -> None:
        self._rest = squares.rest
        self._settings = max((squares.settings - squares.rest) / seeds, 0.0)
        self._seeds = max((squares.seeds - squares.rest) / settings, 0.0)

    def detectable(self, settings: int, seeds: int) -> float:
        expected = MeanSquares(
            settings=self._rest + seeds * self._settings,
            seeds=self._rest + settings * self._seeds,
            rest=self._rest,
        )
        return shown_at_power(*expected.variance_of_mean(settings, seeds))
