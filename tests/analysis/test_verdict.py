from dataclasses import replace

import numpy as np
import pytest

from metakd.analysis.grid import choose
from metakd.analysis.intervals import Interval
from metakd.analysis.settings import setting_results
from metakd.analysis.summary import Comparison, Inventory
from metakd.analysis.table import make_table
from metakd.analysis.verdict import BADGES, EXCEPTIONS, HEADLINES, Evidence, make_verdict
from metakd.analysis.verdict_rule import accuracy_verdict

RIVALS = {
    "full_grid": "Full grid (5 temperatures)",
    "equal_cost_grid": "Grid of equal cost (2 of 5 temperatures)",
    "no_search": "No search (τ = 4)",
}
NO_DATA = Interval(None, None, None, 0, "no complete pair")
BOUNDS = {
    "better": (0.3, 0.5),
    "slightly better": (0.1, 0.5),
    "equivalent": (-0.1, 0.1),
    "not worse": (-0.1, 0.5),
    "undecided": (-0.5, 0.5),
    "slightly worse": (-0.5, -0.1),
    "worse": (-0.5, -0.3),
}
WHOLE = Inventory(60, 60, 0, 12, 12, 1.0, 1.0)


def interval(word) -> Interval:
    if word == "no data":
        return NO_DATA
    low, high = BOUNDS[word]
    return Interval((low + high) / 2, low, high, 12, "two-way t over 3 settings × 4 seeds")


def comparison(rival, word, ratio=2.5, effect=None) -> Comparison:
    effect = effect or interval(word)
    ratio = None if effect.mean_pp is None else ratio
    return Comparison(rival, RIVALS[rival], effect, effect, 0.75, word, ratio, ratio, 0)


def evidence(word="not worse", ratio=2.5, **changes) -> Evidence:
    plain = Evidence(
        strategies=("ce", "fixed", "grid", "meta"),
        temperatures=(1.0, 2.0, 4.0, 8.0, 16.0),
        fixed_tau=4.0,
        margin_pp=0.2,
        comparisons=tuple(comparison(rival, word, ratio) for rival in RIVALS),
        settings=(),
        inventory=WHOLE,
    )
    return replace(plain, **changes)


def settings_with(made_up, *words):
    """Settings of a made-up study, each with the verdict that it is told."""
    study = made_up(scales=tuple(np.linspace(0.1, 1, len(words))), augmentations=("none",))
    table = make_table(study.record(), tuple(study.rows()))
    results = setting_results(table, choose(table))
    return tuple(
        replace(result, verdict=word, versus_grid=interval(word))
        for result, word in zip(results, words, strict=True)
    )


def test_every_verdict_has_its_words() -> None:
    assert set(BADGES) == set(HEADLINES) == set(EXCEPTIONS) == set(BOUNDS)
    for word, (low, high) in BOUNDS.items():
        assert accuracy_verdict(Interval(0.0, low, high, 9, ""), 0.2) == word


@pytest.mark.parametrize(
    ("word", "headline"),
    [
        ("better", "beats the grid of 5 temperatures by more than 0.20 points"),
        ("slightly better", "is ahead of the grid of 5 temperatures, maybe by less than 0.20"),
        ("equivalent", "equals the grid of 5 temperatures within ±0.20 points"),
        ("not worse", "is not worse than the grid of 5 temperatures by more than 0.20 points"),
        ("undecided", "leave open whether learning the temperature matches the grid"),
        ("slightly worse", "is behind the grid of 5 temperatures, maybe by less than 0.20"),
        ("worse", "loses to the grid of 5 temperatures by more than 0.20 points"),
    ],
)
def test_the_headline_says_where_the_interval_lies(word, headline) -> None:
    verdict = make_verdict(evidence(word))
    assert headline in verdict.headline
    assert verdict.badge == f"{BADGES[word]}, 2.5 times cheaper"
    assert 2 <= len(verdict.sentences) <= 5
    for sentence in (verdict.headline, *verdict.sentences):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "None" not in sentence


@pytest.mark.parametrize(
    ("ratio", "badge", "clause"),
    [
        (2.5, "Equal, 2.5 times cheaper", "; it costs 40 % as much."),
        (0.5, "Equal, 2 times dearer", "; it costs 2 times as much."),
        (1.0, "Equal, same cost", "; it costs about the same."),
        (None, "Equal", "within ±0.20 points."),
    ],
)
def test_a_tie_is_told_by_its_cost(ratio, badge, clause) -> None:
    verdict = make_verdict(evidence("equivalent", ratio))
    assert verdict.badge == badge
    assert verdict.headline.endswith(clause)


