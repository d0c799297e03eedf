"""How many seeds each group of settings gets next, and how likely looks to come decide.

Seeds follow Neyman's allocation by variance and cost: the variance of a weighted mean, Σ w² v / n,
falls fastest for the cost Σ c n where n is in proportion to w √(v / c) (Neyman 1934,
doi 10.2307/2342192). Means are no argument: an allocation by them would bias the very means.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metakd.analysis.statistics.looks import OPEN, Schedule, decision
from metakd.analysis.statistics.strata import FEWEST_SEEDS, stratified_mean

SHRUNK_AS = 8.0
"""A variance is shrunk to the groups' mean as though so many further seeds had shown that mean.

Of skewed differences a group whose variance is small by chance has a mean that is off by chance,
and is left with it where it gets few seeds. Simulated, 8 halves what 2 adds to the misses, and
costs 5 % of the compute.
"""
HALVINGS = 60
DRAWS = 4000
SEED = 20260


def next_counts(
    counts: ArrayLike,
    variances: ArrayLike,
    costs: ArrayLike,
    weights: ArrayLike,
    budget: ArrayLike,
    units: ArrayLike = 0.0,
) -> NDArray[np.int64]:
    """Returns how many seeds each group has after a block of this cost; never fewer than now.

    A variance of a few seeds may be small by chance, so each is shrunk to the groups' mean: no
    group is forgotten.

    Args:
        counts: Seeds of each group so far, ``[..., group]``.
        variances: Sample variances of their differences, likewise; NaN for a group that is to get
            no more seeds.
        costs: What one seed of each group costs, ``[group]``.
        weights: Of the groups in the mean, ``[group]``.
        budget: What the block may cost, in the unit of ``costs``, with the axes before the groups.
        units: The smallest step of a difference, ``[group]``: groups that vary by less are alike,
            as they differ in which of them has shown one of its rare steps.
    """
    now = np.asarray(counts, dtype=float)
    spread = np.maximum(np.asarray(variances, dtype=float), np.square(units))
    open_ = np.isfinite(spread)
    mean = np.nanmean(np.where(open_.any(axis=-1, keepdims=True), spread, 0.0), -1, keepdims=True)
    shrunk = ((now - 1) * spread + SHRUNK_AS * mean) / (now - 1 + SHRUNK_AS)
    pull = np.where(open_, np.asarray(weights) * np.sqrt(shrunk / np.asarray(costs)), 0.0)
    # Without any spread all groups are alike.
    even = open_ / np.sqrt(np.asarray(costs))
    pull = np.where(pull.sum(axis=-1, keepdims=True) > 0, pull, even)
    allowed = np.asarray(budget, dtype=float)[..., None] + 0 * now[..., :1]

    def spent(level: NDArray[np.float64]) -> NDArray[np.float64]:
        wanted = np.maximum(now, np.floor(level * pull))
        return np.asarray(((wanted - now) * costs).sum(axis=-1, keepdims=True))

    # The level of n / pull at which the block costs its budget, by halving; whole seeds only.
    low = np.zeros_like(allowed)
    positive = np.where(pull > 0, pull, np.inf)
    high = ((now + allowed / np.asarray(costs) + 1) / positive).max(axis=-1, keepdims=True)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = spent(middle) <= allowed
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.asarray(np.maximum(now, np.floor(low * pull)), dtype=np.int64)


@dataclass(frozen=True)
class Groups:
    """What is known of groups of settings: every field is ``[group]``.

    Attributes:
        weights: Of the groups in the mean, summing to 1.
        costs: What one seed of each costs, in any unit.
        variances: Of the differences of its seeds, in pp²; NaN where unknown.
        counts: Seeds that it has.
        unit_pp: What one test sample moves.
    """

    weights: NDArray[np.float64]
    costs: NDArray[np.float64]
    variances: NDArray[np.float64]
    counts: NDArray[np.int64]
    unit_pp: float = 0.0

    @property
    def pilot_cost(self) -> float:
        """What one seed of every group costs."""
        return float(self.costs.sum())


def chances(
    schedule: Schedule,
    groups: Groups,
    true_pp: ArrayLike,
    looks_taken: int = 0,
    mean_pp: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the probability that each look still to come has decided by then, and its compute.

    The groups' variances are taken for the true ones. The mean of the seeds so far is kept, and
    what later blocks bring is drawn around the true difference, so that the estimate of a look is
    a random walk in the information 1 / variance.

    Args:
        schedule: The declared looks.
        groups: As of the last look that was taken; their counts count only where one was.
        true_pp: The true difference of each draw, in points (D,).
        looks_taken: How many looks lie behind.
        mean_pp: The comparison at the last of them.

    Returns:
        For each look to come the share of draws that are decided by it, and its compute in the
        unit of the costs; both (looks to come,).
    """
    draws = np.random.default_rng(SEED)
    true = np.asarray(true_pp, dtype=float)
    pilot = schedule.pilot_seeds * groups.pilot_cost
    counts = groups.counts if looks_taken else np.zeros_like(groups.counts)
    information, estimate = 0.0, np.zeros_like(true)
    if looks_taken:
        information, estimate = 1 / _variance(groups, counts), np.full_like(true, mean_pp)
    is_open = np.ones(len(true), dtype=bool)
    decided, compute = [], []
    known = np.nan_to_num(groups.variances, nan=float(np.nanmean(groups.variances)))
    for look in range(looks_taken, len(schedule.pilots)):
        if look == 0:
            counts = np.full_like(groups.counts, schedule.pilot_seeds)
        else:
            budget = schedule.pilots[look] * pilot - float((counts * groups.costs).sum())
            counts = next_counts(
                counts, known, groups.costs, groups.weights, max(0.0, budget), groups.unit_pp
            )
        variance = _variance(groups, counts)
        gained = max(0.0, 1 / variance - information)
        if gained > 0:
            fresh = true + draws.standard_normal(len(true)) / np.sqrt(gained)
            estimate = (information * estimate + gained * fresh) * variance
            information = 1 / variance
        one = stratified_mean(np.zeros(len(counts)), known, counts, groups.weights)
        _, words = decision(one._replace(mean=estimate), schedule.level(look), schedule.margin_pp)
        is_open &= words == OPEN
        decided.append(1 - float(is_open.mean()))
        compute.append(schedule.pilots[look] * pilot)
    return np.array(decided), np.array(compute)


def plausible_differences(mean_pp: float, standard_error_pp: float) -> NDArray[np.float64]:
    """Returns draws of the true difference, given an estimate and its standard error (DRAWS,)."""
    draws = np.random.default_rng(SEED + 1)
    return np.asarray(mean_pp + standard_error_pp * draws.standard_normal(DRAWS))


def _variance(groups: Groups, counts: NDArray[np.int64]) -> float:
    known = np.nan_to_num(groups.variances, nan=float(np.nanmean(groups.variances)))
    n = np.maximum(counts, FEWEST_SEEDS)
    return max(float((np.square(groups.weights) * known / n).sum()), 1e-12)
