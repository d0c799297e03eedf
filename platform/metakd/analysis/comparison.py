"""A learner against its baselines, paired by setting and seed: as a whole and at equal cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.grid import Grid
from metakd.analysis.places import COSTS
from metakd.analysis.reached import (
    ROUNDING,
    Reached,
    cost_in_plain_runs,
    equal_cost_grid_size,
    mean_over_settings,
    median,
    reached_by_strategy,
    total_ratio,
)
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix, crossed_interval
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.statistics.strata import mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable

# Cost ratios nearer to 1 than this say nothing: measured seconds are not that exact.
SAME_COST = 1.1
# The learned temperature is compared with two strategies in ``Summary.comparisons``.
COMPARED_ELSEWHERE = {"meta": ("fixed", "grid")}


@dataclass(frozen=True)
class Pair:
    """Whose differences they are: learner minus main baseline, by their strategies."""

    learner: str = "meta"
    baseline: str = "grid"


LEARNED_AND_GRID = Pair()


@dataclass(frozen=True)
class Comparison:
    """Learned temperature against one baseline, over all settings and seeds.

    Attributes:
        baseline: "full_grid", "equal_cost_grid" or "no_search"; in a :class:`Baseline` its
            strategy.
        label: The baseline in words, as a reader sees it.
        effect: The difference at the last epoch (headline).
        effect_selected: The same at the validation-selected epoch.
        share_ahead: Fraction of pairs in which learning is strictly ahead; None without pairs.
        accuracy_verdict: One of "better", "slightly better", "equivalent", "not worse",
            "undecided", "slightly worse", "worse", "no data".
        cost_ratio_steps: Baseline's cost over the learned run's, in student-step equivalents; on
            both sides failed runs are shared among those with a result.
        cost_ratio_seconds: The same in measured seconds.
        missing_pairs: Planned pairs that have no complete data.
        cost_verdict: "cheaper", "dearer" or "same" where steps and seconds agree, "mixed" where
            they do not, "unknown" without either.
        cost_factor: By how much at least, in every currency; 1 or more.
    """

    baseline: str
    label: str
    effect: Interval
    effect_selected: Interval
    share_ahead: float | None
    accuracy_verdict: str
    cost_ratio_steps: float | None
    cost_ratio_seconds: float | None
    missing_pairs: int
    cost_verdict: str = "unknown"
    cost_factor: float = 1.0


@dataclass(frozen=True)
class Baseline:
    """Learned temperature against another strategy, whole and when it had spent the same.

    Attributes:
        strategy: Its name.
        test_pp: Its mean test accuracy at the last epoch, over settings of the mean over seeds;
            None without a result.
        runs_charged: What it costs in plain runs, by student-step equivalents, likewise.
        overall: Learning against all that it ran.
        equal_cost: Learning minus what it had found when it had spent what learning costs, the
            segment in which it spent that run to its end; over the pairs in which a run was done
            by then.
        equal_cost_unready: Pairs in which none was.
        p_value: Two-sided t test of ``overall.effect`` against 0; None where it has no interval.
        p_holm: The same after Holm's correction over all strategies of the table.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
        equal_cost_p_holm: The same for ``equal_cost``, corrected likewise.
        equal_cost_claim: The same for ``equal_cost``.
    """

    strategy: str
    test_pp: float | None
    runs_charged: float | None
    overall: Comparison
    equal_cost: Interval
    equal_cost_unready: int
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"
    equal_cost_p_holm: float | None = None
    equal_cost_claim: str = "no clear gap"


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


def paired_differences_pp(learned: Matrix, baseline: Matrix) -> Matrix:
    """Returns learned minus baseline in percentage points, ``[setting, seed]``."""
    return 100 * (learned - baseline)


def minus_pp(
    table: StudyTable, reached: Mapping[str, Reached], strategy: str, other: str
) -> Matrix:
    """Returns one strategy minus another at the last epoch, in points, ``[setting, seed]``.

    NaN where either is incomplete, or was not run at all.
    """
    if strategy not in reached or other not in reached:
        return np.full(table.shape, np.nan)
    return paired_differences_pp(reached[strategy].test_last, reached[other].test_last)


def against(
    name: str, label: str, baseline: Reached, learned: Reached, table: StudyTable
) -> Comparison:
    """Compares learning with one baseline, over the pairs in which both are complete."""
    last = paired_differences_pp(learned.test_last, baseline.test_last)
    selected = paired_differences_pp(learned.test_selected, baseline.test_selected)
    pairs = np.isfinite(last)
    effect = mean_interval(last, table.strata)
    steps, seconds = (
        total_ratio(getattr(baseline, currency), getattr(learned, currency), pairs)
        for currency in COSTS
    )
    verdict, factor = cost_verdict((steps, seconds))
    return Comparison(
        baseline=name,
        label=label,
        effect=effect,
        effect_selected=mean_interval(selected, table.strata),
        share_ahead=float((last[pairs] > ROUNDING_PP).mean()) if pairs.any() else None,
        accuracy_verdict=accuracy_verdict(effect, table.margin_pp),
        cost_ratio_steps=steps,
        cost_ratio_seconds=seconds,
        missing_pairs=int((table.planned_pairs & ~pairs).sum()),
        cost_verdict=verdict,
        cost_factor=factor,
    )


def no_data(name: str, label: str) -> Comparison:
    """Returns the comparison with a baseline where one of the two was not run."""
    nothing = crossed_interval(np.full((1, 1), np.nan))
    return Comparison(name, label, nothing, nothing, None, "no data", None, None, 0)


def compare_baselines(
    table: StudyTable, grid: Grid | None, learner: str = "meta"
) -> tuple[Baseline, ...]:
    """Compares what learns with every strategy that ``compare`` leaves out, in the study's order.

    Both families of p-values, of whole strategies and at equal cost, are corrected for the number
    of strategies (Holm).

    Args:
        table: The study.
        grid: Its grid.
        learner: The strategy whose differences they are.
    """
    reached = reached_by_strategy(table, grid)
    learned = reached.get(learner)
    left_out = {learner, *COMPARED_ELSEWHERE.get(learner, ())}
    names = [name for name in table.strategies if name not in left_out]
    overall, at_equal_cost = [], []
    for name in names:
        baseline, runs = reached.get(name), table.runs(name)
        if learned is None or baseline is None or runs is None:
            overall.append(np.full(table.shape, np.nan))
            at_equal_cost.append(np.full(table.shape, np.nan))
            continue
        if grid is not None and name == grid.runs.strategy:
            by_then = grid_at_equal_cost(table, grid, learned)
        else:
            by_then = found_at_equal_cost(learned, runs)
        overall.append(paired_differences_pp(learned.test_last, baseline.test_last))
        at_equal_cost.append(paired_differences_pp(learned.test_last, by_then))
    baselines = [
        _baseline(table, name, reached.get(name), learned, whole, by_then)
        for name, whole, by_then in zip(names, overall, at_equal_cost, strict=True)
    ]
    p_values = [mean_p_value(differences, table.strata) for differences in overall]
    equal_cost_p_values = [mean_p_value(differences, table.strata) for differences in at_equal_cost]
    return tuple(
        replace(
            baseline,
            p_value=p_value,
            p_holm=p_holm,
            claim=claim(baseline.overall.effect.mean_pp, p_holm),
            equal_cost_p_holm=equal_cost_p_holm,
            equal_cost_claim=claim(baseline.equal_cost.mean_pp, equal_cost_p_holm),
        )
        for baseline, p_value, p_holm, equal_cost_p_holm in zip(
            baselines, p_values, holm(p_values), holm(equal_cost_p_values), strict=True
        )
    )


def found_at_equal_cost(learned: Reached, runs: StrategyRuns) -> Matrix:
    """Returns what a strategy had found when it had spent what learning costs, ``[setting, seed]``.

    That is what the median learned run of the setting costs, failed ones shared, in the currency
    that leaves it more segments; the one in which it is spent is run to its end. Only runs that
    were done by then count. NaN where there is none, where the strategy is incomplete, and where
    the cost of no learned run is known; a strategy of one run has that run, whatever it cost.

    Args:
        learned: What learning reached, and cost.
        runs: The strategy.

    Returns:
        Test accuracies at the last epoch, fractions.
    """
    if runs.is_one_run:
        return runs.best("test_acc_last")
    begun = np.zeros(runs.complete.shape, np.intp)
    for name in COSTS:
        budgets = np.array([median(costs) for costs in getattr(learned, name)])
        cost = np.where(runs.until_epoch > 0, getattr(runs, name), 0.0)
        begun = np.maximum(begun, segments_paid_for(cost, budgets[:, None]))
    return np.where(runs.complete, runs.best_test_of_first(begun), np.nan)


def grid_at_equal_cost(table: StudyTable, grid: Grid, learned: Reached) -> Matrix:
    """Returns the expected best of as many temperatures as learning pays for, ``[setting, seed]``.

    As many as the median learned run of the setting costs in plain runs, rounded up in the grid's
    favour, in the currency that leaves more of them. NaN where that is unknown.

    Args:
        table: The study.
        grid: Its grid.
        learned: What learning reached, and cost.
    """
    found = np.full(table.shape, np.nan)
    ratios = cost_in_plain_runs(table, learned)
    for setting in range(len(found)):
        size = equal_cost_grid_size(ratios[:, setting], grid.size)
        if size is not None:
            found[setting] = grid.best_of(size)[setting]
    return found


def segments_paid_for(costs: Matrix, budget: Matrix) -> NDArray[np.intp]:
    """Returns how many segments a strategy begins before a budget is spent; 0 where it is unknown.

    Args:
        costs: Of each segment, in order, 0 where there is none, ``[segment, setting, seed]``.
        budget: In the same currency, ``[setting, 1]``.

    Returns:
        ``[setting, seed]``.
    """
    is_known = np.isfinite(costs).all(axis=0) & np.isfinite(budget)
    spent_before = np.cumsum(costs, axis=0) - costs
    begun = (spent_before < budget * (1 - ROUNDING)).sum(axis=0)
    return np.where(is_known, begun, 0)


def _baseline(
    table: StudyTable,
    name: str,
    baseline: Reached | None,
    learned: Reached | None,
    overall: Matrix,
    at_equal_cost: Matrix,
) -> Baseline:
    return Baseline(
        strategy=name,
        test_pp=mean_or_none(100 * baseline.test_last) if baseline else None,
        runs_charged=runs_charged(table, baseline),
        overall=_overall(table, name, baseline, learned),
        equal_cost=mean_interval(at_equal_cost, table.strata),
        equal_cost_unready=int((np.isfinite(overall) & np.isnan(at_equal_cost)).sum()),
    )


def _overall(
    table: StudyTable, name: str, baseline: Reached | None, learned: Reached | None
) -> Comparison:
    if baseline is None or learned is None:
        return no_data(name, name)
    return against(name, name, baseline, learned, table)


def mean_or_none(values: Matrix) -> float | None:
    """Returns the mean over settings of the mean over seeds, ``[setting, seed]``, NaN left out."""
    known = np.isfinite(values)
    return mean_over_settings(values, known) if known.any() else None


def runs_charged(table: StudyTable, strategy: Reached | None) -> float | None:
    """Returns what a strategy costs in plain runs, mean over settings of the mean over seeds."""
    if strategy is None:
        return None
    in_steps = cost_in_plain_runs(table, strategy)[COSTS.index("step_equivalents")]
    return mean_or_none(in_steps)


def main_comparison(baselines: Sequence[Baseline], baseline: str) -> Comparison | None:
    """Returns the comparison with a baseline; None where the study lacks it."""
    return next((each.overall for each in baselines if each.strategy == baseline), None)
