import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from metakd.analysis.statistics.intervals import (
    complete_block,
    crossed_interval,
    mean_squares,
    paired_interval,
    seeds_interval,
)

SIMULATIONS = 10_000
TABLES = arrays(np.float64, (4, 3), elements=st.floats(-5, 5))


def covers_zero(differences) -> bool:
    interval = crossed_interval(differences)
    return interval.low_pp <= 0 <= interval.high_pp


def simulate(shape, shared_by_seed, shared_by_setting, gaps=None, simulations=SIMULATIONS):
    """Coverage of the true mean 0 under crossed normal effects; ``gaps`` makes missing cells."""
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(simulations):
        table = (
            random.normal(size=shape)
            + shared_by_seed * random.normal(size=(1, shape[1]))
            + shared_by_setting * random.normal(size=(shape[0], 1))
        )
        if gaps is not None:
            table[gaps(random, shape)] = np.nan
        hits += covers_zero(table)
    return hits / simulations


def scattered(random, shape):
    """Single trials failed, here and there."""
    return random.random(shape) < 0.05


def unfinished(random, shape):
    """The study still runs: of the last seed some settings are there."""
    missing = np.zeros(shape, bool)
    missing[random.integers(1, shape[0]) :, -1] = True
    return missing


def failing_setting(random, shape):
    """One setting keeps failing, and a few trials of others did, too."""
    missing = random.random(shape) < 0.02
    missing[0, 1:] = True
    return missing


@pytest.mark.parametrize("shared_by_seed", [0, 1])
@pytest.mark.parametrize("shared_by_setting", [0, 1])
def test_the_two_way_interval_covers_in_all_four_truths(shared_by_seed, shared_by_setting) -> None:
    assert simulate((9, 5), shared_by_seed, shared_by_setting) >= 0.94


@pytest.mark.parametrize("shared_by_seed", [0, 1])
@pytest.mark.parametrize("shared_by_setting", [0, 1])
@pytest.mark.parametrize("gaps", [scattered, unfinished, failing_setting])
def test_the_fallback_for_missing_cells_covers_too(shared_by_seed, shared_by_setting, gaps) -> None:
    coverage = simulate((9, 6), shared_by_seed, shared_by_setting, gaps, simulations=3000)
    assert coverage >= 0.94


def test_it_covers_with_fewer_settings_than_seeds() -> None:
    assert simulate((4, 10), shared_by_seed=0, shared_by_setting=1) >= 0.94


def test_the_paired_interval_is_scipys() -> None:
    differences = np.array([0.3, -0.1, 0.4, 0.2, 0.9])
    interval = paired_interval(differences)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert interval.mean_pp == pytest.approx(differences.mean())
    assert (interval.low_pp, interval.high_pp) == pytest.approx((expected.low, expected.high))
    assert (interval.pairs, interval.method) == (5, "paired t over 5 seeds")


def test_missing_pairs_do_not_count() -> None:
    whole = np.array([0.3, -0.1, 0.4])
    assert paired_interval(np.array([0.3, np.nan, -0.1, 0.4])) == paired_interval(whole)


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0]])
def test_below_three_pairs_there_is_no_interval(values) -> None:
    interval = paired_interval(np.array(values))
    assert interval.mean_pp == pytest.approx(np.mean(values))
    assert interval.low_pp is interval.high_pp is None
    assert f"there are {len(values)}" in interval.method


def test_without_pairs_there_is_no_mean() -> None:
    for interval in (paired_interval(np.array([])), crossed_interval(np.full((3, 2), np.nan))):
        assert (interval.mean_pp, interval.low_pp, interval.high_pp) == (None, None, None)
        assert (interval.pairs, interval.method) == (0, "no complete pair")


def test_equal_differences_have_no_width() -> None:
    for interval in (paired_interval(np.full(4, 0.25)), crossed_interval(np.full((3, 4), 0.25))):
        assert (interval.mean_pp, interval.low_pp, interval.high_pp) == (0.25, 0.25, 0.25)


def test_the_mean_squares_are_those_of_the_two_way_table() -> None:
    # Row means 1 and 3, column means 1.5 and 2.5; the rest is ±0.25.
    block = np.array([[0.75, 1.25], [2.25, 3.75]])
    variance, freedom = mean_squares(block).variance_of_mean(2, 2)
    ms_settings, ms_seeds, ms_rest = 4.0, 1.0, 0.25
    both = ms_settings + ms_seeds - ms_rest
    assert variance == pytest.approx(both / 4)
    assert freedom == pytest.approx(both**2 / (ms_settings**2 + ms_seeds**2 + ms_rest**2))


