import pytest

from metakd.analysis.wording import counted, listed, signed_pp, times


@pytest.mark.parametrize(
    ("value", "text"), [(0.154, "+0.15"), (-0.08, "−0.08"), (-0.004, "0.00"), (12.0, "+12.00")]
)
def test_differences_are_signed(value, text) -> None:
    assert signed_pp(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2"), (3.14, "3.1"), (0.625, "0.62"), (12.3, "12"), (120.4, "120")]
)
def test_factors_have_two_digits(value, text) -> None:
    assert times(value) == f"{text} times"


def test_words_are_joined_as_people_do() -> None:
    assert (counted(1, "seed"), counted(2, "seed")) == ("1 seed", "2 seeds")
    assert [listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
