"""What a verdict says of its scope, of the looks that were declared, and of what it would take."""

import math
import re
from dataclasses import replace

from metakd.analysis.deciding import Deciding, LookTaken, PrimaryComparison
from metakd.analysis.sentences import Verdict
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.looks import ERRS_AT_MOST
from metakd.analysis.wording import counted, percent, signed_pp

SPARE = 1.25
"""The hours that a command to go on is given, over those that are expected."""
MAX_HOURS = "--max-hours"


def with_decision(
    verdict: Verdict, primary: PrimaryComparison, deciding: Deciding | None, command: str
) -> Verdict:
    """Returns a verdict with its scope, its declared looks and the interval for other settings.

    Args:
        verdict: Worded from the primary comparison.
        primary: The primary comparison.
        deciding: The declared looks; None where the study takes one, at its end.
        command: What the study was run with.
    """
    sentences = list(verdict.sentences)
    badge, headline = verdict.badge, verdict.headline
    if primary.here.mean_pp is not None:
        if primary.elsewhere is not None:
            few = f"{primary.measured} of " if primary.measured < primary.settings else ""
            headline = _scoped(headline, f" in {few}these {primary.settings} settings")
            sentences[1:1] = filter(None, [elsewhere_sentence(primary.elsewhere)])
        if deciding is not None and not (deciding.is_decided or deciding.is_at_its_end):
            word, comma, cost = badge.partition(",")
            badge = f"{word} so far{comma}{cost}"
    if deciding is not None:
        sentences[:0] = filter(
            None, [deciding_sentence(deciding, command), undeclared_sentence(deciding)]
        )
    return replace(verdict, badge=badge, headline=headline, sentences=tuple(sentences))


def _scoped(headline: str, scope: str) -> str:
    """Returns a headline with its scope, before what it says of the cost."""
    finding, semicolon, rest = headline.removesuffix(".").partition("; ")
    comma = "," if "," in finding else ""
    return f"{finding}{comma}{scope}{semicolon}{rest}."


def elsewhere_sentence(elsewhere: Interval) -> str | None:
    """Says what the difference is for other settings like these; None where nothing is known."""
    if elsewhere.mean_pp is None or elsewhere.low_pp is None or elsewhere.high_pp is None:
        return None
    return (
        f"For other settings like these it is {signed_pp(elsewhere.mean_pp)} points "
        f"({percent(elsewhere.level)} interval {signed_pp(elsewhere.low_pp)} to "
        f"{signed_pp(elsewhere.high_pp)}, {elsewhere.method})."
    )


def deciding_sentence(deciding: Deciding, command: str) -> str:
    """Says at which look the study was decided, or what it would take.

    Args:
        deciding: The declared looks.
        command: What the study was run with.
    """
    declared = len(deciding.declared)
    if not deciding.looks:
        return (
            f"No look was taken yet: the first of {declared} comes when all trials of the pilot "
            f"have run, {counted(deciding.pilot_seeds, 'seed')} in every setting: the same command "
            "goes on."
        )
    last = deciding.looks[-1]
    at = f"look {last.number} of {declared}"
    margin = f"±{deciding.margin_pp:.2f} points"
    if deciding.is_decided:
        return (
            f"Decided at {at}, after {counted(last.trials, 'trial')} in "
            f"{duration_words(last.wall_s)}; looks, margin and comparison were declared before the "
            f"first trial, so that all looks together err in at most {percent(ERRS_AT_MOST)} of "
            "studies."
        )
    prospect = deciding.prospect
    if deciding.is_at_its_end or prospect is None:
        ends = (last.interval.low_pp, last.interval.high_pp)
        known = [abs(end) for end in ends if end is not None]
        enough = (
            f"; its interval lies within ±{math.ceil(100 * max(known)) / 100:.2f}" if known else ""
        )
        return (
            f"Undecided at {margin} after {at}: no further look was declared{enough}. A study anew "
            f"decides it by other seeds: {_anew(last)}, with a margin and looks declared anew."
        )
    hours = math.ceil(100 * SPARE * prospect.wall_s / 3600) / 100
    go_on = f"run `{_with_hours(command, hours)}`"
    more = f"about {duration_words(prospect.wall_s)} more"
    if prospect.is_enough:
        return (
            f"Undecided so far: {at} leaves it open at {margin}; {more} would settle it with a "
            f"probability of {100 * prospect.probability:.0f} %: {go_on}."
        )
    return (
        f"Undecided so far: {at} leaves it open at {margin}, and the last look, {more}, would "
        f"settle it with a probability of {100 * prospect.probability:.0f} % only: {go_on}, or "
        f"declare a wider margin for other seeds: {_anew(last)}."
    )


def _anew(last: LookTaken) -> str:
    """Returns the options of a study that sees no seed of this one again."""
    return f"a new --out with --first-seed {last.most_seeds}"


def undeclared_sentence(deciding: Deciding) -> str | None:
    """Says that pairs came after the last declared look; None where none did."""
    if not deciding.undeclared_pairs:
        return None
    return (
        f"{counted(deciding.undeclared_pairs, 'pair')} of settings and seeds came after the last "
        "declared look: they show in the figures and in what each setting reached, and no word "
        "rests on them."
    )


def look_line(deciding_looks: int, number: int, label: str, interval: Interval, word: str) -> str:
    """Returns a look in one line: its number, the comparison and its word.

    Args:
        deciding_looks: How many were declared.
        number: From 1 on.
        label: What is subtracted from what.
        interval: At the look's level.
        word: The look's.
    """
    if interval.mean_pp is None or interval.low_pp is None or interval.high_pp is None:
        return f"{number} of {deciding_looks}: {label}: {interval.method}: {word}"
    return (
        f"{number} of {deciding_looks}: {label} {signed_pp(interval.mean_pp)} "
        f"[{signed_pp(interval.low_pp)}, {signed_pp(interval.high_pp)}] at "
        f"{percent(interval.level)}: {word}"
    )


def duration_words(seconds: float) -> str:
    """Returns "40 seconds", "9 minutes" or "3.2 hours"."""
    if seconds < 90:
        return counted(max(1, round(seconds)), "second")
    if seconds < 5400:
        return counted(round(seconds / 60), "minute")
    return f"{seconds / 3600:.2g} hours"


def _with_hours(command: str, hours: float) -> str:
    words = re.sub(rf"\s{MAX_HOURS}[ =]\S+", "", command)
    return f"{words} {MAX_HOURS} {hours:.2g}"
