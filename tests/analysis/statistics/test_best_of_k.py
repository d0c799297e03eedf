from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.statistics.selection import expected_best_of_k, rank_by_validation

TAUS = (1.0, 2.0, 4.0, 8.0, 16.0)
ACCURACIES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=5, max_size=5)


def brute_force(validation, test, k) -> float:
    """Every subset searches on its own."""
    won = []
    for subset in combinations(range(5), k):
        picked = rank_by_validation(validation[list(subset)], tuple(TAUS[i] for i in subset), 4.0)
        won.append(test[subset[picked[0]]])
    return float(np.mean(won))


@given(ACCURACIES, ACCURACIES, st.integers(1, 5))
def test_it_is_the_mean_over_all_subsets(validation, test, k) -> None:
    validation, test = np.array(validation), np.array(test)
    ranked = test[rank_by_validation(validation, TAUS, 4.0)]
    expected = brute_force(validation, test, k)
    assert expected_best_of_k(ranked[:, None, None], k)[0, 0] == pytest.approx(expected)


@given(ACCURACIES)
def test_under_a_perfect_validation_more_runs_never_hurt(accuracies) -> None:
    accuracies = np.array(accuracies)
    ranked = accuracies[rank_by_validation(accuracies, TAUS, 4.0)][:, None, None]
    expected = [expected_best_of_k(ranked, k)[0, 0] for k in range(1, 6)]
    assert (np.diff(expected) >= -1e-12).all()
    assert expected[-1] == pytest.approx(accuracies.max())


def test_one_of_k_is_the_mean_and_all_is_the_winner() -> None:
    ranked = np.arange(12.0).reshape(3, 2, 2)
    assert np.allclose(expected_best_of_k(ranked, 1), ranked.mean(axis=0))
    assert np.array_equal(expected_best_of_k(ranked, 3), ranked[0])


def test_a_missing_run_makes_the_pair_missing() -> None:
    ranked = np.array([[[0.1, 0.2]], [[np.nan, 0.3]]])
    assert np.isnan(expected_best_of_k(ranked, 2)).tolist() == [[True, False]]
