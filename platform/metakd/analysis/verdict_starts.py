"""The answer of a study of starts in words, chosen by fixed rules from numbers already there."""

from metakd.analysis.answers import StartRange
from metakd.analysis.start_range import LEARNED, WIDE_PP
from metakd.analysis.summary import Verdict
from metakd.analysis.verdict import Evidence
from metakd.analysis.verdict_gap import interval_words
from metakd.analysis.verdict_sentences import missing_sentence, progress
from metakd.analysis.wording import counted

BADGES = {
    "forgets": "Forgets its start",
    "depends less": "Depends less on its start",
    "depends more": "Depends more on its start",
    "depends as much": "Depends on its start as much",
    "undecided": "Undecided",
    "nothing to forget": "No cost of a start shown",
    "no data": "No complete seed",
}
HEADLINES = {
    "forgets": "A learned temperature forgets its start: the wrong one costs {learned}, a wrong "
    "fixed temperature {fixed}",
    "depends less": "A learned temperature depends less on its start: the wrong one costs "
    "{learned}, a wrong fixed temperature {fixed}",
    "depends more": "A learned temperature depends more on its start than fixed ones differ: the "
    "wrong start costs {learned}, a wrong fixed temperature {fixed}",
    "depends as much": "A learned temperature depends on its start as much as fixed ones differ, "
    "within the margin: the wrong start costs {learned}, a wrong fixed temperature {fixed}",
    "undecided": "These runs leave open whether a learned temperature forgets its start",
    "nothing to forget": "These runs do not show that a wrong fixed temperature costs anything, so "
    "they cannot show that a learned one forgets its start",
    "no data": "No seed has all starts yet, with those of another seed to choose by",
}


def starts_verdict(evidence: Evidence, starts: StartRange | None) -> Verdict:
    """Words how much the start decides.

    Args:
        evidence: The study.
        starts: Its numbers; None where there are none.
    """
    if starts is None:
        return _no_answer(evidence)
    costs = {
        name: f"{interval.mean_pp:.2f} points"
        for name, interval in (("fixed", starts.fixed_wrong), ("learned", starts.learned_wrong))
        if interval.mean_pp is not None
    }
    headline = HEADLINES[starts.verdict].format(**{"fixed": "", "learned": "", **costs})
    sentences = [
        _wrong_sentence(starts),
        _ranges_sentence(starts),
        _regret_sentence(starts),
        _scale_sentence(starts),
        _cost_sentence(evidence.learned_runs),
        missing_sentence(evidence.inventory),
    ]
    return Verdict(
        BADGES[starts.verdict],
        f"{headline}.",
        tuple(sentence for sentence in sentences if sentence),
    )


def _wrong_sentence(starts: StartRange) -> str | None:
    if starts.saved.mean_pp is None:
        return None
    return (
        "The start that other seeds' validation ranks first minus the one it ranks last, on test, "
        f"in these settings: fixed {interval_words(starts.fixed_wrong)}, learned "
        f"{interval_words(starts.learned_wrong)}; the difference is "
        f"{interval_words(starts.saved)}, and for other settings like these "
        f"{interval_words(starts.saved_elsewhere)}."
    )


def _ranges_sentence(starts: StartRange) -> str:
    many = counted(starts.wide_settings, "setting")
    if not starts.wide_settings:
        return f"In no setting do the means of fixed temperatures range over {WIDE_PP:g} points."
    return (
        f"Means over seeds range over more than {WIDE_PP:g} points between fixed temperatures in "
        f"{many}; in {starts.forgetting_settings} of them over a quarter of that or less between "
        "learned ones."
    )


def _regret_sentence(starts: StartRange) -> str | None:
    if starts.regret.mean_pp is None:
        return None
    aligned = (
        ""
        if starts.aligned_regret is None or starts.aligned_regret.mean_pp is None
        else "; minus the alignment rule, which has no start, "
        f"{interval_words(starts.aligned_regret)}"
    )
    return (
        "The fixed temperature that validation chooses minus the mean over all learned starts is "
        f"{interval_words(starts.regret)}{aligned}."
    )


def _scale_sentence(starts: StartRange) -> str | None:
    """Says what of it is due to the loss's factor, which learned temperatures do not have."""
    wrong, regret = starts.scale_free_wrong, starts.scale_free_regret
    if wrong is None or regret is None or regret.mean_pp is None:
        return None
    return (
        "With the teacher’s gradient as large at any fixed temperature as at τ = 4, which is the "
        f"scale of learned ones, the wrong fixed temperature costs {interval_words(wrong)}, and "
        f"the best one minus the mean over learned starts is {interval_words(regret)}."
    )


def _cost_sentence(learned_runs: float | None) -> str | None:
    return None if learned_runs is None else f"A learned run costs {learned_runs:.2g} fixed ones."


def _no_answer(evidence: Evidence) -> Verdict:
    if LEARNED not in evidence.strategies or "grid" not in evidence.strategies:
        badge = "No starts"
        headline = f"A study of starts needs the strategies grid and {LEARNED}"
    elif len(evidence.temperatures) < 2:
        badge, headline = (
            "One start only",
            "One start has no range: give --temperatures two or more",
        )
    else:
        badge, headline = BADGES["no data"], "No seed has all its fixed and learned runs yet"
    return Verdict(badge, f"{headline}.", (f"{progress(evidence.inventory)}.",))
