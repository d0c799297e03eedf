"""How long a declared schedule is expected to take until it decides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metakd.analysis.statistics.allocation import next_counts
from metakd.analysis.statistics.looks import OPEN, Schedule, decision
from metakd.analysis.statistics.stratified import FEWEST_SEEDS, stratified_mean

DRAWS = 4000
SEED = 20260


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