def test_without_spread_between_means_the_freedom_is_that_of_the_smaller_factor() -> None:
    block = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    assert mean_squares(block).variance_of_mean(2, 3) == (0.0, 1)


def test_one_setting_is_judged_over_its_seeds() -> None:
    differences = np.array([[0.1, 0.5, 0.3, 0.2]])
    assert crossed_interval(differences) == paired_interval(differences[0])


def test_one_seed_gives_no_interval_however_many_settings() -> None:
    interval = crossed_interval(np.arange(9.0)[:, None])
    assert interval.mean_pp == pytest.approx(4.0)
    assert interval.low_pp is interval.high_pp is None
    assert "one seed" in interval.method


def test_an_unfinished_last_seed_is_left_out() -> None:
    random = np.random.default_rng(1)
    differences = random.normal(size=(5, 4))
    differences[2:, 3] = np.nan
    interval, finished = crossed_interval(differences), crossed_interval(differences[:, :3])
    assert (interval.low_pp, interval.high_pp) == (finished.low_pp, finished.high_pp)
    assert interval.pairs == 15
    assert interval.method.endswith("; 2 pairs outside this complete block left out")


def test_a_setting_that_never_ran_is_left_out() -> None:
    missing = np.zeros((3, 4))
    missing[1] = np.nan
    rows, columns = complete_block(missing)
    assert (rows.tolist(), columns.tolist()) == ([0, 2], [0, 1, 2, 3])


@given(arrays(np.bool_, (5, 4)))
def test_the_block_is_complete_and_depends_on_gaps_alone(missing) -> None:
    values = np.where(missing, np.nan, np.arange(20.0).reshape(5, 4))
    rows, columns = complete_block(values)
    assert np.isfinite(values[np.ix_(rows, columns)]).all()
    other_rows, other_columns = complete_block(-7 * values)
    assert (rows.tolist(), columns.tolist()) == (other_rows.tolist(), other_columns.tolist())


@given(TABLES, st.permutations(range(4)), st.permutations(range(3)))
def test_order_does_not_matter(table, settings, seeds) -> None:
    interval = crossed_interval(table)
    other = crossed_interval(table[np.ix_(settings, seeds)])
    assert other.mean_pp == pytest.approx(interval.mean_pp, abs=1e-9)
    assert other.low_pp == pytest.approx(interval.low_pp, abs=1e-6)
    assert other.high_pp == pytest.approx(interval.high_pp, abs=1e-6)


@given(TABLES, st.floats(-3, 3))
def test_it_moves_with_the_differences_and_mirrors_with_their_sign(table, shift) -> None:
    interval = crossed_interval(table)
    assert crossed_interval(table + shift).mean_pp == pytest.approx(interval.mean_pp + shift)
    mirrored = crossed_interval(-table)
    assert math.isclose(mirrored.low_pp, -interval.high_pp, abs_tol=1e-9)


def test_over_seeds_the_settings_means_are_one_sample() -> None:
    differences = np.random.default_rng(3).normal(0.5, 1.0, (4, 9))
    found = seeds_interval(differences)
    by_hand = paired_interval(differences.mean(axis=0))
    assert (found.mean_pp, found.low_pp, found.high_pp) == (
        by_hand.mean_pp,
        by_hand.low_pp,
        by_hand.high_pp,
    )
    assert found.pairs == 36
    assert found.method == "t over the means of 9 seeds in these 4 settings"
    one = seeds_interval(differences[:1])
    assert one == replace(paired_interval(differences[0]), pairs=9)


def test_over_seeds_settings_may_differ_without_widening_the_interval() -> None:
    differences = np.random.default_rng(4).normal(0.0, 1.0, (3, 8))
    moved = seeds_interval(differences + np.array([[-9.0], [0.0], [9.0]]))
    still = seeds_interval(differences)
    assert moved.low_pp == pytest.approx(still.low_pp)
    assert moved.high_pp == pytest.approx(still.high_pp)
    wide = crossed_interval(differences + np.array([[-9.0], [0.0], [9.0]]))
    assert wide.high_pp is not None
    assert still.high_pp is not None
    assert wide.high_pp > 5 * still.high_pp


def test_over_seeds_missing_pairs_leave_the_complete_block() -> None:
    differences = np.ones((2, 5)) * np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    differences[1, 4] = np.nan
    found = seeds_interval(differences)
    assert found.mean_pp == pytest.approx(2.5)
    assert found.method.endswith("; 1 pair outside this complete block left out")
    assert seeds_interval(np.full((2, 3), np.nan)).mean_pp is None
    assert seeds_interval(np.ones((2, 2))).low_pp is None
