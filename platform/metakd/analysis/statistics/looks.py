"""Looks at a comparison that were declared before the first result, and what they may decide.

A study that looks, is undecided, adds seeds and looks again errs far more often than in 5 %. Here
the looks are declared by the compute that lies behind them, and each has its share of the
probability of an error (Lan & DeMets 1983, doi 10.1093/biomet/70.3.659): by the share f of the
whole compute α f² is spent, and a look's interval has the level 1 − its own increment. By
Bonferroni's inequality all intervals of a study cover with 1 − α together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.statistics.strata import StratifiedMean

ERRS_AT_MOST = 0.05
"""In so many studies a look's interval may miss."""
ALPHA = 0.04
"""What the looks spend of it; t intervals of few and skewed differences take the rest."""
SPENDING_POWER = 2.0
ROUNDING_PP = 1e-9
"""Accuracies are whole samples: a difference of exactly the margin must not pass it by rounding."""
AHEAD, BEHIND, EQUIVALENT, OPEN = "ahead", "behind", "equivalent", "open"


@dataclass(frozen=True)
class Schedule:
    """What is declared before the first trial.

    Attributes:
        margin_pp: Differences inside ± this many points count as equal.
        pilot_seeds: Seeds of every setting at the first look.
        pilots: Compute behind each look, in that of the pilot, rising from 1.
        alpha: Probability that any look's interval misses.
    """

    margin_pp: float
    pilot_seeds: int
    pilots: tuple[float, ...]
    alpha: float = ALPHA

    def level(self, look: int) -> float:
        """Returns the probability with which the interval of a look covers, from 0 on."""
        shares = [0.0, *(each / self.pilots[-1] for each in self.pilots)]
        spent = [self.alpha * share**SPENDING_POWER for share in shares]
        return float(1 - (spent[look + 1] - spent[look]))


def decision(
    estimate: StratifiedMean, level: float, margin_pp: float
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Returns half the width of a look's interval, and its word.

    Equivalent where the interval lies inside ± the margin, else ahead or behind where it leaves out
    0, else open.

    Args:
        estimate: The comparison in points; any axes.
        level: Of the look.
        margin_pp: In points.
    """
    half = estimate.half_width(level)
    low, high = estimate.mean - half, estimate.mean + half
    margin = margin_pp + ROUNDING_PP
    word = np.select(
        [(low >= -margin) & (high <= margin), low > ROUNDING_PP, high < -ROUNDING_PP],
        [EQUIVALENT, AHEAD, BEHIND],
        OPEN,
    )
    return half, word
