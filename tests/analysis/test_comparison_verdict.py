import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.comparison import accuracy_verdict, cost_verdict
from metakd.analysis.statistics.intervals import Interval

MARGIN = 0.2


def interval(low, high) -> Interval:
    return Interval((low + high) / 2, low, high, 9, "made up")


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.3, 0.5, "better"),
        (0.1, 0.5, "slightly better"),
        (0.2, 0.5, "slightly better"),
        (-0.1, 0.1, "equivalent"),
        (0.1, 0.2, "equivalent"),
        (-0.2, -0.1, "equivalent"),
        (-0.2, 0.2, "equivalent"),
        (-0.1, 0.5, "not worse"),
        (0.0, 0.5, "not worse"),
        (-0.2, 0.5, "undecided"),
        (-0.5, 0.1, "undecided"),
        (-0.5, 0.0, "undecided"),
        (-0.5, 0.5, "undecided"),
        (-0.5, -0.1, "slightly worse"),
        (-0.5, -0.2, "slightly worse"),
        (-0.5, -0.3, "worse"),
    ],
)
def test_every_branch_of_the_rule(low, high, word) -> None:
    assert accuracy_verdict(interval(low, high), MARGIN) == word


def test_without_an_interval_nothing_is_decided() -> None:
    assert accuracy_verdict(Interval(5.0, None, None, 2, "too few"), MARGIN) == "undecided"
    assert accuracy_verdict(Interval(None, None, None, 0, "none"), MARGIN) == "no data"


def test_a_difference_of_one_test_sample_does_not_pass_its_own_margin() -> None:
    one_sample = 100 * (0.9 + 1 / 360 - 0.9)
    assert accuracy_verdict(interval(one_sample, one_sample), 100 / 360) == "equivalent"


@given(st.floats(-2, 2), st.floats(0, 2))
def test_the_rule_is_symmetric_where_the_words_are(low, width) -> None:
    opposite = {
        "better": "worse",
        "worse": "better",
        "slightly better": "slightly worse",
        "slightly worse": "slightly better",
        "equivalent": "equivalent",
    }
    word = accuracy_verdict(interval(low, low + width), MARGIN)
    mirrored = accuracy_verdict(interval(-low - width, -low), MARGIN)
    assert mirrored == opposite.get(word, mirrored)
    if word not in opposite:
        assert mirrored in ("undecided", "not worse")


@pytest.mark.parametrize(
    ("ratios", "word", "factor"),
    [
        ((3.0, 2.5), "cheaper", 3.0),
        ((3.0, None), "cheaper", 3.0),
        ((0.5, 0.4), "dearer", 2.0),
        ((3.0, 1.0), "mixed", 1.0),
        ((3.0, 0.3), "mixed", 1.0),
        ((1 / 1.08, 1 / 3.1), "mixed", 1.0),
        ((1.05, 0.95), "same", 1.0),
        ((1.05, None), "same", 1.0),
        ((None, 3.0), "unknown", 1.0),
        ((None, None), "unknown", 1.0),
    ],
)
def test_cost_is_claimed_only_where_a_count_of_steps_agrees(ratios, word, factor) -> None:
    assert cost_verdict(*ratios) == (word, factor)
