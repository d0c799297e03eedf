from dataclasses import replace

import numpy as np
import pytest

from metakd.analysis.comparison import Comparison, accuracy_verdict, cost_verdict
from metakd.analysis.costs import costs_of
from metakd.analysis.grid import choose
from metakd.analysis.inventory import Inventory
from metakd.analysis.questions.grid_vs_meta import GRID_VS_META
from metakd.analysis.sentences import BADGES, EXCEPTIONS, HEADLINES, Evidence
from metakd.analysis.settings import setting_results
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.table import make_table

BASELINES = {
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
WHOLE = Inventory(60, 60, 0, 0, 12, 12, 0, 1.0, 1.0)


def interval(word) -> Interval:
    if word == "no data":
        return NO_DATA
    low, high = BOUNDS[word]
    return Interval((low + high) / 2, low, high, 12, "two-way t over 3 settings × 4 seeds")


def comparison(baseline, word, ratio=2.5, effect=None) -> Comparison:
    effect = effect or interval(word)
    ratio = None if effect.mean_pp is None else ratio
    cost = cost_verdict(ratio, ratio)
    return Comparison(
        baseline, BASELINES[baseline], effect, effect, 0.75, word, 0, ratio, ratio and 1.0, *cost
    )


def evidence(word="not worse", ratio=2.5, **changes) -> Evidence:
    plain = Evidence(
        strategies=("ce", "fixed", "grid", "meta"),
        temperatures=(1.0, 2.0, 4.0, 8.0, 16.0),
        fixed_tau=4.0,
        margin_pp=0.2,
        comparisons=tuple(comparison(baseline, word, ratio) for baseline in BASELINES),
        settings=(),
        inventory=WHOLE,
    )
    return replace(plain, **changes)


def settings_with(made_up, *claims):
    """Settings of a made-up study, each with the claim and the p that it is told."""
    study = made_up(scales=tuple(np.linspace(0.1, 1, len(claims))), augmentations=("none",))
    table = make_table(study.record(), tuple(study.rows()))
    results = setting_results(table, choose(table), costs_of(table))
    means = {"ahead": 0.4, "behind": -0.4, "no clear gap": 0.1, "no data": None}
    return tuple(
        replace(
            result,
            claim=claim if claim != "no data" else "no clear gap",
            p_holm=p,
            versus_baseline=replace(result.versus_baseline, mean_pp=means[claim]),
        )
        for result, (claim, p) in zip(results, claims, strict=True)
    )


AHEAD, BEHIND, OPEN = ("ahead", 0.012), ("behind", 0.0002), ("no clear gap", 0.2)
UNKNOWN = ("no data", None)


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
    verdict = GRID_VS_META.verdict(evidence(word))
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
    verdict = GRID_VS_META.verdict(evidence("equivalent", ratio))
    assert verdict.badge == badge
    assert verdict.headline.endswith(clause)


def test_effect_interval_share_and_cost_are_printed() -> None:
    effect, cost, others = GRID_VS_META.verdict(evidence()).sentences
    assert "is +0.20 points (95 % interval −0.10 to +0.50, two-way t over 3 settings" in effect
    assert "margin ±0.20 points" in effect
    assert "ahead in 75 % of pairs" in effect
    assert "The grid of 5 temperatures costs 2.5 plain runs, learning 1.0;" in cost
    assert "side by side" in cost
    assert "+0.20 (not worse) against a grid of equal cost (2 of 5 temperatures)" in others
    assert "+0.20 (not worse) against no search (τ = 4)" in others


def test_without_an_interval_the_reason_is_given() -> None:
    effect = Interval(0.7, None, None, 2, "no interval: it needs 3 pairs, there are 2")
    baselines = tuple(comparison(baseline, "undecided", effect=effect) for baseline in BASELINES)
    verdict = GRID_VS_META.verdict(evidence(comparisons=baselines))
    assert verdict.badge.startswith("Undecided")
    assert "+0.70 points (no interval: it needs 3 pairs, there are 2;" in verdict.sentences[0]
    assert "95 %" not in verdict.sentences[0]


def test_without_a_grid_the_default_is_the_baseline() -> None:
    baselines = (
        comparison("full_grid", "no data"),
        comparison("equal_cost_grid", "no data"),
        comparison("no_search", "better", 0.6),
    )
    verdict = GRID_VS_META.verdict(evidence(strategies=("fixed", "meta"), comparisons=baselines))
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
    baselines = tuple(comparison(baseline, "no data") for baseline in BASELINES)
    verdict = GRID_VS_META.verdict(evidence(strategies=strategies, comparisons=baselines))
    assert verdict.badge == badge
    assert headline in verdict.headline
    assert verdict.sentences == ("Finished: 60 of 60 planned trials.",)


def test_without_pairs_the_scores_are_told(made_up) -> None:
    baselines = tuple(comparison(baseline, "no data") for baseline in BASELINES)
    [setting] = settings_with(made_up, UNKNOWN)
    scores = [score for score in setting.scores if score.strategy in ("ce", "grid")]
    scores = tuple(replace(score, test_pp=90.0) for score in scores)
    verdict = GRID_VS_META.verdict(
        evidence(
            strategies=("ce", "grid"),
            comparisons=baselines,
            settings=(replace(setting, scores=scores),),
        )
    )
    assert verdict.sentences[0] == (
        "Mean test accuracy: no teacher 90.00 % (1 setting) and the grid 90.00 % (1 setting)."
    )


@pytest.mark.parametrize(
    ("main", "settings", "sentence"),
    [
        (
            "not worse",
            (AHEAD, BEHIND, OPEN),
            "The only exception is 55 % · none, where learning is 0.40 points behind "
            "(p < 0.001, corrected for looking at 3 settings (Holm)).",
        ),
        (
            "worse",
            (AHEAD, BEHIND),
            "The only exception is 10 % · none, where learning is 0.40 points ahead "
            "(p = 0.012, corrected for looking at 2 settings (Holm)).",
        ),
        (
            "equivalent",
            (AHEAD, BEHIND, UNKNOWN),
            "The clearest of 2 exceptions is 55 % · none, where learning is 0.40 points behind "
            "(p < 0.001, corrected for looking at 2 settings (Holm)).",
        ),
        (
            "better",
            (AHEAD, OPEN),
            "No single setting is clearly behind, corrected for looking at 2 settings (Holm).",
        ),
        (
            "worse",
            (BEHIND, OPEN),
            "No single setting is clearly ahead, corrected for looking at 2 settings (Holm).",
        ),
        (
            "undecided",
            (OPEN, OPEN),
            "No single setting is clearly ahead or behind, corrected for looking at 2 settings "
            "(Holm).",
        ),
    ],
)
def test_exceptions_are_those_that_many_settings_leave(made_up, main, settings, sentence) -> None:
    verdict = GRID_VS_META.verdict(evidence(main, settings=settings_with(made_up, *settings)))
    assert verdict.sentences[3] == sentence


@pytest.mark.parametrize("claims", [(BEHIND,), (UNKNOWN, UNKNOWN)])
def test_one_setting_or_none_judged_has_no_exception(made_up, claims) -> None:
    verdict = GRID_VS_META.verdict(evidence(settings=settings_with(made_up, *claims)))
    assert verdict.sentences == GRID_VS_META.verdict(evidence()).sentences


def test_one_setting_speaks_for_itself_alone(made_up) -> None:
    verdict = GRID_VS_META.verdict(evidence("better", settings=settings_with(made_up, AHEAD)))
    assert "by more than 0.20 points in the one setting studied; it costs" in verdict.headline
    verdict = GRID_VS_META.verdict(evidence("better", settings=settings_with(made_up, AHEAD, OPEN)))
    assert "in the one setting" not in verdict.headline


def test_a_share_of_two_pairs_is_not_told() -> None:
    effect = Interval(0.7, None, None, 2, "no interval: it needs 3 pairs, there are 2")
    baselines = tuple(comparison(baseline, "undecided", effect=effect) for baseline in BASELINES)
    assert "of pairs" not in GRID_VS_META.verdict(evidence(comparisons=baselines)).sentences[0]


def test_failed_runs_are_said_to_be_charged() -> None:
    assert "failed" not in GRID_VS_META.verdict(evidence()).sentences[1]
    failed = GRID_VS_META.verdict(evidence(inventory=replace(WHOLE, failed=1)))
    assert "learning 1.0, failed runs charged;" in failed.sentences[1]


def test_what_is_missing_is_said() -> None:
    baselines = tuple(replace(comparison(r, "not worse"), missing_pairs=3) for r in BASELINES)
    partial = Inventory(60, 55, 2, 3, 12, 9, 3, 1.0, 1.0)
    last = GRID_VS_META.verdict(evidence(comparisons=baselines, inventory=partial)).sentences[-1]
    assert last == "Missing pairs: 3 of 12. Finished: 55 of 60 planned trials, 2 failed."
