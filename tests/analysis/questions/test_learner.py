"""What is said of several teachers follows from the numbers, and claims no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_ensemble import ensemble_study, levels
from verdict_words import answered, said

from metakd.analysis.comparison import Baseline, Comparison, Pair, accuracy_verdict
from metakd.analysis.inventory import Inventory
from metakd.analysis.questions import QUESTIONS, learning_to_teach, multi_teacher
from metakd.analysis.questions.learner import PARTS, Part
from metakd.analysis.questions.multi_teacher import Ensemble
from metakd.analysis.sentences import Evidence
from metakd.analysis.statistics.claims import claim
from metakd.analysis.statistics.intervals import Interval

MARGIN = 0.2
ALL_PARTS = (*multi_teacher.PARTS, *learning_to_teach.PARTS)


def verdict(*strategies, points=None, **changes):
    return answered(ensemble_study(*strategies, accuracy=levels(**(points or {})), **changes))


@pytest.mark.parametrize(
    ("mmkd", "badge", "headline"),
    [
        (3.4, "Better, 1.5 times dearer",
         "MMKD beats the mean of losses by more than 0.20 points; it costs 1.5 times as much."),
        (1.0, "Worse, 1.5 times dearer",
         "MMKD loses to the mean of losses by more than 0.20 points; it costs 1.5 times as much."),
    ],
)  # fmt: skip
def test_the_headline_is_of_the_mean_of_losses(mmkd, badge, headline) -> None:
    found = verdict("mean_losses", "mmkd", points={"mmkd": mmkd})
    said(found)
    assert (found.badge, found.headline) == (badge, headline)


def test_no_difference_is_said_where_none_is_shown() -> None:
    found = verdict("mean_losses", "mmkd", points={"mmkd": 2.5, "noise_pp": 0.8})
    assert found.badge == "No difference shown, 1.5 times dearer"
    assert found.headline.startswith(
        "These runs leave open whether MMKD beats the mean of losses; it costs"
    )
    assert said(found).count("beats") == 1


def test_one_seed_tells_nothing_apart() -> None:
    found = verdict("mean_losses", "mmkd", seeds=1, scales=(1.0,))
    assert found.badge.startswith("Undecided")
    assert found.headline.startswith("Too few runs to tell MMKD from the mean of losses")
    assert "no interval: one seed" in said(found)


def test_everything_that_was_asked_is_answered() -> None:
    text = said(verdict())
    assert "in plain runs: MMKD 1.5, the best single teacher 3.0, the mean of losses 1.0." in text
    assert "MMKD is clearly ahead of no teacher (+" in text
    assert "the best single teacher (+1.4" in text
    assert "corrected for looking at 10 strategies (Holm); no difference is shown from MMKD" in text
    assert "learned weights help (+0.8" in text
    assert "features are not shown to do anything" in text
    assert "learned temperatures are not shown to do anything" in text
    assert (
        "No single setting is clearly behind, corrected for looking at 4 settings (Holm)." in text
    )


def test_a_part_that_harms_is_said_to() -> None:
    text = said(verdict("mean_losses", "mean_features", "mmkd", points={"mean_features": 0.5}))
    assert "learned weights help (+" in text
    assert "features harm (−" in text


def test_without_mmkd_the_first_variant_is_asked_about() -> None:
    found = verdict("single", "mean_losses", "mmkd-tau", "mmkd-logits")
    assert found.headline.startswith("MMKD without features beats the mean of losses")
    tau = verdict("mean_losses", "mmkd-tau", points={"mmkd-tau": 4.0})
    assert tau.headline.startswith("Learning temperatures alone beats")


@pytest.mark.parametrize(
    ("strategies", "changes", "badge", "scores"),
    [
        (("single", "mean_losses"), {}, "Nothing learned", True),
        (("mmkd", "mmkd-logits"), {"strategies": ()}, "Nothing to compare", True),
        (("mmkd", "mean_losses"), {"absent": lambda row: row["method"] == "mmkd"},
         "No complete pair", True),
        (("mmkd", "mean_losses"), {"absent": lambda row: True}, "No complete pair", False),
    ],
)  # fmt: skip
def test_without_a_pair_the_scores_stand_alone(strategies, changes, badge, scores) -> None:
    found = verdict(*strategies, **changes)
    text = said(found)
    assert found.badge == badge
    assert "Finished:" in text
    assert ("Mean test accuracy" in text) == scores


points = st.floats(-3, 3).map(lambda value: round(value, 3))


@st.composite
def intervals(draw) -> Interval:
    mean, half = draw(points), draw(st.floats(0, 2))
    if draw(st.booleans()):
        return Interval(mean, mean - half, mean + half, 8, "two-way t over 2 settings × 4 seeds")
    return Interval(mean, None, None, 1, "no interval: one seed")


@st.composite
def baselines(draw, name: str) -> Baseline:
    effect = draw(intervals())
    word = accuracy_verdict(effect, MARGIN)
    p_holm = draw(st.floats(0, 1)) if effect.low_pp is not None else None
    overall = Comparison(name, name, effect, effect, 0.5, word, 0, 1.0, 2.0, "dearer", 2.0)
    return Baseline(name, 90.0, overall, effect, 0, p_holm, p_holm, claim(effect.mean_pp, p_holm))


@st.composite
def parts(draw) -> Part:
    part, having, lacking, company = draw(st.sampled_from(ALL_PARTS))
    effect = draw(intervals())
    p_holm = draw(st.floats(0, 1)) if effect.low_pp is not None else None
    claimed = claim(effect.mean_pp, p_holm)
    return Part(part, having, lacking, company, effect, p_holm, p_holm, claimed)


@given(
    st.tuples(baselines("mean_losses"), baselines("single"), baselines("camkd")),
    st.lists(parts(), max_size=6),
)
def test_words_claim_no_more_than_intervals_and_corrected_tests(found, told) -> None:
    inventory = Inventory(10, 10, 0, 0, 8, 8, 0, 1.0, 1.0)
    evidence = Evidence(
        ("mmkd", "mean_losses", "single", "camkd"), (), 4.0, MARGIN, (), (), inventory, found,
        Pair("mmkd", "mean_losses"), question="multi_teacher",
    )  # fmt: skip
    analysis = QUESTIONS["multi_teacher"].analysis
    verdict = analysis.verdict(evidence, Ensemble(90.0, tuple(told), 0, ()))
    text = said(verdict)
    effect = found[0].overall.effect
    low, high = effect.low_pp, effect.high_pp
    badge, headline = verdict.badge.partition(",")[0], verdict.headline
    if low is None:
        assert badge == "Undecided"
        assert "Too few" in headline
    else:
        assert badge != "Better" or low > MARGIN
        assert badge != "Worse" or high < -MARGIN
        assert badge != "Slightly better" or low > 0
        assert badge != "Slightly worse" or high < 0
        assert badge != "Equal" or (low >= -MARGIN - 1e-6 and high <= MARGIN + 1e-6)
        assert badge != "Not worse" or low > -MARGIN
        assert (badge == "No difference shown") == (
            found[0].overall.accuracy_verdict == "undecided"
        )
    leaves_open = "leave open whether MMKD beats"
    assert (leaves_open in headline) == (badge == "No difference shown")
    for word in ("beats", "ahead of"):
        assert word not in headline.replace(leaves_open, "") or low > 0
    for word in ("loses", "behind"):
        assert word not in headline or high < 0
    for part, words in PARTS.items():
        claims = [each.claim for each in told if each.part == part]
        assert (f"{words} help (" in text) == ("ahead" in claims)
        assert (f"{words} harm (" in text) == ("behind" in claims)
    others = {baseline.claim for baseline in found[1:]}
    assert ("MMKD is clearly" in text) == bool(others & {"ahead", "behind"})
