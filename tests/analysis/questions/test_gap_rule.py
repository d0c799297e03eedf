import pytest

from metakd.analysis.questions.gap_numbers import drop_verdict, gain_verdict, mending_verdict
from metakd.analysis.statistics.intervals import Interval

NOTHING = Interval(None, None, None, 0, "no complete pair")


def around(mean: float, half: float = 0.1) -> Interval:
    return Interval(mean, mean - half, mean + half, 6, "made up")


@pytest.mark.parametrize(
    ("drop", "p", "word"),
    [
        (around(1.0), 0.01, "there"),
        (around(-1.0), 0.01, "the reverse"),
        (around(1.0), 0.05, "not shown"),
        (around(-1.0), 0.2, "not shown"),
        (Interval(1.0, None, None, 2, "too few"), None, "not shown"),
        (NOTHING, None, "no data"),
    ],
)
def test_a_drop_is_claimed_by_its_corrected_p(drop, p, word) -> None:
    assert drop_verdict(drop, p) == word


@pytest.mark.parametrize(
    ("reference", "mending", "p", "rest", "word"),
    [
        ("there", around(1.0), 0.01, around(0.0), "mended"),
        ("there", around(1.0), 0.01, around(-3.0), "mended"),
        ("there", around(1.0), 0.01, around(0.1), "mended"),
        ("there", around(1.0), 0.01, around(0.15), "reduced"),
        ("there", around(1.0), 0.01, Interval(0.0, None, None, 2, ""), "reduced"),
        ("there", around(1.0), 0.06, around(0.0), "not shown to be reduced"),
        ("there", around(-1.0), 0.01, around(2.0), "enlarged"),
        ("there", around(-1.0), 0.01, around(-2.0), "enlarged"),
        ("there", Interval(1.0, None, None, 2, ""), None, around(0.0), "not shown to be reduced"),
        ("not shown", around(1.0), 0.01, around(0.0), "nothing to mend"),
        ("the reverse", around(1.0), 0.01, around(0.0), "nothing to mend"),
        ("there", NOTHING, None, NOTHING, "no data"),
    ],
)
def test_only_a_gap_that_is_there_is_mended(reference, mending, p, rest, word) -> None:
    assert mending_verdict(reference, mending, p, rest, 0.2) == word


@pytest.mark.parametrize(
    ("gain", "p", "word"),
    [
        (around(1.0), 0.01, "gain"),
        (around(-1.0), 0.01, "harm"),
        (around(-1.0), 0.3, "open"),
        (NOTHING, None, "open"),
    ],
)
def test_a_gain_may_be_a_harm(gain, p, word) -> None:
    assert gain_verdict(gain, p) == word
