"""The study's answer in words, chosen by fixed rules from numbers that are already there."""

from collections.abc import Sequence
from dataclasses import dataclass

from metakd.analysis.intervals import MIN_PAIRS
from metakd.analysis.rows import PLANNED_STRATEGIES
from metakd.analysis.summary import Comparison, Inventory, Rival, SettingResult, Verdict
from metakd.analysis.wording import counted, listed, p_words, signed_pp, times

BADGES = {
    "better": "Better",
    "slightly better": "Slightly better",
    "equivalent": "Equal",
    "not worse": "Not worse",
    "undecided": "Undecided",
    "slightly worse": "Slightly worse",
    "worse": "Worse",
}
HEADLINES = {
    "better": "Learning the temperature beats {rival} by more than {margin}",
    "slightly better": "Learning the temperature is ahead of {rival}, maybe by less than {margin}",
    "equivalent": "Learning the temperature equals {rival} within ±{margin}",
    "not worse": "Learning the temperature is not worse than {rival} by more than {margin}",
    "undecided": "These runs leave open whether learning matches {rival}",
    "slightly worse": "Learning the temperature is behind {rival}, maybe by less than {margin}",
    "worse": "Learning the temperature loses to {rival} by more than {margin}",
}
# What a setting's claim has to be to stand out against the study's verdict.
EXCEPTIONS = {
    "better": ("behind",),
    "slightly better": ("behind",),
    "equivalent": ("ahead", "behind"),
    "not worse": ("behind",),
    "undecided": ("ahead", "behind"),
    "slightly worse": ("ahead",),
    "worse": ("ahead",),
}
ARTICLES = {"full_grid": "the ", "equal_cost_grid": "a ", "no_search": ""}
SHOWN_NAMES = 4
STRATEGY_NAMES = {
    "ce": "no teacher",
    "fixed": "the default temperature",
    "grid": "the grid",
    "meta": "the learned temperature",
}


@dataclass(frozen=True)
class Evidence:
    """What a verdict is made from; fields as in :class:`~metakd.analysis.summary.Summary`."""

    strategies: tuple[str, ...]
    temperatures: tuple[float, ...]
    fixed_tau: float
    margin_pp: float
    comparisons: tuple[Comparison, ...]
    settings: tuple[SettingResult, ...]
    inventory: Inventory
    rivals: tuple[Rival, ...] = ()


def make_verdict(evidence: Evidence) -> Verdict:
    """Words the study's answer: against the full grid, or else against the default temperature."""
    by_rival = {comparison.rival: comparison for comparison in evidence.comparisons}
    for name, rival in (
        ("full_grid", f"the grid of {counted(len(evidence.temperatures), 'temperature')}"),
        ("no_search", f"the default τ = {evidence.fixed_tau:g}"),
    ):
        if by_rival[name].accuracy_verdict != "no data":
            return _answer(evidence, by_rival[name], rival)
    return _no_answer(evidence)


