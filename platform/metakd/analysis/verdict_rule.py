"""The rule that turns an interval, or a cost ratio, into one word."""

from collections.abc import Iterable

from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.looks import ROUNDING_PP

# Cost ratios nearer to 1 than this say nothing: measured seconds are not that exact.
SAME_COST = 1.1


def accuracy_verdict(interval: Interval, margin_pp: float) -> str:
    """Names where an interval lies against ±margin (REPORTS: verdict rule).

    Args:
        interval: Learned minus baseline.
        margin_pp: Differences inside ± this many points count as equal.

    Returns:
        One of the words of ``Comparison.accuracy_verdict``.
    """
    if interval.mean_pp is None:
        return "no data"
    if interval.low_pp is None or interval.high_pp is None:
        return "undecided"
    low, high, margin = interval.low_pp, interval.high_pp, margin_pp + ROUNDING_PP
    if low > margin:
        return "better"
    if high < -margin:
        return "worse"
    if -margin <= low and high <= margin:
        return "equivalent"
    if low > ROUNDING_PP:
        return "slightly better"
    if high < -ROUNDING_PP:
        return "slightly worse"
    return "not worse" if low > -margin_pp else "undecided"


def cost_verdict(ratios: Iterable[float | None]) -> tuple[str, float]:
    """Names what learning costs against a baseline, where all currencies agree.

    Args:
        ratios: Baseline's cost over the learned run's, in each currency; None where unknown.

    Returns:
        "cheaper", "dearer", "same", "mixed" (the currencies disagree) or "unknown", and the factor
        that holds in every currency, at least 1.
    """
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return "unknown", 1.0
    if min(known) >= SAME_COST:
        return "cheaper", min(known)
    if max(known) <= 1 / SAME_COST:
        return "dearer", 1 / max(known)
    is_same = all(1 / SAME_COST <= ratio <= SAME_COST for ratio in known)
    return "same" if is_same else "mixed", 1.0
