"""A learner against its baselines, paired by setting and seed: as a whole and at equal cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.costs import ROUNDING, STEPS, Costs, equal_cost_grid_size
from metakd.analysis.grid import Grid
from metakd.analysis.reached import (
    Reached,
    mean_over_settings,
    on_seeds_of,
    reached_by_strategy,
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
        missing_pairs: Planned pairs that have no complete data.
        baseline_runs: What the baseline costs, as ``Summary.runs`` counts it; None where unknown.
        learned_runs: What learning costs, likewise.
        cost_verdict: "cheaper", "dearer" or "same" where a count of student steps agrees with it,
            "mixed" where it does not, "unknown" where either cost is.
        cost_factor: How many times the cheaper one the dearer one costs; 1 without such a verdict.
    """

    baseline: str
    label: str
    effect: Interval
    effect_selected: Interval
    share_ahead: float | None
    accuracy_verdict: str
    missing_pairs: int
    baseline_runs: float | None = None
    learned_runs: float | None = None
    cost_verdict: str = "unknown"
    cost_factor: float = 1.0


@dataclass(frozen=True)
class Baseline:
    """Learned temperature against another strategy, whole and when it had spent the same.

    Attributes:
        strategy: Its name.
        test_pp: Its mean test accuracy at the last epoch, over settings of the mean over seeds;
            where it has fewer seeds than learning, the mean of learning less the paired difference,
            so that it stands beside strategies with more of them. None without a result.
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
        is_pilot_only: Whether it stopped after the pilot, so that its pairs are the pilot's.
    """

    strategy: str
    test_pp: float | None
    overall: Comparison
    equal_cost: Interval
    equal_cost_unready: int
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"
    equal_cost_p_holm: float | None = None
    equal_cost_claim: str = "no clear gap"
    is_pilot_only: bool = False


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


def cost_verdict(ratio: float | None, step_ratio: float | None) -> tuple[str, float]:
    """Names what learning costs against a baseline, where a count of steps agrees.

    Args:
        ratio: Baseline's cost over the learned run's; None where unknown.
        step_ratio: The same in student-step equivalents, which no machine has an influence on.

    Returns:
        "cheaper", "dearer", "same", "mixed" (steps disagree) or "unknown", and how many times the
        cheaper one the dearer one costs, 1 where neither is.
    """
    if ratio is None:
        return "unknown", 1.0
    known = [ratio, ratio if step_ratio is None else step_ratio]
    if min(known) >= SAME_COST:
        return "cheaper", ratio
    if max(known) <= 1 / SAME_COST:
        return "dearer", 1 / ratio
    is_same = all(1 / SAME_COST <= each <= SAME_COST for each in known)
    return "same" if is_same else "mixed", 1.0


def with_costs(comparison: Comparison, costs: Costs, pair: Pair, share: float = 1.0) -> Comparison:
    """Adds what both sides cost.

    Args:
        comparison: Without costs.
        costs: The study's.
        pair: The strategies that are compared.
        share: How much of the baseline is charged.
    """
    known = [
        (None if runs is None else share * runs, costs.runs(pair.learner, currency=currency))
        for currency in (costs.currency, STEPS)
        for runs in [costs.runs(pair.baseline, currency=currency)]
    ]
    verdict, factor = cost_verdict(
        *(baseline / learned if baseline and learned else None for baseline, learned in known)
    )
    (baseline_runs, learned_runs), _ = known
    return replace(
        comparison,
        baseline_runs=baseline_runs,
        learned_runs=learned_runs,
        cost_verdict=verdict,
        cost_factor=factor,
    )


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
    name: str,
    label: str,
    baseline: Reached,
    learned: Reached,
    table: StudyTable,
    planned: NDArray[np.bool_],
) -> Comparison:
    """Compares learning with one baseline, over the pairs in which both are complete.

    Args:
        name: ``Comparison.baseline``.
        label: The baseline in words.
        baseline: What it reached.
        learned: What learning reached.
        table: The study.
        planned: The pairs that both are to have, ``[setting, seed]``.
    """
    last = paired_differences_pp(learned.test_last, baseline.test_last)
    selected = paired_differences_pp(learned.test_selected, baseline.test_selected)
    pairs = np.isfinite(last)
    effect = mean_interval(last, table.strata)
    return Comparison(
        baseline=name,
        label=label,
        effect=effect,
        effect_selected=mean_interval(selected, table.strata),
        share_ahead=float((last[pairs] > ROUNDING_PP).mean()) if pairs.any() else None,
        accuracy_verdict=accuracy_verdict(effect, table.margin_pp),
        missing_pairs=int((planned & ~pairs).sum()),
    )


