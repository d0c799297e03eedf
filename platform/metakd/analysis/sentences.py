"""What verdicts are made from, and what those of several questions say alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from metakd.analysis.comparison import LEARNED_AND_GRID, Baseline, Comparison, Pair
from metakd.analysis.deciding import Deciding, PrimaryComparison
from metakd.analysis.inventory import Inventory
from metakd.analysis.settings import SettingResult
from metakd.analysis.statistics.intervals import MIN_PAIRS, Interval
from metakd.analysis.wording import at_start, counted, listed, p_words, percent, signed_pp, times
from metakd.strategies import label_of

BADGES = {
    "better": "Better",
    "slightly better": "Slightly better",
    "equivalent": "Equal",
    "not worse": "Not worse",
    "undecided": "Undecided",
    "slightly worse": "Slightly worse",
    "worse": "Worse",
}
# What a learner minus a baseline shows, by the verdict's word.
HEADLINES = {
    "better": "{learner} beats {baseline} by more than {margin}",
    "slightly better": "{learner} is ahead of {baseline}, maybe by less than {margin}",
    "equivalent": "{learner} equals {baseline} within ±{margin}",
    "not worse": "{learner} is not worse than {baseline} by more than {margin}",
    "undecided": "These runs leave open whether {learner} {hope} {baseline}",
    "slightly worse": "{learner} is behind {baseline}, maybe by less than {margin}",
    "worse": "{learner} loses to {baseline} by more than {margin}",
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


@dataclass(frozen=True)
class Verdict:
    """The study's answer in words, computed from the numbers by fixed rules.

    Attributes:
        badge: A few words, for example "Not worse, 3.1 times cheaper".
        headline: One sentence.
        sentences: Two to five further sentences: effect and interval, cost, the clearest
            exception, what is missing.
    """

    badge: str
    headline: str
    sentences: tuple[str, ...]


class Answer:
    """The numbers of a question's own, beside what every study has; a base for their types."""


@dataclass(frozen=True)
class Evidence:
    """What a verdict is made from; fields as in :class:`~metakd.analysis.summary.Summary`.

    ``pair`` says whose differences ``baselines`` and those of the settings are.
    """

    strategies: tuple[str, ...]
    temperatures: tuple[float, ...]
    fixed_tau: float
    margin_pp: float
    comparisons: tuple[Comparison, ...]
    settings: tuple[SettingResult, ...]
    inventory: Inventory
    baselines: tuple[Baseline, ...] = ()
    pair: Pair = LEARNED_AND_GRID
    runs: Mapping[str, float] = field(default_factory=dict)
    primary: PrimaryComparison | None = None
    deciding: Deciding | None = None
    command: str = ""
    question: str = "grid_vs_meta"


@dataclass(frozen=True)
class LearnerWords:
    """How sentences name whose difference it is: what it reached, and what is ahead."""

    result: str
    doing: str


LEARNING = LearnerWords("learned", "learning")


def headline_of(
    verdict: str, learner: str, baseline: str, margin_pp: float, hope: str = "matches"
) -> str:
    """Returns the headline of a comparison with data, without its full stop.

    Args:
        verdict: As in ``Comparison.accuracy_verdict``.
        learner: What is ahead or behind, inside a sentence.
        baseline: Likewise.
        margin_pp: What counts as equal.
        hope: What is open where nothing is decided: that the learner "matches" or "beats" it.
    """
    margin = f"{margin_pp:.2f} points"
    words = {"learner": learner, "baseline": baseline, "margin": margin, "hope": hope}
    return at_start(HEADLINES[verdict].format(**words))


def no_answer(evidence: Evidence, badge: str, headline: str, *sentences: str | None) -> Verdict:
    """Returns the verdict of a study whose comparison has no data: why, and how far it is."""
    progressed = f"{progress(evidence.inventory)}."
    return Verdict(badge, headline, tuple(filter(None, [*sentences, progressed])))


def cost_badge(cost: str, factor: float) -> str:
    """Returns what a badge says of a cost verdict: ", 3.1 times cheaper"."""
    if cost in ("cheaper", "dearer"):
        return f", {times(factor)} {cost}"
    return ", same cost" if cost == "same" else ""


def cost_clause(cost: str, factor: float) -> str:
    """Returns what a headline says of a cost verdict: "; it costs 32 % as much"."""
    match cost:
        case "cheaper":
            return f"; it costs {100 / factor:.0f} % as much"
        case "dearer":
            return f"; it costs {times(factor)} as much"
        case "same":
            return "; it costs about the same"
        case _:
            return ""


