import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metakd.analysis.questions.gap_numbers import best_before_last, drop, slope

SCORES = arrays(np.float64, (4, 2, 3), elements=st.floats(0, 100))


@given(SCORES)
def test_a_slope_is_that_of_the_least_squares_line(scores) -> None:
    lines = np.polyfit(np.arange(4), scores.reshape(4, -1), 1)[0].reshape(2, 3)
    assert slope(scores) == pytest.approx(lines, abs=1e-9)


@given(SCORES)
def test_the_best_is_never_the_last(scores) -> None:
    best = best_before_last(scores)
    means = scores.mean(axis=(1, 2))
    assert best in range(3)
    assert means[best] == pytest.approx(means[:3].max())


def test_equal_levels_go_to_the_first() -> None:
    assert best_before_last(np.ones((3, 1, 4))) == 0


def test_only_complete_cells_choose() -> None:
    validation = np.array([[[0.5, 0.5]], [[0.4, 0.9]], [[0.1, np.nan]]])
    assert best_before_last(validation) == 0
    assert best_before_last(np.full((2, 1, 3), np.nan)) is None


def test_a_drop_is_the_level_minus_the_last() -> None:
    scores = np.array([[[3.0, 4.0]], [[7.0, 9.0]], [[1.0, np.nan]]])
    assert np.array_equal(drop(scores, 1), [[6.0, np.nan]], equal_nan=True)
    assert np.array_equal(slope(scores), [[-1.0, np.nan]], equal_nan=True)
