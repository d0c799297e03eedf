"""Neyman's allocation: whole seeds, within the budget, by variance and cost and nothing else."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_schedules import SECONDS, SPREADS_PP

from metakd.analysis.statistics.planning import SHRUNK_AS, next_counts
from metakd.analysis.statistics.strata import Strata, group_means


@st.composite
def blocks(draw, most_groups=6):
    """Counts, variances, costs, weights and a budget."""
    groups = draw(st.integers(1, most_groups))

    def each(of):
        return np.array(draw(st.lists(of, min_size=groups, max_size=groups)))

    weights = each(st.floats(0.1, 1))
    return (
        each(st.integers(2, 12)),
        each(st.floats(0, 15)),
        each(st.floats(0.5, 20)),
        weights / weights.sum(),
        draw(st.floats(0, 200)),
    )


def shrunk(counts, variances):
    return ((counts - 1) * variances + SHRUNK_AS * np.nanmean(variances)) / (counts - 1 + SHRUNK_AS)


def variance(counts, of_one, weights):
    return float((weights**2 * of_one / counts).sum())


@settings(deadline=None)
@given(blocks())
def test_no_group_loses_seeds_and_the_budget_holds(block) -> None:
    counts, _, costs, _, budget = block
    after = next_counts(*block)
    assert after.dtype == np.int64
    assert (after >= counts).all()
    assert ((after - counts) * costs).sum() <= budget + 1e-6


@settings(deadline=None)
@given(blocks())
def test_what_is_left_pays_at_most_one_seed_of_every_group(block) -> None:
    counts, _, costs, _, budget = block
    after = next_counts(*block)
    # Groups that are alike are served together, or not at all: the next look has what is left.
    assert budget - ((after - counts) * costs).sum() < costs.sum() + 1e-6


@settings(deadline=None)
@given(blocks(most_groups=3))
def test_few_groups_are_served_nearly_as_well_as_can_be(block) -> None:
    counts, variances, costs, weights, budget = block
    budget = min(budget, 12 * costs.min())
    found = next_counts(counts, variances, costs, weights, budget)
    of_one = np.maximum(shrunk(counts, variances), 1e-12)
    most = [range(int(budget / cost) + 1) for cost in costs]
    best = min(
        variance(counts + extra, of_one, weights)
        for extra in map(np.array, product(*most))
        if (extra * costs).sum() <= budget
    )
    # What whole seeds leave of the budget would buy no more than one seed of each group.
    assert variance(found + 1, of_one, weights) <= best + 1e-12
    assert variance(found, of_one, weights) <= variance(counts, of_one, weights)


def test_a_large_block_is_in_proportion_to_weight_spread_and_cost() -> None:
    weights = np.arange(1, 10) / 45
    counts = np.full(9, 6)
    after = next_counts(counts, SPREADS_PP**2, SECONDS, weights, 1e7)
    # Shrunk by what six seeds can show, whatever the block; large counts are left alone.
    share = after / (weights * np.sqrt(shrunk(counts, SPREADS_PP**2) / SECONDS))
    assert share == pytest.approx(np.full(9, share.mean()), rel=1e-3)
    many = next_counts(np.full(9, 5000), SPREADS_PP**2, SECONDS, weights, 1e7)
    share = many / (weights * SPREADS_PP / np.sqrt(SECONDS))
    grown = many > 5000
    assert grown.any()
    assert share[grown] == pytest.approx(np.full(grown.sum(), share[grown].mean()), rel=0.05)


def test_a_group_that_is_to_get_no_more_gets_none() -> None:
    variances = np.array([1.0, np.nan, 4.0])
    after = next_counts([4, 3, 4], variances, [1.0, 1, 1], np.ones(3) / 3, 30.0)
    assert after[1] == 3
    assert after[0] + after[2] - 8 in (29, 30)
    none = next_counts([4, 3], [np.nan, np.nan], [1.0, 1], [0.5, 0.5], 30.0)
    assert none.tolist() == [4, 3]


def test_a_group_whose_few_seeds_agree_is_not_forgotten() -> None:
    after = next_counts([4, 4], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5], 100.0)
    assert after[0] > 12


def test_groups_that_vary_by_less_than_a_sample_are_alike() -> None:
    counts, variances, costs, weights = [6, 6, 6], [0.0, 0.07, 0.5], np.ones(3), np.ones(3) / 3
    plain = next_counts(counts, variances, costs, weights, 300.0)
    assert plain[0] < plain[1]
    in_samples = next_counts(counts, variances, costs, weights, 300.0, 0.28)
    assert in_samples[0] == in_samples[1] < in_samples[2]


def test_without_any_spread_all_groups_grow_by_their_costs() -> None:
    after = next_counts([4, 4], [0.0, 0.0], [1.0, 4.0], [0.5, 0.5], 60.0)
    assert after[0] == pytest.approx(2 * after[1], abs=2)


def test_many_studies_at_once_are_each_alone() -> None:
    random = np.random.default_rng(0)
    counts, variances = random.integers(4, 9, (50, 9)), random.chisquare(2, (50, 9))
    variances[random.random((50, 9)) < 0.1] = np.nan
    weights, budgets = np.ones(9) / 9, random.uniform(0, 900, 50)
    together = next_counts(counts, variances, SECONDS, weights, budgets)
    for one, row in enumerate(together):
        alone = next_counts(counts[one], variances[one], SECONDS, weights, budgets[one])
        assert alone.tolist() == row.tolist()


@settings(deadline=None)
@given(st.lists(st.integers(-400, 400), min_size=9, max_size=9), st.integers(0, 2**32))
def test_means_change_no_allocation(shifts, seed) -> None:
    """Shifting all differences of a setting, by whole samples, leaves every count."""
    random = np.random.default_rng(seed)
    samples = 256  # A unit that binary fractions hold, so that a shift is exact.
    differences = random.integers(-8, 9, size=(9, 6)) * 100 / samples
    strata = Strata(tuple(range(9)), 100 / samples)
    shifted = differences + np.array(shifts)[:, None] * 100 / samples
    counts = []
    for each in (differences, shifted):
        found = group_means(each, strata)
        counts.append(next_counts(found.counts, found.variances, SECONDS, found.weights, 260.0))
    assert counts[0].tolist() == counts[1].tolist()
