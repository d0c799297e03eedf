"""The declared looks: what each may spend, and which word an interval earns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.analysis.statistics.looks import (
    AHEAD,
    BEHIND,
    EQUIVALENT,
    OPEN,
    Schedule,
    decision,
)
from metakd.analysis.statistics.strata import StratifiedMean
from metakd.study.options import PILOTS

RISING = st.lists(st.floats(0.1, 5), min_size=1, max_size=10).map(
    lambda steps: tuple(1 + np.cumsum(steps) - steps[0])
)


def word(low: float, high: float, margin_pp: float = 0.3) -> str:
    """The word for an interval, made with a half-width of known t and variance."""
    unit = StratifiedMean(np.array(0.0), np.array(1.0), np.array(5.0)).half_width(0.95)
    spread = np.square((high - low) / 2 / unit)
    estimate = StratifiedMean(np.array((low + high) / 2), spread, np.array(5.0))
    half, found = decision(estimate, 0.95, margin_pp)
    assert half == pytest.approx((high - low) / 2)
    return str(found)


@settings(deadline=None)
@given(RISING, st.floats(0.001, 0.2))
def test_all_looks_together_spend_alpha(pilots, alpha) -> None:
    schedule = Schedule(0.3, 6, pilots, alpha)
    missing = [1 - schedule.level(look) for look in range(len(pilots))]
    assert min(missing) > 0
    assert sum(missing) == pytest.approx(alpha)


def test_a_look_has_spent_by_its_share_of_the_compute() -> None:
    schedule = Schedule(0.3, 6, PILOTS)
    for look, pilots in enumerate(PILOTS):
        spent = sum(1 - schedule.level(each) for each in range(look + 1))
        assert spent == pytest.approx(schedule.alpha * (pilots / 16) ** 2)


def test_one_look_spends_everything() -> None:
    assert Schedule(0.3, 6, (1.0,), 0.05).level(0) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (-0.2, 0.2, EQUIVALENT),
        (-0.3, 0.3, EQUIVALENT),
        (0.1, 0.2, EQUIVALENT),  # a difference, and a small one
        (0.1, 0.31, AHEAD),
        (-0.31, -0.1, BEHIND),
        (0.31, 0.5, AHEAD),
        (-0.5, -0.31, BEHIND),
        (0.0, 0.5, OPEN),
        (-0.5, 0.0, OPEN),
        (-0.31, 0.2, OPEN),
        (-0.2, 0.31, OPEN),
        (-1.0, 1.0, OPEN),
    ],
)
def test_the_words(low: float, high: float, wanted: str) -> None:
    assert word(low, high) == wanted


def test_an_interval_without_width_at_a_border() -> None:
    assert word(0.3, 0.3) == EQUIVALENT
    assert word(0.0, 0.0) == EQUIVALENT
    assert word(0.1 + 0.2, 0.1 + 0.2) == EQUIVALENT
    assert word(0.4, 0.4) == AHEAD


@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(0, 2), st.floats(0.01, 1))
def test_the_other_way_round_the_words_are_the_other_way_round(mean, half, margin) -> None:
    other = {AHEAD: BEHIND, BEHIND: AHEAD}
    found = word(mean - half, mean + half, margin)
    assert word(-mean - half, -mean + half, margin) == other.get(found, found)


def test_many_studies_at_once() -> None:
    estimate = StratifiedMean(np.array([0.0, 1, -1, 0]), np.full(4, 1e-4) * [1, 1, 1, 1e4], 8.0)
    half, words = decision(estimate, 0.95, 0.3)
    assert half.shape == (4,)
    assert words.tolist() == [EQUIVALENT, AHEAD, BEHIND, OPEN]