def _answer(evidence: Evidence, main: Comparison, rival: str) -> Verdict:
    cost, factor = main.cost_verdict, main.cost_factor
    margin = f"{evidence.margin_pp:.2f} points"
    headline = HEADLINES[main.accuracy_verdict].format(rival=rival, margin=margin)
    if len(evidence.settings) == 1:
        headline += " in the one setting studied"
    sentences = [
        _effect_sentence(main, rival, margin),
        _cost_sentence(evidence, main, rival),
        comparisons_sentence([c for c in evidence.comparisons if c is not main], "Learning"),
        _rivals_sentence(evidence.rivals),
        _exception_sentence(evidence, main) if main.rival == "full_grid" else None,
        missing_sentence(evidence.inventory, main.missing_pairs),
    ]
    return Verdict(
        badge=BADGES[main.accuracy_verdict] + _cost_badge(cost, factor),
        headline=headline + _cost_clause(cost, factor) + ".",
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _cost_badge(cost: str, factor: float) -> str:
    if cost in ("cheaper", "dearer"):
        return f", {times(factor)} {cost}"
    return ", same cost" if cost == "same" else ""


def _cost_clause(cost: str, factor: float) -> str:
    match cost:
        case "cheaper":
            return f"; it costs {100 / factor:.0f} % as much"
        case "dearer":
            return f"; it costs {times(factor)} as much"
        case "same":
            return "; it costs about the same"
        case _:
            return ""


def _effect_sentence(main: Comparison, rival: str, margin: str) -> str:
    effect, selected = main.effect, main.effect_selected
    assert effect.mean_pp is not None  # "no data" has no answer
    if effect.low_pp is None or effect.high_pp is None:
        interval = effect.method
    else:
        interval = (
            f"95 % interval {signed_pp(effect.low_pp)} to {signed_pp(effect.high_pp)}, "
            f"{effect.method}"
        )
    # A share of one or two pairs says no more than their mean.
    ahead = (
        ""
        if main.share_ahead is None or effect.pairs < MIN_PAIRS
        else f"; learning is ahead in {100 * main.share_ahead:.0f} % of pairs"
    )
    at_selected = (
        ""
        if selected.mean_pp is None
        else f"; at the epoch that validation selects {signed_pp(selected.mean_pp)}"
    )
    return (
        f"On test, learned minus {rival} is {signed_pp(effect.mean_pp)} points ({interval}; "
        f"margin ±{margin}){ahead}{at_selected}."
    )


def _cost_sentence(evidence: Evidence, main: Comparison, rival: str) -> str | None:
    ratios = {
        "the student steps": main.cost_ratio_steps,
        "the measured seconds": main.cost_ratio_seconds,
    }
    known = [f"{times(ratio)} {what}" for what, ratio in ratios.items() if ratio is not None]
    if not known:
        return None
    runs = (
        "; its runs can go side by side, a learned run cannot be split"
        if main.rival == "full_grid"
        else ""
    )
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    takes = f"{rival[0].upper()}{rival[1:]} takes {listed(known)} of the learned run"
    return f"{takes}{charged}{runs}."


def _rivals_sentence(rivals: Sequence[Rival]) -> str | None:
    """Says which strategies learning clearly beats or loses to for the same compute."""
    judged = [rival for rival in rivals if rival.equal_cost_p_holm is not None]
    if all(rival.strategy in PLANNED_STRATEGIES for rival in judged):
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
    names = [STRATEGY_NAMES.get(name, name) for name in strategies]
    more = len(names) - SHOWN_NAMES
    return listed(names if more < 2 else [*names[:SHOWN_NAMES], f"{more} more"])


def _exception_sentence(evidence: Evidence, main: Comparison) -> str | None:
    judged = [s for s in evidence.settings if s.p_holm is not None]
    if len(evidence.settings) < 2 or not judged:
        return None
    exceptions = EXCEPTIONS[main.accuracy_verdict]
    corrected = f"corrected for looking at {counted(len(judged), 'setting')} (Holm)"
    standing_out = [s for s in judged if s.claim in exceptions]
    if not standing_out:
        shows = f"clearly {exceptions[0]}" if len(exceptions) == 1 else "clearly ahead or behind"
        return f"No single setting is {shows}, {corrected}."
    clearest = min(
        standing_out, key=lambda s: (s.p_holm or 0.0, -abs(s.versus_grid.mean_pp or 0.0))
    )
    which = f"clearest of {len(standing_out)} exceptions" if standing_out[1:] else "only exception"
    return (
        f"The {which} is {clearest.key}, where learning is "
        f"{abs(clearest.versus_grid.mean_pp or 0.0):.2f} points {clearest.claim} "
        f"({p_words(clearest.p_holm or 0.0)}, {corrected})."
    )


def comparisons_sentence(
    comparisons: Sequence[Comparison], learning: str = "Over all settings learning"
) -> str | None:
    """Says how learning compares with rivals; None where no pair is there."""
    parts = [
        f"{signed_pp(each.effect.mean_pp)} ({each.accuracy_verdict}) against "
        f"{ARTICLES[each.rival]}{each.label[0].lower()}{each.label[1:]}"
        for each in comparisons
        if each.effect.mean_pp is not None
    ]
    return f"{learning} is {listed(parts)}." if parts else None


def missing_sentence(inventory: Inventory, missing_pairs: int | None = None) -> str | None:
    """Says how many pairs are missing, and how far the study is; None where nothing is missing.

    Args:
        inventory: What was planned and what there is.
        missing_pairs: Those of a comparison; None for those in which any strategy is missing.
    """
    if missing_pairs is None:
        missing_pairs = inventory.planned_pairs - inventory.complete_pairs
    if missing_pairs:
        of_all = f"{missing_pairs} of {inventory.planned_pairs}"
        return f"Missing pairs: {of_all}. {progress(inventory)}."
    is_all = not inventory.failed and inventory.ended_searches == inventory.searches
    return None if is_all else f"{progress(inventory)}."


def progress(inventory: Inventory) -> str:
    """Returns "Finished: 3 of 4 planned trials, 1 failed"."""
    failed = f", {inventory.failed} failed" if inventory.failed else ""
    searches = (
        f", and {inventory.ended_searches} of {counted(inventory.searches, 'search', 'searches')}"
        if inventory.ended_searches < inventory.searches
        else ""
    )
    return f"Finished: {inventory.finished} of {inventory.planned} planned trials{failed}{searches}"


def _no_answer(evidence: Evidence) -> Verdict:
    ran = set(evidence.strategies)
    if "meta" not in ran:
        badge = "Nothing learned"
        headline = "This study ran no learned temperature, so it compares none."
    elif not ran & {"grid", "fixed"}:
        badge = "Nothing to compare"
        headline = "This study ran learned temperatures and nothing to compare them with."
        if ran.difference(PLANNED_STRATEGIES):
            badge = "Neither grid nor default"
            headline = "This study ran no grid and no default temperature to compare learning with."
    else:
        badge = "No complete pair"
        headline = "No pair of a learned and a rival run is complete yet."
    sentences = [
        _scores_sentence(evidence),
        _rivals_sentence(evidence.rivals),
        f"{progress(evidence.inventory)}.",
    ]
    return Verdict(badge, headline, tuple(sentence for sentence in sentences if sentence))


def _scores_sentence(evidence: Evidence) -> str | None:
    parts = []
    for strategy in evidence.strategies:
        means = [
            score.test_pp
            for setting in evidence.settings
            for score in setting.scores
            if score.strategy == strategy
        ]
        if means:
            where = counted(len(means), "setting")
            parts.append(f"{STRATEGY_NAMES.get(strategy, strategy)} {_mean(means):.2f} % ({where})")
    return f"Mean test accuracy: {listed(parts)}." if parts else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
