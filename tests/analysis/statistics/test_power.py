import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from metakd.analysis.statistics.intervals import crossed_interval, mean_squares, paired_interval
from metakd.analysis.statistics.power import VarianceParts, detectable_difference, shown_at_power
from metakd.analysis.statistics.strata import Strata, mean_interval, stratified_mean


def effects(random, shape, by_setting, by_seed):
    return (
        random.normal(size=shape)
        + by_setting * random.normal(size=(shape[0], 1))
        + by_seed * random.normal(size=(1, shape[1]))
    )


@pytest.mark.parametrize("freedom", [1, 2, 3.7, 5, 17.3, 40, 400])
def test_the_power_is_80_percent_by_the_noncentral_t(freedom) -> None:
    critical = stats.t.ppf(0.975, freedom)
    shift = brentq(lambda nc: stats.nct.sf(critical, freedom, nc) - 0.8, 0, 20)
    assert shown_at_power(4.0, freedom) == pytest.approx(2 * shift, rel=1e-5)


def test_one_setting_shows_its_difference_in_80_percent_of_studies() -> None:
    random = np.random.default_rng(0)
    truth = shown_at_power(1 / 6, 5)
    shown = sum(paired_interval(random.normal(truth, 1, 6)).low_pp > 0 for _ in range(4000))
    assert shown / 4000 == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("by_setting", "by_seed"), [(1, 0), (0, 1), (1, 1)])
def test_the_average_is_shown_about_as_often(by_setting, by_seed) -> None:
    random = np.random.default_rng(1)
    truth = VarianceParts(by_setting**2, by_seed**2, 1.0).shown(9, 6)
    shown = sum(
        crossed_interval(truth + effects(random, (9, 6), by_setting, by_seed)).low_pp > 0
        for _ in range(4000)
    )
    assert shown / 4000 == pytest.approx(0.8, abs=0.06)


def test_the_parts_are_those_that_made_the_table() -> None:
    table = effects(np.random.default_rng(2), (400, 400), by_setting=2, by_seed=3)
    parts = VarianceParts.of(mean_squares(table), 400, 400)
    assert (parts.settings, parts.seeds, parts.rest) == pytest.approx((4, 9, 1), rel=0.15)


@given(st.integers(0, 1000))
def test_now_is_the_headlines_own_spread(seed) -> None:
    table = effects(np.random.default_rng(seed), (4, 5), 1, 1)
    squares = mean_squares(table)
    found = detectable_difference(table)
    assert (found.settings_now, found.seeds_now) == (4, 5)
    assert found.now_pp == found.average_pp[found.seeds.index(5)]
    if min(squares.settings, squares.seeds) > squares.rest:
        own = shown_at_power(*squares.variance_of_mean(4, 5))
        assert found.now_pp == pytest.approx(own)


@given(*[st.floats(0, 9)] * 2, st.floats(0.1, 9), st.integers(2, 30), st.integers(3, 30))
def test_twice_as_much_of_both_shows_less(by_setting, by_seed, rest, settings, seeds) -> None:
    parts = VarianceParts(by_setting, by_seed, rest)
    assert parts.shown(2 * settings, 2 * seeds) < parts.shown(settings, seeds)
    found = [shown_at_power((by_seed + rest) / n, n - 1) for n in range(3, 31)]
    assert found == sorted(found, reverse=True)


def test_what_helps_more_is_where_the_spread_is() -> None:
    random = np.random.default_rng(3)
    assert detectable_difference(effects(random, (9, 6), 5, 0)).more_settings_help_more
    assert not detectable_difference(effects(random, (9, 6), 0, 5)).more_settings_help_more


def test_one_setting_has_no_average() -> None:
    differences = np.array([[0.1, 0.5, 0.2, 0.4]])
    found = detectable_difference(differences)
    assert (found.settings_now, found.seeds_now, found.now_pp) == (1, 4, None)
    assert found.average_pp == found.average_doubled_pp == ()
    assert not found.more_settings_help_more
    own = shown_at_power(differences.var(ddof=1) / 4, 3)
    assert found.one_setting_pp[found.seeds.index(4)] == pytest.approx(own)


def test_missing_pairs_leave_the_complete_block() -> None:
    table = effects(np.random.default_rng(4), (4, 5), 1, 1)
    gappy = table.copy()
    gappy[0, 4] = np.nan
    assert detectable_difference(gappy) == detectable_difference(table[:, :4])


@pytest.mark.parametrize(
    "differences",
    [np.full((3, 3), np.nan), np.ones((3, 1)), np.full((3, 4), 100 * (0.9 - 0.7)), np.ones((1, 1))],
)
def test_without_spread_nothing_is_promised(differences) -> None:
    assert detectable_difference(differences) is None


def own(settings):
    return Strata(tuple(range(settings)), 0.0)


def test_of_seeds_of_their_own_the_headlines_interval_shows_it_as_often() -> None:
    spread = np.array([3.0, 1.0, 0.5, 0.5])[:, None]
    random = np.random.default_rng(5)
    variances = spread[:, 0] ** 2
    mean = stratified_mean(np.zeros(4), variances, np.full(4, 8), np.full(4, 0.25))
    truth = shown_at_power(float(mean.variance), float(mean.freedom))
    shown = 0
    for _ in range(2000):
        table = truth + spread * random.normal(size=(4, 8))
        shown += mean_interval(table, own(4)).low_pp > 0
    assert shown / 2000 == pytest.approx(0.8, abs=0.04)


def test_of_seeds_of_their_own_settings_do_not_vary() -> None:
    """How far settings are apart is no chance where the study speaks of these."""
    table = effects(np.random.default_rng(6), (4, 6), 0, 0)
    apart = table + np.array([0.0, 5.0, -9.0, 30.0])[:, None]
    found = detectable_difference(table, own(4))
    assert detectable_difference(apart, own(4)).average_pp == pytest.approx(found.average_pp)
    assert found.is_of_these_settings
    assert found.average_doubled_pp == ()
    assert found.now_pp == pytest.approx(found.average_pp[found.seeds.index(6)])
    assert found.twice_the_seeds_pp == pytest.approx(found.average_pp[found.seeds.index(12)])
    assert found.twice_the_seeds_pp < found.now_pp


def test_of_unequal_numbers_of_seeds_the_studys_own_count() -> None:
    table = effects(np.random.default_rng(7), (3, 12), 0, 0)
    table[0, 5:] = np.nan
    found = detectable_difference(table, own(3))
    variances = [np.var(row[np.isfinite(row)], ddof=1) for row in table]
    mean = stratified_mean(np.zeros(3), variances, [5, 12, 12], np.full(3, 1 / 3))
    assert found.seeds_now == 5
    assert found.now_pp == pytest.approx(shown_at_power(mean.variance, mean.freedom))


@pytest.mark.parametrize("differences", [np.full((2, 3), np.nan), np.ones((2, 1)), np.ones((2, 3))])
def test_of_seeds_of_their_own_nothing_is_promised_without_spread(differences) -> None:
    assert detectable_difference(differences, own(2)) is None
