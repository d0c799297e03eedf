"""The answer of a study of transfer in words, chosen by fixed rules from numbers already there."""

from metakd.analysis.answers import Moves, Reuse
from metakd.analysis.reuse import FACTOR_WORDS
from metakd.analysis.summary import Verdict
from metakd.analysis.verdict import (
    Evidence,
    comparisons_sentence,
)
from metakd.analysis.verdict_gap import interval_words
from metakd.analysis.verdict_sentences import BADGES, missing_sentence, progress
from metakd.analysis.wording import counted, signed_pp

REUSED = "reusing one tuned elsewhere"
LEARNED_HEADLINES = {
    "better": f"Learning the temperature beats {REUSED} by more than {{margin}}",
    "slightly better": f"Learning the temperature is ahead of {REUSED}, maybe by less than "
    "{margin}",
    "equivalent": f"Learning the temperature equals {REUSED} within ±{{margin}}",
    "not worse": f"Learning the temperature is not worse than {REUSED} by more than {{margin}}",
    "undecided": f"These runs leave open whether learning the temperature matches {REUSED}",
    "slightly worse": f"Learning the temperature is behind {REUSED}, maybe by less than {{margin}}",
    "worse": f"Learning the temperature loses to {REUSED} by more than {{margin}}",
}
# By the verdict on tuning in the target minus reusing.
REUSE_HEADLINES = {
    "better": "Reusing a temperature tuned elsewhere loses more than {margin} to tuning again",
    "slightly better": "Reusing a temperature tuned elsewhere is behind tuning again, maybe by "
    "less than {margin}",
    "equivalent": "Reusing a temperature tuned elsewhere equals tuning again within ±{margin}",
    "not worse": "Reusing a temperature tuned elsewhere is not ahead of tuning again by more than "
    "{margin}",
    "undecided": "These runs leave open whether reusing a temperature matches tuning again",
    "slightly worse": "Reusing a temperature tuned elsewhere is ahead of tuning again, maybe by "
    "less than {margin}",
    "worse": "Reusing a temperature tuned elsewhere beats tuning again by more than {margin}",
    "no data": "These runs cannot compare reusing a temperature with tuning again",
}
REUSE_BADGES = {
    "better": "reuse loses",
    "slightly better": "reuse loses a little",
    "equivalent": "reuse costs nothing",
    "not worse": "reuse not ahead",
    "undecided": "reuse undecided",
    "slightly worse": "reuse a little ahead",
    "worse": "reuse ahead",
    "no data": "reuse undecided",
}


def reuse_verdict(evidence: Evidence, reuse: Reuse | None) -> Verdict:
    """Words what temperatures tuned elsewhere cost.

    Args:
        evidence: The study.
        reuse: Its numbers; None where there are none.
    """
    if reuse is None:
        return _no_answer(evidence)
    overall = reuse.moves[0]
    margin = f"{evidence.margin_pp:.2f} points"
    learned, reused = overall.learned_verdict, overall.regret_verdict
    if learned == "no data":
        headline, badge = REUSE_HEADLINES[reused].format(margin=margin), REUSE_BADGES[reused]
        badge = badge[0].upper() + badge[1:]
    else:
        headline = LEARNED_HEADLINES[learned].format(margin=margin)
        badge = f"{BADGES[learned]}; {REUSE_BADGES[reused]}"
    sentences = [
        _learned_sentence(overall, margin),
        _regret_sentence(overall),
        _factors_sentence(reuse),
        _default_sentence(evidence, overall),
        cost_sentence(reuse, evidence.learned_runs),
        comparisons_sentence(evidence.comparisons),
        missing_sentence(evidence.inventory),
    ]
    return Verdict(badge, f"{headline}.", tuple(sentence for sentence in sentences if sentence))


def cost_sentence(reuse: Reuse, learned_runs: float | None) -> str:
    """Says what each way costs where the temperature is used."""
    learned = "" if learned_runs is None else f", learning there {learned_runs:.2g}"
    return (
        "Where it is used, a temperature from elsewhere costs 1 run, or "
        f"{reuse.reusing_runs} with its tuning; tuning there costs {reuse.tuning_runs}{learned}."
    )


def _learned_sentence(overall: Moves, margin: str) -> str | None:
    if overall.learned.mean_pp is None:
        return None
    ahead = (
        ""
        if overall.share_ahead is None
        else f"; learning is ahead in {100 * overall.share_ahead:.0f} % of "
        f"{counted(overall.moves, 'move')}"
    )
    effect = interval_words(
        overall.learned,
        overall.learned.method.removeprefix("no interval: "),
        f"margin ±{margin}",
    )
    return f"On test, learned where it is used minus tuned elsewhere is {effect}{ahead}."


def _regret_sentence(overall: Moves) -> str:
    changed = (
        f"source and target choose different temperatures in {overall.changed} of "
        f"{counted(overall.moves, 'move')}"
    )
    worst = (
        f"; the worst is from {overall.worst_source} to {overall.worst_target}, "
        f"{signed_pp(-overall.worst_pp)}"
        if overall.worst_pp > 0
        else ""
    )
    if overall.regret.mean_pp is None:
        return f"Tuning again cannot be compared ({overall.regret.method}); {changed}{worst}."
    return (
        f"Tuned where it is used minus tuned elsewhere is {interval_words(overall.regret)}: "
        f"{changed}{worst}."
    )


def _factors_sentence(reuse: Reuse) -> str | None:
    parts = []
    for moves in reuse.moves[1:]:
        effects = [
            f"{signed_pp(effect.mean_pp)} {'' if claim == 'no clear gap' else '* '}{what}"
            for effect, what, claim in (
                (moves.regret, "by tuning", moves.regret_claim),
                (moves.learned, "by learning", moves.learned_claim),
            )
            if effect.mean_pp is not None
        ]
        if effects:
            parts.append(f"{FACTOR_WORDS[moves.along]} {' and '.join(effects)}")
    if not parts:
        return None
    many = parts[1:]
    corrected = f"after correction for {len(parts)} factors (Holm)" if many else ""
    held = f" (* holds{' ' if many else ''}{corrected})" if "*" in "".join(parts) else ""
    return f"Gained where source and target differ in one factor alone: {'; '.join(parts)}{held}."


def _default_sentence(evidence: Evidence, overall: Moves) -> str | None:
    if overall.default.mean_pp is None:
        return None
    return (
        f"No search at all, τ = {evidence.fixed_tau:g}, minus tuned elsewhere is "
        f"{interval_words(overall.default)}."
    )


def _no_answer(evidence: Evidence) -> Verdict:
    if "grid" not in evidence.strategies:
        badge, headline = "Nothing tuned", "This study ran no grid, so it has nothing to transfer."
    elif len(evidence.settings) < 2:
        badge = "One setting only"
        headline = "This study has one setting, so no temperature can move to another."
    else:
        badge = "Nothing to move yet"
        headline = "Fewer than two settings have a complete grid, so no temperature can move yet."
    return Verdict(badge, headline, (f"{progress(evidence.inventory)}.",))
