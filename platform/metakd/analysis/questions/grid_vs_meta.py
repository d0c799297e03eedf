"""The study's answer in words, chosen by fixed rules from numbers that are already there."""

from collections.abc import Sequence

from metakd.analysis.sentences import (
    BADGES,
    Evidence,
    comparisons_sentence,
    cost_badge,
    cost_clause,
    effect_sentence,
    exception_sentence,
    missing_sentence,
    progress,
    scores_sentence,
)
from metakd.analysis.summary import Baseline, Comparison, Verdict
from metakd.analysis.wording import at_start, counted, listed, times
from metakd.strategies import label_of

HEADLINES = {
    "better": "Learning the temperature beats {baseline} by more than {margin}",
    "slightly better": "Learning the temperature is ahead of {baseline}, maybe by less than {margin}",
    "equivalent": "Learning the temperature equals {baseline} within ±{margin}",
    "not worse": "Learning the temperature is not worse than {baseline} by more than {margin}",
    "undecided": "These runs leave open whether learning matches {baseline}",
    "slightly worse": "Learning the temperature is behind {baseline}, maybe by less than {margin}",
    "worse": "Learning the temperature loses to {baseline} by more than {margin}",
}
SHOWN_NAMES = 4


def make_verdict(evidence: Evidence) -> Verdict:
    """Words the study's answer: against the full grid, or else against the default temperature."""
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
    headline = HEADLINES[main.accuracy_verdict].format(baseline=baseline, margin=margin)
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
    ratios = {
        "the student steps": main.cost_ratio_steps,
        "the measured seconds": main.cost_ratio_seconds,
    }
    known = [f"{times(ratio)} {what}" for what, ratio in ratios.items() if ratio is not None]
    if not known:
        return None
    runs = (
        "; its runs can go side by side, a learned run cannot be split"
        if main.baseline == "full_grid"
        else ""
    )
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    takes = f"{at_start(baseline)} takes {listed(known)} of the learned run"
    return f"{takes}{charged}{runs}."


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
    sentences = [
        scores_sentence(evidence.strategies, evidence.settings),
        _baselines_sentence(evidence.baselines),
        f"{progress(evidence.inventory)}.",
    ]
    return Verdict(badge, headline, tuple(sentence for sentence in sentences if sentence))
