"""Which difference a study would show, by how many seeds and settings it has."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import nctdtrinc, stdtrit

from metakd.analysis.statistics.intervals import (
    LEVEL,
    Matrix,
    MeanSquares,
    complete_block,
    mean_squares,
)
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.statistics.strata import Strata, group_means, stratified_mean

POWER = 0.8
SEEDS = (3, 4, 5, 6, 8, 10, 12, 16, 20, 30)


@dataclass(frozen=True)
class DetectableDifference:
    """The difference to the full grid that a study would show, by its size, at a power of 80 %.

    Computed with the spread that this study saw: of settings with seeds of their own the variance
    of each, else variance components of settings, seeds and rest.

    Attributes:
        seeds: Numbers of seeds.
        one_setting_pp: By seeds: in a single setting (paired t).
        average_pp: Over this study's settings, with seeds of their own in these very ones (Welch's
            t), else in as many (two-way t); empty below 2 settings.
        average_doubled_pp: In twice as many settings; empty with seeds of their own, too.
        settings_now: This study's settings with complete pairs.
        settings_doubled: Twice as many.
        seeds_now: Its seeds, the fewest of any of them.
        now_pp: What it can show overall; None with fewer than 2 settings or seeds.
        twice_the_seeds_pp: What it could with twice the seeds; likewise.
        is_of_these_settings: Whether that is said of these very settings, as with seeds of their
            own.
        more_settings_help_more: Whether doubling settings lowers it more than doubling seeds.
    """

    seeds: tuple[int, ...]
    one_setting_pp: tuple[float, ...]
    average_pp: tuple[float, ...]
    average_doubled_pp: tuple[float, ...]
    settings_now: int
    settings_doubled: int
    seeds_now: int
    now_pp: float | None
    twice_the_seeds_pp: float | None
    is_of_these_settings: bool
    more_settings_help_more: bool


def detectable_difference(
    differences: Matrix, strata: Strata | None = None
) -> DetectableDifference | None:
    """Returns the differences that studies of other sizes would show, given this one's spread.

    Settings with seeds of their own are groups with a variance each. Where they share their seeds,
    the mean squares of the complete block are split into variances of settings, seeds and the rest
    (none below 0); another size has the mean squares that these imply. The interval's own rule
    gives variance and degrees of freedom.

    Args:
        differences: Learned minus grid in percentage points, ``[setting, seed]``, NaN where a pair
            is missing.
        strata: How the settings are grouped; None where all share their seeds.

    Returns:
        None below two seeds, or where no difference varies.
    """
    if strata is not None:
        return _of_these_settings(differences, strata)
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    C, S = block.shape
    if not C or S < 2 or np.ptp(block) <= ROUNDING_PP:
        return None
    # Within a setting, settings apart: seeds and the rest together.
    within = float(block.var(axis=1, ddof=1).mean())
    parts = VarianceParts.of(mean_squares(block), C, S) if C > 1 else None
    seeds = tuple(sorted({*SEEDS, max(S, SEEDS[0])}))
    return DetectableDifference(
        seeds=seeds,
        one_setting_pp=tuple(shown_at_power(within / n, n - 1) for n in seeds),
        average_pp=tuple(parts.shown(C, n) for n in seeds) if parts else (),
        average_doubled_pp=tuple(parts.shown(2 * C, n) for n in seeds) if parts else (),
        settings_now=C,
        settings_doubled=2 * C,
        seeds_now=S,
        now_pp=parts.shown(C, S) if parts else None,
        twice_the_seeds_pp=parts.shown(C, 2 * S) if parts else None,
        is_of_these_settings=False,
        more_settings_help_more=parts is not None and parts.shown(2 * C, S) < parts.shown(C, 2 * S),
    )


def _of_these_settings(differences: Matrix, strata: Strata) -> DetectableDifference | None:
    known = [row[np.isfinite(row)] for row in differences]
    within = [row.var(ddof=1) for row in known if len(row) > 1]
    found = group_means(differences, strata)
    if not found.groups or max(map(np.ptp, filter(len, known))) <= ROUNDING_PP:
        return None

    def shown(counts: ArrayLike) -> float:
        mean = stratified_mean(
            found.means, found.variances, counts, found.weights, found.unit_pp + 0 * found.means
        )
        return shown_at_power(float(mean.variance), float(mean.freedom))

    is_average, fewest = found.rows > 1, int(found.counts.min())
    seeds = tuple(sorted({*SEEDS, max(fewest, SEEDS[0])}))
    averages = tuple(shown(np.full_like(found.counts, n)) for n in seeds)
    return DetectableDifference(
        seeds=seeds,
        one_setting_pp=tuple(shown_at_power(float(np.mean(within)) / n, n - 1) for n in seeds),
        average_pp=averages if is_average else (),
        average_doubled_pp=(),
        settings_now=found.rows,
        settings_doubled=2 * found.rows,
        seeds_now=fewest,
        now_pp=shown(found.counts) if is_average else None,
        twice_the_seeds_pp=shown(2 * found.counts) if is_average else None,
        is_of_these_settings=True,
        more_settings_help_more=False,
    )


def shown_at_power(variance: float, freedom: float) -> float:
    """Returns the true mean that a two-sided 5 % t test shows with a probability of 80 %.

    By the noncentral t distribution; the chance to show the opposite sign is left out.

    Args:
        variance: Of the estimated mean.
        freedom: Its degrees of freedom.
    """
    critical = stdtrit(freedom, (1 + LEVEL) / 2)
    return float(nctdtrinc(freedom, 1 - POWER, critical)) * math.sqrt(variance)


@dataclass(frozen=True)
class VarianceParts:
    """Variance components of a difference: of settings, of seeds, and of the rest, in pp²."""

    settings: float
    seeds: float
    rest: float

    @classmethod
    def of(cls, squares: MeanSquares, settings: int, seeds: int) -> "VarianceParts":
        """Splits the mean squares of a table of so many settings and seeds, at least 2 × 2."""
        return cls(
            settings=max((squares.settings - squares.rest) / seeds, 0.0),
            seeds=max((squares.seeds - squares.rest) / settings, 0.0),
            rest=squares.rest,
        )

    def shown(self, settings: int, seeds: int) -> float:
        """Returns the average difference that a study of this size shows, at least 2 × 2."""
        expected = MeanSquares(
            settings=self.rest + seeds * self.settings,
            seeds=self.rest + settings * self.seeds,
            rest=self.rest,
        )
        return shown_at_power(*expected.variance_of_mean(settings, seeds))
