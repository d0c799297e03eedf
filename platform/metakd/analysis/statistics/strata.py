"""Settings as independent groups, where they have seeds of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from metakd.analysis.statistics.intervals import (
    LEVEL,
    MIN_PAIRS,
    Interval,
    Matrix,
    complete_block,
    crossed_interval,
    paired_interval,
)
from metakd.analysis.wording import counted, spanned

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


@dataclass(frozen=True)
class Strata:
    """How the rows of a matrix ``[setting, seed]`` are grouped.

    Attributes:
        groups: The group of each row; rows of one share their seeds, groups share nothing.
        unit_pp: What one test sample moves, in points.
    """

    groups: tuple[int, ...]
    unit_pp: float

    def of(self, rows: Sequence[int]) -> "Strata":
        """Returns the same for some of the rows."""
        return Strata(tuple(self.groups[row] for row in rows), self.unit_pp)


@dataclass(frozen=True)
class GroupMeans:
    """Differences of groups whose seeds have been averaged over the rows of the group.

    Attributes:
        groups: Those with two seeds or more, ascending; every other field is in their order.
        means: In points, ``[group]``.
        variances: Between seeds, ``[group]``.
        counts: Seeds of each, ``[group]``.
        weights: By their rows, ``[group]``.
        unit_pp: What one test sample moves.
        rows: Rows that went in.
        pairs: Cells that went in.
        left_out: Cells that did not.
    """

    groups: tuple[int, ...]
    means: Array
    variances: Array
    counts: NDArray[np.int64]
    weights: Array
    unit_pp: float
    rows: int
    pairs: int
    left_out: int

    @property
    def has_interval(self) -> bool:
        """Whether there are groups enough, or seeds enough of a single one."""
        return len(self.groups) > 1 or (len(self.groups) == 1 and self.counts[0] >= MIN_PAIRS)

    def mean(self) -> StratifiedMean:
        """Returns the weighted mean over the groups, at least one."""
        return stratified_mean(
            self.means, self.variances, self.counts, self.weights, self.unit_pp + 0 * self.means
        )


def group_means(differences: Matrix, strata: Strata) -> GroupMeans:
    """Averages differences over the rows of each group, seed by seed.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing; of an
            incomplete group the settings and seeds of :func:`complete_block` are used.
        strata: How the rows are grouped.
    """
    of_row = np.asarray(strata.groups)
    found: dict[int, tuple[int, Matrix]] = {}
    for group in sorted(set(strata.groups)):
        own = differences[of_row == group]
        # Another group may have more seeds.
        own = own[:, np.isfinite(own).any(axis=0)]
        rows, columns = complete_block(own)
        if len(rows) and len(columns) >= FEWEST_SEEDS:
            found[group] = len(rows), own[np.ix_(rows, columns)].mean(axis=0)
    rows_of = np.array([rows for rows, _ in found.values()], dtype=float)
    pairs = sum(rows * len(means) for rows, means in found.values())
    return GroupMeans(
        groups=tuple(found),
        means=np.array([means.mean() for _, means in found.values()]),
        variances=np.array([means.var(ddof=1) for _, means in found.values()]),
        counts=np.array([len(means) for _, means in found.values()], dtype=np.int64),
        weights=rows_of / rows_of.sum() if found else rows_of,
        unit_pp=strata.unit_pp,
        rows=int(rows_of.sum()),
        pairs=pairs,
        left_out=int(np.isfinite(differences).sum()) - pairs,
    )


def mean_interval(differences: Matrix, strata: Strata | None, level: float = LEVEL) -> Interval:
    """Returns the interval of a mean over settings.

    With seeds of their own it speaks of these settings; where settings share their seeds, as in
    stores of before, it is :func:`crossed_interval`.

    Args:
        differences: Percentage points, ``[setting, seed]``, NaN where a pair is missing.
        strata: How the rows are grouped; None where settings share their seeds.
        level: How often the interval covers.
    """
    if strata is None:
        return crossed_interval(differences, level)
    found = group_means(differences, strata)
    if not found.has_interval:
        # It says why there is none.
        return crossed_interval(differences, level)
    estimate = found.mean()
    mean, half = float(estimate.mean), float(estimate.half_width(level))
    return Interval(mean, mean - half, mean + half, found.pairs, method_in_words(found), level)


def elsewhere_interval(
    differences: Matrix, strata: Strata | None, level: float = LEVEL
) -> Interval:
    """Returns the interval for other settings like these: both settings and seeds are samples.

    Args:
        differences: As for :func:`mean_interval`.
        strata: Likewise.
        level: How often the interval covers.
    """
    if strata is None:
        return crossed_interval(differences, level)
    found = group_means(differences, strata)
    # A mean has the chance of its setting and of its seeds in it, so their spread has both.
    interval = paired_interval(found.means, level)
    method = f"t over the means of {len(found.groups)} groups of settings"
    if len(found.groups) == found.rows:
        method = f"t over the means of {found.rows} settings"
    return replace(interval, pairs=found.pairs, method=method)


def method_in_words(found: GroupMeans) -> str:
    """Returns how an interval over groups was made."""
    seeds = spanned(found.counts.tolist(), "seed")
    if len(found.groups) == 1:
        method = f"paired t over {seeds}"
        if found.rows > 1:
            method = f"t over the means of {seeds} in these {found.rows} settings"
    else:
        method = f"Welch's t over these {found.rows} settings, {seeds} each"
    if found.left_out:
        method += f"; {counted(found.left_out, 'pair')} of incomplete seeds left out"
    return method
