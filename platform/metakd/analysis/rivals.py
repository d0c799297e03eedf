"""What learns against every other strategy, as a whole and at equal cost."""

from dataclasses import replace

import numpy as np

from metakd.analysis.arms import Arm
from metakd.analysis.claims import claim, holm, mean_p_value
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
from metakd.analysis.strata import mean_interval
from metakd.analysis.summary import Comparison, Rival
from metakd.analysis.table import COSTS, Matrix, StudyTable

# With the learned temperature two of the strategies that a plan knows are compared elsewhere.
COMPARED_ELSEWHERE = {"meta": ("fixed", "grid")}


def compare_rivals(
    table: StudyTable, grid: Grid | None, protagonist: str = "meta"
) -> tuple[Rival, ...]:
    """Compares what learns with every strategy that ``compare`` leaves out, in the study's order.

    Both families of p-values, of whole searches and at equal cost, are corrected for the number of
    strategies (Holm).

    Args:
        table: The study.
        grid: Its grid.
        protagonist: The strategy whose differences they are.
    """
    reached = reached_by_strategy(table, grid)
    learned = reached.get(protagonist)
    arms = {arm.strategy: arm for arm in table.arms}
    left_out = {protagonist, *COMPARED_ELSEWHERE.get(protagonist, ())}
    names = [name for name in table.strategies if name not in left_out]
    overall, at_equal_cost = [], []
    for name in names:
        rival = reached.get(name)
        if learned is None or rival is None:
            overall.append(np.full(table.shape, np.nan))
            at_equal_cost.append(np.full(table.shape, np.nan))
            continue
        if name in arms:
            by_then = found_at_equal_cost(learned, arms[name])
        elif name == "grid" and grid is not None:
            by_then = grid_at_equal_cost(table, grid, learned)
        else:
            # A strategy of one run has that run, whatever it cost.
            by_then = rival.test_last
        overall.append(paired_differences_pp(learned.test_last, rival.test_last))
        at_equal_cost.append(paired_differences_pp(learned.test_last, by_then))
    rivals = [
        _rival(table, name, reached.get(name), learned, whole, by_then)
        for name, whole, by_then in zip(names, overall, at_equal_cost, strict=True)
    ]
    p_values = [mean_p_value(differences, table.strata) for differences in overall]
    equal_cost_p_values = [mean_p_value(differences, table.strata) for differences in at_equal_cost]
    return tuple(
        replace(
            rival,
            p_value=p_value,
            p_holm=p_holm,
            claim=claim(rival.overall.effect.mean_pp, p_holm),
            equal_cost_p_holm=equal_cost_p_holm,
            equal_cost_claim=claim(rival.equal_cost.mean_pp, equal_cost_p_holm),
        )
        for rival, p_value, p_holm, equal_cost_p_holm in zip(
            rivals, p_values, holm(p_values), holm(equal_cost_p_values), strict=True
        )
    )


def found_at_equal_cost(learned: Reached, arm: Arm) -> Matrix:
    """Returns what a search had found when it had spent what learning costs, ``[setting, seed]``.

    That is what the median learned run of the setting costs, failed ones shared, in the currency
    that leaves the search more legs; the leg in which it is spent is run to its end. Only runs that
    were done by then count. NaN where there is none, where the search is incomplete, and where no
    learned run says what it costs.

    Args:
        learned: What learning reached, and cost.
        arm: The search.

    Returns:
        Test accuracies at the last epoch, fractions.
    """
    found = np.full(arm.complete.shape, np.nan)
    budgets = {name: [median(costs) for costs in getattr(learned, name)] for name in COSTS}
    for cell in arm.cells():
        legs = [legs_paid_for(arm.costs(cell, name), budgets[name][cell[0]]) for name in COSTS]
        by_then = arm.found(cell, max(legs)) if max(legs) else None
        if by_then is not None:
            found[cell] = by_then["test_acc_last"]
    return found


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


def legs_paid_for(costs: Matrix, budget: float) -> int:
    """Returns how many legs a search begins before a budget is spent; 0 where that is unknown.

    Args:
        costs: Of each leg, in order (legs,).
        budget: In the same currency.
    """
    if not (np.isfinite(costs).all() and np.isfinite(budget)):
        return 0
    spent_before = np.cumsum(costs) - costs
    return int((spent_before < budget * (1 - ROUNDING)).sum())


def _rival(
    table: StudyTable,
    name: str,
    rival: Reached | None,
    learned: Reached | None,
    overall: Matrix,
    at_equal_cost: Matrix,
) -> Rival:
    return Rival(
        strategy=name,
        test_pp=mean_or_none(100 * rival.test_last) if rival else None,
        runs_charged=runs_charged(table, rival),
        overall=_overall(table, name, rival, learned),
        equal_cost=mean_interval(at_equal_cost, table.strata),
        equal_cost_unready=int((np.isfinite(overall) & np.isnan(at_equal_cost)).sum()),
    )


def _overall(
    table: StudyTable, name: str, rival: Reached | None, learned: Reached | None
) -> Comparison:
    if rival is None or learned is None:
        return no_data(name, name)
    return against(name, name, rival, learned, table)


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
