"""Intervals for a mean of paired differences, by Student's t.

Bootstraps over so few seeds cover 70 to 85 %, and an interval over seeds alone or settings alone
covers as little when the other factor varies. The two-way interval holds its 95 % in all four
cases; the tests simulate them.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.wording import counted

Matrix = NDArray[np.float64]
LEVEL = 0.95
MIN_PAIRS = 3
Band = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class Interval:
    """A mean of paired differences with its interval, of 95 % where nothing else is said.

    Attributes:
        mean_pp: The mean difference; None when there is no complete pair.
        low_pp: Lower end; None when too few pairs carry an interval.
        high_pp: Upper end; None likewise.
        pairs: How many complete pairs went in.
        method: How the interval was made, in words.
        level: How often it covers.
    """

    mean_pp: float | None
    low_pp: float | None
    high_pp: float | None
    pairs: int
    method: str
    level: float = LEVEL


def paired_interval(differences: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Returns the paired t interval of differences (N,) in percentage points, NaN left out.

    Below three pairs there is a mean and no interval. Equal differences give an interval of no
    width.

    Args:
        differences: One difference for each seed of a setting.
        level: How often the interval covers.
    """
    found = differences[np.isfinite(differences)]
    if not len(found):
        return Interval(None, None, None, 0, "no complete pair")
    mean = float(found.mean())
    if len(found) < MIN_PAIRS:
        reason = f"no interval: it needs {MIN_PAIRS} pairs, there are {len(found)}"
        return Interval(mean, None, None, len(found), reason)
    variance = float(found.var(ddof=1)) / len(found)
    half = half_width(variance, len(found) - 1, level)
    method = f"paired t over {len(found)} seeds"
    return Interval(mean, mean - half, mean + half, len(found), method, level)


def crossed_interval(differences: Matrix, level: float = LEVEL) -> Interval:
    """Returns the interval for settings and seeds, both seen as samples of more.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing. Of an
            incomplete matrix the settings and seeds of :func:`complete_block` are used. One
            setting gives its paired t interval; one seed gives none, as seeds may move all
            settings together.
        level: How often the interval covers.
    """
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    settings, seeds = block.shape
    if settings < 2 or not seeds:
        interval = paired_interval(block.ravel(), level)
    elif seeds < 2:
        reason = "no interval: one seed does not show how much seeds differ"
        interval = Interval(float(block.mean()), None, None, block.size, reason)
    else:
        spread = mean_squares(block).variance_of_mean(settings, seeds)
        mean, half = float(block.mean()), half_width(*spread, level)
        method = f"two-way t over {settings} settings × {seeds} seeds"
        interval = Interval(mean, mean - half, mean + half, block.size, method, level)
    return _with_left_out(interval, int(np.isfinite(differences).sum()) - block.size)


def seeds_interval(differences: Matrix, level: float = LEVEL) -> Interval:
    """Returns the interval of the mean over these settings, with seeds as the only chance.

    It speaks of no other settings: ``crossed_interval`` does.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing; of an
            incomplete matrix the block is used that ``crossed_interval`` uses.
        level: How often the interval covers.
    """
    rows, columns = complete_block(differences)
    block = differences[np.ix_(rows, columns)]
    if not block.size:
        return paired_interval(block.ravel(), level)
    interval = replace(paired_interval(block.mean(axis=0), level), pairs=block.size)
    if len(rows) > 1 and interval.low_pp is not None:
        method = f"t over the means of {len(columns)} seeds in these {len(rows)} settings"
        interval = replace(interval, method=method)
    return _with_left_out(interval, int(np.isfinite(differences).sum()) - block.size)


def _with_left_out(interval: Interval, pairs: int) -> Interval:
    """Returns an interval that says how many pairs it leaves out, if any."""
    if not pairs:
        return interval
    left_out = f"{counted(pairs, 'pair')} outside this complete block left out"
    method = f"{interval.method}; {left_out}"
    return replace(interval, method=method)


@dataclass(frozen=True)
class MeanSquares:
    """How much settings, seeds and the rest vary: the two-way table's mean squares, in pp²."""

    settings: float
    seeds: float
    rest: float

    def variance_of_mean(self, settings: int, seeds: int) -> tuple[float, float]:
        """Returns the variance of the mean, and its degrees of freedom, for crossed random effects.

        V = max(MS_c + MS_s − MS_e, MS_c, MS_s) / (C S) for C settings and S seeds (REPORTS: crossed
        two-way); Satterthwaite's degrees of freedom, never below those of the smaller factor.

        Args:
            settings: C, at least 2.
            seeds: S, at least 2.
        """
        C, S = settings, seeds
        both = self.settings + self.seeds - self.rest
        floor = min(C, S) - 1
        spread = (
            self.settings**2 / (C - 1)
            + self.seeds**2 / (S - 1)
            + self.rest**2 / ((C - 1) * (S - 1))
        )
        freedom = max(both**2 / spread, floor) if both > 0 and spread > 0 else floor
        return max(both, self.settings, self.seeds) / (C * S), freedom


def mean_squares(block: Matrix) -> MeanSquares:
    """Returns the mean squares of complete differences, ``[setting, seed]``, at least 2 × 2."""
    C, S = block.shape
    row_means, column_means = block.mean(axis=1), block.mean(axis=0)
    rest = block - row_means[:, None] - column_means[None, :] + block.mean()
    return MeanSquares(
        settings=S * float(row_means.var(ddof=1)),
        seeds=C * float(column_means.var(ddof=1)),
        rest=float((rest**2).sum()) / ((C - 1) * (S - 1)),
    )


def complete_block(differences: Matrix) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the settings and seeds that remain when the gappiest are dropped, one by one.

    Which go depends on where data are missing, never on their values. On a tie a seed goes.

    Args:
        differences: ``[setting, seed]``, NaN where a pair is missing.
    """
    missing = ~np.isfinite(differences)
    rows, columns = np.arange(missing.shape[0]), np.arange(missing.shape[1])
    while (block := missing[np.ix_(rows, columns)]).any():
        by_row, by_column = block.mean(axis=1), block.mean(axis=0)
        if by_column.max() >= by_row.max():
            # The last of equals: the seed that an unfinished study reached last.
            columns = np.delete(columns, len(columns) - 1 - int(by_column[::-1].argmax()))
        else:
            rows = np.delete(rows, int(by_row.argmax()))
    return rows, columns


def half_width(variance: float, freedom: float, level: float = LEVEL) -> float:
    """Returns half the width of a t interval."""
    # A plan needs MIN_PAIRS alone, and scipy takes a second to import.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2)) * math.sqrt(variance)


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
    from scipy.special import stdtrit

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
