"""The answer of a study of several teachers in words, chosen by fixed rules from its numbers."""

from collections.abc import Sequence

from metakd.analysis.contest import LEARNERS_OF_TEACHERS, SINGLE
from metakd.analysis.ensemble_answers import Ensemble, Part
from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Comparison, Rival, Verdict
from metakd.analysis.verdict import Evidence
from metakd.analysis.verdict_sentences import (
    BADGES,
    Protagonist,
    cost_badge,
    cost_clause,
    effect_sentence,
    exception_sentence,
    missing_sentence,
    progress,
    scores_sentence,
)
from metakd.analysis.wording import counted, listed, signed_pp, times

NO_DIFFERENCE = "No difference shown"
HEADLINES = {
    "better": "{learner} beats {rival} by more than {margin}",
    "slightly better": "{learner} is ahead of {rival}, maybe by less than {margin}",
    "equivalent": "{learner} equals {rival} within ±{margin}",
    "not worse": "{learner} is not worse than {rival} by more than {margin}, and not shown to be "
    "better",
    "undecided": "These runs show no difference between {learner} and {rival}",
    "slightly worse": "{learner} is behind {rival}, maybe by less than {margin}",
    "worse": "{learner} loses to {rival} by more than {margin}",
}
WITHOUT_INTERVAL = "Too few runs to tell {learner} from {rival}"
PARTS = {
    "weights": "learned weights",
    "features": "features",
    "temperatures": "learned temperatures",
}
# In which company a part was looked at, by the strategy that lacks it.
COMPANY = {
    ("weights", "mean_features"): "with features",
    ("weights", "mean_losses"): "without features",
    ("features", "mmkd-logits"): "at learned weights",
    ("features", "mean_losses"): "at equal weights",
    ("temperatures", "mean_losses"): "at equal weights",
    ("temperatures", "mmkd"): "at learned weights",
}
SHOWN_NAMES = 4
EFFECTS = {"ahead": "help", "behind": "harm"}