def test_effect_interval_share_and_cost_are_printed() -> None:
    effect, cost, others = make_verdict(evidence()).sentences
    assert "is +0.20 points (95 % interval −0.10 to +0.50, two-way t over 3 settings" in effect
    assert "margin ±0.20 points" in effect
    assert "ahead in 75 % of pairs" in effect
    assert "2.5 times the student steps and 2.5 times the measured seconds" in cost
    assert "side by side" in cost
    assert "+0.20 (not worse) against a grid of equal cost (2 of 5 temperatures)" in others
    assert "+0.20 (not worse) against no search (τ = 4)" in others


def test_without_an_interval_the_reason_is_given() -> None:
    effect = Interval(0.7, None, None, 2, "no interval: it needs 3 pairs, there are 2")
    rivals = tuple(comparison(rival, "undecided", effect=effect) for rival in RIVALS)
    verdict = make_verdict(evidence(comparisons=rivals))
    assert verdict.badge.startswith("Undecided")
    assert "+0.70 points (no interval: it needs 3 pairs, there are 2;" in verdict.sentences[0]
    assert "95 %" not in verdict.sentences[0]


def test_without_a_grid_the_default_is_the_rival() -> None:
    rivals = (
        comparison("full_grid", "no data"),
        comparison("equal_cost_grid", "no data"),
        comparison("no_search", "better", 0.6),
    )
    verdict = make_verdict(evidence(strategies=("fixed", "meta"), comparisons=rivals))
    assert "beats the default τ = 4" in verdict.headline
    assert verdict.badge == "Better, 1.7 times dearer"
    assert not any("grid" in text for text in (verdict.headline, *verdict.sentences))


@pytest.mark.parametrize(
    ("strategies", "badge", "headline"),
    [
        (("ce", "fixed", "grid"), "Nothing learned", "ran no learned temperature"),
        (("ce", "meta"), "Nothing to compare", "nothing to compare them with"),
        (("grid", "meta"), "No complete pair", "is complete yet"),
    ],
)
def test_without_pairs_nothing_is_claimed(made_up, strategies, badge, headline) -> None:
    rivals = tuple(comparison(rival, "no data") for rival in RIVALS)
    verdict = make_verdict(evidence(strategies=strategies, comparisons=rivals))
    assert verdict.badge == badge
    assert headline in verdict.headline
    assert verdict.sentences == ("Finished: 60 of 60 planned trials.",)


def test_without_pairs_the_scores_are_told(made_up) -> None:
    rivals = tuple(comparison(rival, "no data") for rival in RIVALS)
    [setting] = settings_with(made_up, "no data")
    scores = [score for score in setting.scores if score.strategy in ("ce", "grid")]
    scores = tuple(replace(score, test_pp=90.0) for score in scores)
    verdict = make_verdict(
        evidence(
            strategies=("ce", "grid"),
            comparisons=rivals,
            settings=(replace(setting, scores=scores),),
        )
    )
    assert verdict.sentences[0] == (
        "Mean test accuracy: no teacher 90.00 % (1 setting) and the grid 90.00 % (1 setting)."
    )


@pytest.mark.parametrize(
    ("main", "settings", "sentence"),
    [
        ("not worse", ("better", "worse", "equivalent"), "exception of 1 setting is 55 % · none"),
        ("not worse", ("better", "undecided"), "no single setting is behind"),
        ("worse", ("better", "worse"), "is 10 % · none, where learning is +0.40 points ahead"),
        ("worse", ("worse", "worse"), "no single setting is ahead"),
        ("equivalent", ("worse", "equivalent"), "is 10 % · none, where learning is −0.40 points"),
        ("undecided", ("undecided", "not worse"), "no single setting shows a difference"),
    ],
)
def test_the_clearest_exception_is_named(made_up, main, settings, sentence) -> None:
    verdict = make_verdict(evidence(main, settings=settings_with(made_up, *settings)))
    assert sentence in verdict.sentences[3]


def test_an_exception_is_called_descriptive(made_up) -> None:
    settings = settings_with(made_up, "better", "worse")
    assert "not corrected" in make_verdict(evidence(settings=settings)).sentences[3]


@pytest.mark.parametrize("words", [("worse",), ("no data", "no data")])
def test_one_setting_or_none_judged_has_no_exception(made_up, words) -> None:
    settings = settings_with(made_up, *words)
    assert make_verdict(evidence(settings=settings)) == make_verdict(evidence())


def test_what_is_missing_is_said() -> None:
    rivals = tuple(replace(comparison(r, "not worse"), missing_pairs=3) for r in RIVALS)
    partial = Inventory(60, 55, 2, 12, 9, 1.0, 1.0)
    last = make_verdict(evidence(comparisons=rivals, inventory=partial)).sentences[-1]
    assert last == "Missing pairs: 3 of 12. Finished: 55 of 60 planned trials, 2 failed."
