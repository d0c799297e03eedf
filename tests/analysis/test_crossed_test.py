import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from metakd.analysis.crossed_test import crossed_p_value
from metakd.analysis.intervals import crossed_interval

TABLES = arrays(np.float64, (3, 4), elements=st.floats(-5, 5).map(lambda x: round(x, 3)))


@given(TABLES, st.sampled_from([0.9, 0.95, 0.99]))
def test_it_is_small_exactly_where_the_interval_leaves_out_zero(table, level) -> None:
    interval = crossed_interval(table, level)
    p = crossed_p_value(table)
    if interval.high_pp - interval.low_pp > 1e-6 and abs(p - (1 - level)) > 1e-9:
        assert (p < 1 - level) == (interval.low_pp > 0 or interval.high_pp < 0)


def test_one_setting_is_scipys_paired_t() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.9])
    expected = stats.ttest_1samp(differences, 0).pvalue
    assert crossed_p_value(differences[None]) == pytest.approx(expected)


@pytest.mark.parametrize(("value", "p"), [(0.25, 2 / 2**5), (0.0, 1.0)])
def test_differences_that_agree_by_chance_prove_little(value, p) -> None:
    assert crossed_p_value(np.full((3, 5), value)) == p
    assert crossed_p_value(np.full((1, 5), value)) == p
    # Means of seeds and settings agree, though cells do not.
    assert (
        crossed_p_value(value + np.array([[1.0, -1.0] * 2 + [0.0], [-1.0, 1.0] * 2 + [0.0]])) == p
    )


def test_where_there_is_no_interval_there_is_no_p() -> None:
    assert crossed_p_value(np.arange(4.0)[:, None]) is None
    assert crossed_p_value(np.arange(2.0)[None]) is None
    assert crossed_p_value(np.full((3, 4), np.nan)) is None


def test_what_is_missing_is_left_out_as_the_interval_does() -> None:
    table = np.random.default_rng(0).normal(1, 1, (3, 5))
    table[1:, 4] = np.nan
    assert crossed_p_value(table) == crossed_p_value(table[:, :4])