def no_data(name: str, label: str) -> Comparison:
    """Returns the comparison with a baseline where one of the two was not run."""
    nothing = crossed_interval(np.full((1, 1), np.nan))
    return Comparison(name, label, nothing, nothing, None, "no data", 0)


def compare_baselines(
    table: StudyTable, grid: Grid | None, costs: Costs, learner: str = "meta"
) -> tuple[Baseline, ...]:
    """Compares what learns with every strategy that ``compare`` leaves out, in the study's order.

    Both families of p-values, of whole strategies and at equal cost, are corrected for the number
    of strategies (Holm).

    Args:
        table: The study.
        grid: Its grid.
        costs: What its strategies cost.
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
            by_then = grid_at_equal_cost(table, grid, costs, learner)
        else:
            by_then = found_at_equal_cost(runs, costs, learner)
        overall.append(paired_differences_pp(learned.test_last, baseline.test_last))
        at_equal_cost.append(paired_differences_pp(learned.test_last, by_then))
    baselines = [
        _baseline(table, Pair(learner, name), reached, whole, by_then)
        for name, whole, by_then in zip(names, overall, at_equal_cost, strict=True)
    ]
    p_values = [mean_p_value(differences, table.strata) for differences in overall]
    equal_cost_p_values = [mean_p_value(differences, table.strata) for differences in at_equal_cost]
    return tuple(
        replace(
            baseline,
            overall=with_costs(baseline.overall, costs, Pair(learner, baseline.strategy)),
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


def found_at_equal_cost(runs: StrategyRuns, costs: Costs, learner: str) -> Matrix:
    """Returns what a strategy had found when it had spent what learning costs, ``[setting, seed]``.

    That is what a learned run of the setting costs; the segment in which it is spent is run to its
    end. Only runs that were done by then count. NaN where there is none, where the strategy is
    incomplete, and where the cost of no learned run is known; a strategy of one run has that run,
    whatever it cost.

    Args:
        runs: The strategy.
        costs: What the study's strategies cost.
        learner: The one whose cost it is.

    Returns:
        Test accuracies at the last epoch, fractions.
    """
    if runs.is_one_run:
        return runs.best("test_acc_last")
    cost = np.where(runs.until_epoch > 0, getattr(runs, costs.currency), 0.0)
    begun = segments_paid_for(cost, costs.by_setting(learner)[:, None])
    return np.where(runs.complete, runs.best_test_of_first(begun), np.nan)


def grid_at_equal_cost(table: StudyTable, grid: Grid, costs: Costs, learner: str) -> Matrix:
    """Returns the expected best of as many temperatures as learning pays for, ``[setting, seed]``.

    As many as a learned run of the setting costs in plain runs, rounded up in the grid's favour.
    NaN where that is unknown.

    Args:
        table: The study.
        grid: Its grid.
        costs: What the study's strategies cost.
        learner: The one whose cost it is.
    """
    found = np.full(table.shape, np.nan)
    for setting in range(len(found)):
        size = equal_cost_grid_size(costs.runs(learner, [setting]), grid.size)
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
    pair: Pair,
    reached: Mapping[str, Reached],
    overall: Matrix,
    at_equal_cost: Matrix,
) -> Baseline:
    baseline, learned = (reached.get(name) for name in (pair.baseline, pair.learner))
    return Baseline(
        strategy=pair.baseline,
        test_pp=_test_pp(table, pair, baseline, learned),
        overall=_overall(table, pair, baseline, learned),
        equal_cost=mean_interval(at_equal_cost, table.strata),
        equal_cost_unready=int((np.isfinite(overall) & np.isnan(at_equal_cost)).sum()),
        is_pilot_only=bool((table.planned(pair.baseline) != table.planned(pair.learner)).any()),
    )


def _overall(
    table: StudyTable, pair: Pair, baseline: Reached | None, learned: Reached | None
) -> Comparison:
    name = pair.baseline
    if baseline is None or learned is None:
        return no_data(name, name)
    return against(name, name, baseline, learned, table, table.planned(pair.learner, name))


def _test_pp(
    table: StudyTable, pair: Pair, baseline: Reached | None, learned: Reached | None
) -> float | None:
    if baseline is None:
        return None
    values = 100 * baseline.test_last
    if learned is not None and pair.baseline in table.stopped:
        values = on_seeds_of(100 * learned.test_last, values)
    return mean_or_none(values)


def mean_or_none(values: Matrix) -> float | None:
    """Returns the mean over settings of the mean over seeds, ``[setting, seed]``, NaN left out."""
    known = np.isfinite(values)
    return mean_over_settings(values, known) if known.any() else None


def main_comparison(baselines: Sequence[Baseline], baseline: str) -> Comparison | None:
    """Returns the comparison with a baseline; None where the study lacks it."""
    return next((each.overall for each in baselines if each.strategy == baseline), None)