def effect_sentence(
    main: Comparison, baseline: str, margin: str, learner: LearnerWords = LEARNING
) -> str:
    """Says how far ahead the learner is, and how sure that is.

    Args:
        main: The comparison, with a pair.
        baseline: Its baseline inside a sentence.
        margin: In words.
        learner: Whose difference it is.
    """
    effect, selected = main.effect, main.effect_selected
    assert effect.mean_pp is not None  # "no data" has no answer
    if effect.low_pp is None or effect.high_pp is None:
        interval = effect.method
    else:
        interval = (
            f"{percent(effect.level)} interval {signed_pp(effect.low_pp)} to "
            f"{signed_pp(effect.high_pp)}, {effect.method}"
        )
    # A share of one or two pairs says no more than their mean.
    ahead = (
        ""
        if main.share_ahead is None or effect.pairs < MIN_PAIRS
        else f"; {learner.doing} is ahead in {100 * main.share_ahead:.0f} % of pairs"
    )
    at_selected = (
        ""
        if selected.mean_pp is None
        else f"; at the epoch that validation selects {signed_pp(selected.mean_pp)}"
    )
    return (
        f"On test, {learner.result} minus {baseline} is {signed_pp(effect.mean_pp)} points "
        f"({interval}; margin ±{margin}){ahead}{at_selected}."
    )


def exception_sentence(
    settings: Sequence[SettingResult], main: Comparison, learner: LearnerWords = LEARNING
) -> str | None:
    """Says which setting stands out against a verdict; None where there is nothing to look at.

    Args:
        settings: Their differences are to the verdict's baseline.
        main: What the verdict is about.
        learner: Whose difference it is.
    """
    judged = [s for s in settings if s.p_holm is not None]
    if len(settings) < 2 or not judged:
        return None
    exceptions = EXCEPTIONS[main.accuracy_verdict]
    corrected = f"corrected for looking at {counted(len(judged), 'setting')} (Holm)"
    standing_out = [s for s in judged if s.claim in exceptions]
    if not standing_out:
        shows = f"clearly {exceptions[0]}" if len(exceptions) == 1 else "clearly ahead or behind"
        return f"No single setting is {shows}, {corrected}."
    clearest = min(
        standing_out, key=lambda s: (s.p_holm or 0.0, -abs(s.versus_baseline.mean_pp or 0.0))
    )
    which = f"clearest of {len(standing_out)} exceptions" if standing_out[1:] else "only exception"
    return (
        f"The {which} is {clearest.key}, where {learner.doing} is "
        f"{abs(clearest.versus_baseline.mean_pp or 0.0):.2f} points {clearest.claim} "
        f"({p_words(clearest.p_holm or 0.0)}, {corrected})."
    )


def missing_sentence(inventory: Inventory, missing_pairs: int | None = None) -> str | None:
    """Says how many pairs are missing, and how far the study is; None where nothing is missing.

    Args:
        inventory: What was planned and what there is.
        missing_pairs: Those of a comparison; None for those in which any strategy is missing.
    """
    if missing_pairs is None:
        missing_pairs = inventory.missing_pairs
    if missing_pairs:
        of_all = f"{missing_pairs} of {inventory.planned_pairs}"
        return f"Missing pairs: {of_all}. {progress(inventory)}."
    is_all = not inventory.failed and inventory.ended_searches == inventory.searches
    return None if is_all else f"{progress(inventory)}."


def progress(inventory: Inventory) -> str:
    """Returns "Finished: 3 of 4 planned trials, 1 failed"."""
    failed = f", {inventory.failed} failed" if inventory.failed else ""
    searches = (
        f", and {inventory.ended_searches} of {counted(inventory.searches, 'strategy run')}"
        if not inventory.not_run
        and inventory.ended_searches + inventory.blocked_searches < inventory.searches
        else ""
    )
    return f"Finished: {inventory.finished} of {inventory.planned} planned trials{failed}{searches}"


def scores_sentence(
    strategies: Sequence[str], settings: Sequence[SettingResult], question: str = ""
) -> str | None:
    """Lists what strategies reach; None where none has a result.

    Args:
        strategies: Their names.
        settings: What they reach in each.
        question: The study's, as other questions name some strategies otherwise.
    """
    parts = []
    for strategy in strategies:
        means = [
            score.test_pp
            for setting in settings
            for score in setting.scores
            if score.strategy == strategy
        ]
        if means:
            where = counted(len(means), "setting")
            parts.append(f"{label_of(strategy, question)} {_mean(means):.2f} % ({where})")
    return f"Mean test accuracy: {listed(parts)}." if parts else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def comparisons_sentence(
    comparisons: Sequence[Comparison], learning: str = "Over all settings learning"
) -> str | None:
    """Says how learning compares with baselines; None where no pair is there."""
    parts = [
        f"{signed_pp(each.effect.mean_pp)} ({each.accuracy_verdict}) against "
        f"{ARTICLES[each.baseline]}{each.label[0].lower()}{each.label[1:]}"
        for each in comparisons
        if each.effect.mean_pp is not None
    ]
    return f"{learning} is {listed(parts)}." if parts else None


def interval_words(interval: Interval, *more: str) -> str:
    """Returns "+0.40 points (98.3 % interval +0.10 to +0.70; p = 0.01)", or that there is none."""
    if interval.mean_pp is None:
        return interval.method
    bounds = "no interval"
    if interval.low_pp is not None and interval.high_pp is not None:
        ends = f"{signed_pp(interval.low_pp)} to {signed_pp(interval.high_pp)}"
        bounds = f"{percent(interval.level)} interval {ends}"
    return f"{signed_pp(interval.mean_pp)} points ({'; '.join([bounds, *filter(None, more)])})"
