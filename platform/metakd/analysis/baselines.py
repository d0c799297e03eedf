"""What learns against every other strategy, as a whole and at equal cost."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.comparison import against, no_data, paired_differences_pp
from metakd.analysis.cost import (
    ROUNDING,
    cost_in_plain_runs,
    equal_cost_grid_size,
    mean_over_settings,
    median,
)
from metakd.analysis.grid import Grid
from metakd.analysis.reached import Reached, reached_by_strategy
from metakd.analysis.rows import COSTS, Matrix
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.strata import mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.summary import Baseline, Comparison
from metakd.analysis.table import StudyTable

# With the learned temperature two of the strategies that a plan knows are compared elsewhere.
COMPARED_ELSEWHERE = {"meta": ("fixed", "grid")}


def compare_baselines(
    table: StudyTable, grid: Grid | None, learner: str = "meta"
) -> tuple[Baseline, ...]:
    """Compares what learns with every strategy that ``compare`` leaves out, in the study's order.

    Both families of p-values, of whole searches and at equal cost, are corrected for the number of
    strategies (Holm).

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
    """Returns what a search had found when it had spent what learning costs, ``[setting, seed]``.

    That is what the median learned run of the setting costs, failed ones shared, in the currency
    that leaves the search more segments; the one in which it is spent is run to its end. Only runs
    that were done by then count. NaN where there is none, where the search is incomplete, and where
    no learned run says what it costs; a strategy of one run has that run, whatever it cost.

    Args:
        learned: What learning reached, and cost.
        runs: The search.

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
    """Returns how many segments a search begins before a budget is spent; 0 where it is unknown.

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
