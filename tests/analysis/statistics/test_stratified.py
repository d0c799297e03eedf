"""The mean over independent groups: Welch's and Satterthwaite's formulas, and their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metakd.analysis.statistics.intervals import paired_interval
from metakd.analysis.statistics.strata import (
    Strata,
    StratifiedMean,
    group_means,
    mean_interval,
    stratified_mean,
)

LEVELS = (0.5, 0.95, 0.9998)
SAMPLES = st.lists(st.floats(-5, 5), min_size=3, max_size=8).filter(lambda x: np.ptp(x) > 0.1)
GROUPS = st.lists(SAMPLES, min_size=1, max_size=5)


def of(groups, weights=None, units=0.0) -> StratifiedMean:
    means = [np.mean(each) for each in groups]
    variances = [np.var(each, ddof=1) for each in groups]
    if weights is None:
        weights = np.full(len(groups), 1 / len(groups))
    return stratified_mean(means, variances, [len(each) for each in groups], weights, units)


def test_the_closed_form() -> None:
    found = stratified_mean([1.0, 3.0], [4.0, 9.0], [4, 6], [0.25, 0.75])
    assert found.mean == pytest.approx(0.25 * 1 + 0.75 * 3)
    first, second = 0.25**2 * 4 / 4, 0.75**2 * 9 / 6
    assert found.variance == pytest.approx(first + second)
    assert found.freedom == pytest.approx((first + second) ** 2 / (first**2 / 3 + second**2 / 5))
    wanted = stats.t.ppf(0.975, found.freedom) * math.sqrt(first + second)
    assert found.half_width(0.95) == pytest.approx(wanted)


@settings(deadline=None)
@given(SAMPLES, SAMPLES)
def test_two_groups_are_welch(first, second) -> None:
    found = of([first, np.negative(second)])
    for level in LEVELS:
        welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(level)
        # Scipy has the difference, this the mean of the two: half of it.
        assert found.mean - found.half_width(level) == pytest.approx(welch.low / 2, abs=1e-9)
        assert found.mean + found.half_width(level) == pytest.approx(welch.high / 2, abs=1e-9)


@settings(deadline=None)
@given(SAMPLES)
def test_one_group_is_the_paired_t(sample) -> None:
    found, differences = of([sample]), np.array(sample)
    for level in LEVELS:
        paired = paired_interval(differences, level)
        assert found.mean - found.half_width(level) == pytest.approx(paired.low_pp, abs=1e-9)
        interval = mean_interval(differences[None], Strata((0,), 0.0), level)
        assert (interval.low_pp, interval.high_pp) == pytest.approx((paired.low_pp, paired.high_pp))


@settings(deadline=None)
@given(GROUPS, st.floats(0.1, 10), st.floats(-5, 5), st.floats(0.0, 1.0))
def test_scaled_and_shifted_differences_scale_and_shift_the_interval(
    groups, scale, shift, unit
) -> None:
    plain = of(groups, units=unit)
    moved = of([scale * np.array(each) + shift for each in groups], units=scale * unit)
    assert moved.mean == pytest.approx(scale * plain.mean + shift, abs=1e-9)
    assert moved.variance == pytest.approx(scale**2 * plain.variance)
    assert moved.freedom == pytest.approx(plain.freedom)


@settings(deadline=None)
@given(GROUPS)
def test_freedom_lies_between_the_smallest_group_s_and_their_sum(groups) -> None:
    below = [len(each) - 1 for each in groups]
    assert min(below) - 1e-9 <= of(groups).freedom <= sum(below) + 1e-9


def test_many_studies_at_once_are_each_alone() -> None:
    random = np.random.default_rng(0)
    means, variances = random.normal(size=(5, 7, 3)), random.chisquare(3, size=(5, 7, 3))
    counts, weights = random.integers(2, 9, size=(5, 7, 3)), np.array([0.5, 0.3, 0.2])
    units = np.array([0.1, 0.2, 0.3])
    found = stratified_mean(means, variances, counts, weights, units)
    for place in np.ndindex(5, 7):
        alone = stratified_mean(means[place], variances[place], counts[place], weights, units)
        assert [float(each[place]) for each in found] == pytest.approx(
            [float(each) for each in alone]
        )
        assert found.half_width(0.95)[place] == pytest.approx(alone.half_width(0.95))


@pytest.mark.parametrize("n", [2, 4, 30])
def test_equal_differences_vary_by_one_off_by_a_unit(n: int) -> None:
    unit = 100 / 360
    equal = stratified_mean([unit], [0.0], [n], [1.0], [unit])
    one_off = np.array([unit] * (n - 1) + [0.0])
    assert equal.variance == pytest.approx(np.var(one_off, ddof=1) / n)
    # More spread than that is left as it is.
    more = stratified_mean([unit], [1.0], [n], [1.0], [unit])
    assert more.variance == pytest.approx(max(1.0, unit**2 / n) / n)


def test_no_spread_and_no_unit_is_an_interval_without_width() -> None:
    found = stratified_mean([1.0, 2.0], [0.0, 0.0], [3, 5], [0.5, 0.5])
    assert (found.mean, found.half_width(0.95), found.freedom) == (1.5, 0.0, 6)


def test_a_group_without_spread_leaves_the_others_freedom() -> None:
    found = stratified_mean([1.0, 2.0], [0.0, 4.0], [3, 5], [0.5, 0.5])
    assert found.freedom == pytest.approx(4)


def test_groups_have_the_weight_of_their_rows() -> None:
    # The first two settings share their seeds, so that their mean is one group.
    differences = np.array([[1.0, 2, 3, np.nan], [3.0, 4, 8, np.nan], [5.0, 5, 6, 9]])
    found = group_means(differences, Strata((7, 7, 2), 0.25))
    assert found.groups == (2, 7)
    assert found.weights == pytest.approx([1 / 3, 2 / 3])
    assert found.counts.tolist() == [4, 3]
    assert found.means == pytest.approx([6.25, np.mean([2, 3, 5.5])])
    assert found.variances == pytest.approx(
        [np.var([5, 5, 6, 9], ddof=1), np.var([2, 3, 5.5], ddof=1)]
    )
    assert found.mean().mean == pytest.approx(differences[:, :3].mean() + (6.25 - 16 / 3) / 3)


def test_seeds_of_one_group_move_no_other() -> None:
    random = np.random.default_rng(1)
    differences, strata = random.normal(size=(3, 6)), Strata((0, 1, 2), 0.1)
    shuffled = differences.copy()
    shuffled[1] = random.permutation(shuffled[1])
    before, after = (mean_interval(each, strata) for each in (differences, shuffled))
    assert (before.low_pp, before.high_pp) == pytest.approx((after.low_pp, after.high_pp))