def teachers_verdict(evidence: Evidence, ensemble: Ensemble) -> Verdict:
    """Words what learning does against counting all teachers alike.

    Args:
        evidence: The study.
        ensemble: What it answers beside its comparisons.
    """
    main = main_comparison(evidence.rivals, evidence.contest.main_rival)
    if main is None or main.effect.mean_pp is None:
        return _no_answer(evidence)
    learner, rival = strategy_name(evidence.contest.protagonist), strategy_name(main.rival)
    margin = f"{evidence.margin_pp:.2f} points"
    headline, badge = HEADLINES[main.accuracy_verdict], BADGES[main.accuracy_verdict]
    if main.effect.low_pp is None:
        headline = WITHOUT_INTERVAL
    elif main.accuracy_verdict == "undecided":
        badge = NO_DIFFERENCE
    headline = at_start(headline.format(learner=learner, rival=rival, margin=margin))
    if len(evidence.settings) == 1:
        headline += " in the one setting studied"
    protagonist = Protagonist(learner, learner)
    sentences = [
        effect_sentence(main, rival, margin, protagonist),
        _cost_sentence(evidence, ensemble, main),
        _others_sentence(evidence.rivals, main, learner),
        _parts_sentence(ensemble.parts),
        exception_sentence(evidence.settings, main, protagonist),
        missing_sentence(evidence.inventory, main.missing_pairs),
    ]
    return Verdict(
        badge=badge + cost_badge(main.cost_verdict, main.cost_factor),
        headline=headline + cost_clause(main.cost_verdict, main.cost_factor) + ".",
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def main_comparison(rivals: Sequence[Rival], main_rival: str) -> Comparison | None:
    """Returns the comparison that the verdict is about; None where the study lacks that rival."""
    return next((rival.overall for rival in rivals if rival.strategy == main_rival), None)


def _cost_sentence(evidence: Evidence, ensemble: Ensemble, main: Comparison) -> str | None:
    ratios = {
        "the student steps": main.cost_ratio_steps,
        "the measured seconds": main.cost_ratio_seconds,
    }
    known = [f"{times(1 / ratio)} {what}" for what, ratio in ratios.items() if ratio]
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    takes = f"takes {listed(known)} of {strategy_name(main.rival)}{charged}" if known else ""
    runs = {strategy_name(evidence.contest.protagonist): ensemble.runs_charged}
    runs |= {
        strategy_name(rival.strategy): rival.runs_charged
        for rival in evidence.rivals
        if rival.strategy in (SINGLE, main.rival)
    }
    counted_runs = [f"{name} {cost:.2g}" for name, cost in runs.items() if cost is not None]
    in_runs = f"in plain runs: {', '.join(counted_runs)}" if counted_runs else ""
    if not takes:
        return f"{at_start(in_runs)}." if in_runs else None
    learner = at_start(strategy_name(evidence.contest.protagonist))
    return f"{learner} {'; '.join(filter(None, [takes, in_runs]))}."


def _others_sentence(rivals: Sequence[Rival], main: Comparison, learner: str) -> str | None:
    """Says which other strategies are clearly behind or ahead, and of which nothing is shown."""
    judged = [rival for rival in rivals if rival.p_holm is not None]
    others = [rival for rival in judged if rival.strategy != main.rival]
    if not others:
        return None
    words = {"ahead": "ahead of", "behind": "behind"}
    found = [
        f"{word} {_few(names)}"
        for claim, word in words.items()
        if (names := [rival for rival in others if rival.claim == claim])
    ]
    open_ = [rival for rival in others if rival.claim == "no clear gap"]
    corrected = f"corrected for looking at {counted(len(judged), 'strategy', 'strategies')} (Holm)"
    if not found:
        return f"No difference is shown from {_few(open_)}, {corrected}."
    rest = f"; no difference is shown from {_few(open_)}" if open_ else ""
    return f"{at_start(learner)} is clearly {listed(found)}, {corrected}{rest}."


def _few(rivals: Sequence[Rival]) -> str:
    """Returns the first few with their differences, and how many more there are."""
    told = [
        f"{strategy_name(rival.strategy)} ({signed_pp(rival.overall.effect.mean_pp or 0.0)})"
        for rival in rivals
    ]
    more = len(told) - SHOWN_NAMES
    return listed(told if more < 2 else [*told[:SHOWN_NAMES], f"{more} more"])


def _parts_sentence(parts: Sequence[Part]) -> str | None:
    """Says which parts of the method are shown to help or to harm, each in its company."""
    judged = [part for part in parts if part.p_holm is not None]
    if not judged:
        return None
    told = []
    for name, words in PARTS.items():
        here = [part for part in judged if part.part == name]
        for claim, verb in EFFECTS.items():
            shown = [_effect(part) for part in here if part.claim == claim]
            told += [f"{words} {verb} ({listed(shown)})"] if shown else []
        if here and all(part.claim == "no clear gap" for part in here):
            told.append(
                f"{words} are not shown to do anything ({listed([_effect(p) for p in here])})"
            )
    corrected = f", corrected for {len(judged)} differences (Holm)" if judged[1:] else ""
    return f"By parts, all else alike: {'; '.join(told)}{corrected}."


def _effect(part: Part) -> str:
    return f"{signed_pp(part.effect.mean_pp or 0.0)} {COMPANY[part.part, part.lacking]}"


def _no_answer(evidence: Evidence) -> Verdict:
    strategies = set(evidence.strategies)
    if not strategies & set(LEARNERS_OF_TEACHERS):
        badge = "Nothing learned"
        headline = "This study learned nothing of its teachers, so it compares nothing learned."
    elif not strategies - set(LEARNERS_OF_TEACHERS):
        badge = "Nothing to compare"
        headline = "This study ran nothing to compare learned weights of teachers with."
    else:
        badge = "No complete pair"
        headline = (
            f"No pair of {strategy_name(evidence.contest.protagonist)} and "
            f"{strategy_name(evidence.contest.main_rival)} is complete yet."
        )
    sentences = [
        scores_sentence(evidence.strategies, evidence.settings),
        f"{progress(evidence.inventory)}.",
    ]
    return Verdict(badge, headline, tuple(sentence for sentence in sentences if sentence))
