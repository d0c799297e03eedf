"""The study's answer in words, chosen by fixed rules from numbers that are already there."""

from collections.abc import Sequence

from metakd.analysis.comparison import (
    Baseline,
    Comparison,
    Pair,
    against,
    no_data,
    with_costs,
)
from metakd.analysis.costs import Costs, equal_cost_grid_size
from metakd.analysis.deciding import Primary
from metakd.analysis.grid import Grid
from metakd.analysis.questions.analysis import Analysis, Results, difference
from metakd.analysis.reached import best_of_grid, reached_by_strategy
from metakd.analysis.sentences import (
    BADGES,
    Answer,
    Evidence,
    Verdict,
    comparisons_sentence,
    cost_badge,
    cost_clause,
    effect_sentence,
    exception_sentence,
    headline_of,
    missing_sentence,
    no_answer,
    scores_sentence,
)
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import at_start, counted, listed, runs_charged
from metakd.strategies import label_of

SHOWN_NAMES = 4


class GridVsMeta(Analysis):
    """The learned temperature against the full grid, or else against the default temperature."""

    def primary(self, results: Results) -> Primary:
        """Returns learning minus the grid, or minus the default where there is no grid."""
        pair = results.pair
        if pair.baseline not in results.reached:
            pair = Pair(pair.learner, "fixed")
        return difference(results, pair)

    def verdict(self, evidence: Evidence, answer: Answer | None = None) -> Verdict:
        """Words what the study found."""
        by_baseline = {comparison.baseline: comparison for comparison in evidence.comparisons}
        for name, baseline in (
            ("full_grid", f"the grid of {counted(len(evidence.temperatures), 'temperature')}"),
            ("no_search", f"the default τ = {evidence.fixed_tau:g}"),
        ):
            if by_baseline[name].accuracy_verdict != "no data":
                return _answer(evidence, by_baseline[name], baseline)
        return _no_answer(evidence)


def _answer(evidence: Evidence, main: Comparison, baseline: str) -> Verdict:
    cost, factor = main.cost_verdict, main.cost_factor
    margin = f"{evidence.margin_pp:.2f} points"
    learner = "learning the temperature"
    headline = headline_of(main.accuracy_verdict, learner, baseline, evidence.margin_pp)
    if len(evidence.settings) == 1:
        headline += " in the one setting studied"
    sentences = [
        effect_sentence(main, baseline, margin),
        _cost_sentence(evidence, main, baseline),
        comparisons_sentence([c for c in evidence.comparisons if c is not main], "Learning"),
        _baselines_sentence(evidence.baselines),
        exception_sentence(evidence.settings, main) if main.baseline == "full_grid" else None,
        missing_sentence(evidence.inventory, main.missing_pairs),
    ]
    return Verdict(
        badge=BADGES[main.accuracy_verdict] + cost_badge(cost, factor),
        headline=headline + cost_clause(cost, factor) + ".",
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _cost_sentence(evidence: Evidence, main: Comparison, baseline: str) -> str | None:
    if main.baseline_runs is None or main.learned_runs is None:
        return None
    side_by_side = (
        "; its runs can go side by side, a learned run cannot be split"
        if main.baseline == "full_grid"
        else ""
    )
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    return (
        f"{at_start(baseline)} costs {runs_charged(main.baseline_runs)} plain runs, learning "
        f"{runs_charged(main.learned_runs)}{charged}{side_by_side}."
    )


def _baselines_sentence(baselines: Sequence[Baseline]) -> str | None:
    """Says which strategies learning clearly beats or loses to for the same compute."""
    judged = [baseline for baseline in baselines if baseline.equal_cost_p_holm is not None]
    if {baseline.strategy for baseline in judged} <= {"ce"}:
        return None
    corrected = f"corrected for looking at {counted(len(judged), 'strategy', 'strategies')} (Holm)"
    words = {"ahead": "ahead of", "behind": "behind"}
    names = {claim: [r.strategy for r in judged if r.equal_cost_claim == claim] for claim in words}
    found = [f"{words[claim]} {_few(names[claim])}" for claim in words if names[claim]]
    if not found:
        return f"At equal cost no other strategy is clearly ahead or behind, {corrected}."
    return f"At equal cost learning is clearly {listed(found)}, {corrected}."


def _few(strategies: Sequence[str]) -> str:
    """Returns the first few names, and how many more there are."""
    names = [label_of(name) for name in strategies]
    more = len(names) - SHOWN_NAMES
    return listed(names if more < 2 else [*names[:SHOWN_NAMES], f"{more} more"])


def _no_answer(evidence: Evidence) -> Verdict:
    ran = set(evidence.strategies)
    if "meta" not in ran:
        badge = "Nothing learned"
        headline = "This study ran no learned temperature, so it compares none."
    elif not ran & {"grid", "fixed"}:
        badge = "Nothing to compare"
        headline = "This study ran learned temperatures and nothing to compare them with."
        if ran - {"ce", "meta"}:
            badge = "Neither grid nor default"
            headline = "This study ran no grid and no default temperature to compare learning with."
    else:
        badge = "No complete pair"
        headline = "No pair of a learned and a baseline run is complete yet."
    return no_answer(
        evidence,
        badge,
        headline,
        scores_sentence(evidence.strategies, evidence.settings),
        _baselines_sentence(evidence.baselines),
    )


def compare(table: StudyTable, grid: Grid | None, costs: Costs) -> tuple[Comparison, ...]:
    """Compares learning with the full grid, a grid of equal cost, and the default temperature."""
    reached = reached_by_strategy(table, grid)
    learned = reached.get("meta")
    size = None if grid is None else equal_cost_grid_size(costs.runs("meta"), grid.size)
    all_of_it = counted(len(table.temperatures), "temperature")
    baselines = [
        ("full_grid", f"Full grid ({all_of_it})", "grid", reached.get("grid"), 1.0),
        (
            "equal_cost_grid",
            f"Grid of equal cost ({size} of {all_of_it})" if size else "Grid of equal cost",
            "grid",
            best_of_grid(grid, size) if grid and size else None,
            size / grid.size if grid and size else 1.0,
        ),
        ("no_search", f"No search (τ = {table.fixed_tau:g})", "fixed", reached.get("fixed"), 1.0),
    ]
    return tuple(
        with_costs(
            against(name, label, baseline, learned, table, table.planned("meta", strategy)),
            costs,
            Pair("meta", strategy),
            share,
        )
        if baseline and learned
        else no_data(name, label)
        for name, label, strategy, baseline, share in baselines
    )


GRID_VS_META = GridVsMeta()
