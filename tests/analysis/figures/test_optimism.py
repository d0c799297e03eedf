from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.figures.reliability import selection_optimism
from metakd.analysis.grid import choose
from metakd.analysis.statistics.selection import rank_by_validation
from metakd.analysis.table import make_table

TAUS = (1.0, 2.0, 4.0, 8.0)
ACCURACIES = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=4, max_size=4)


def optimism_of(study):
    return selection_optimism(choose(make_table(study.record(), tuple(study.rows()))))


def brute_force(validation, test, k):
    """Every subset is searched and scored on its own, by each of the three rules."""
    gap = np.mean(validation) - np.mean(test)
    quoted, picked = [], []
    for subset in map(list, combinations(range(4), k)):
        ranks = rank_by_validation(validation[subset], tuple(TAUS[i] for i in subset), 4.0)
        winner = subset[ranks[0]]
        quoted.append(validation[winner] - gap - test[winner])
        picked.append(test[subset].max() - test[winner])
    return 100 * np.mean(quoted), 100 * np.mean(picked)


@given(ACCURACIES, ACCURACIES)
def test_it_is_the_mean_over_all_subsets(made_up, validation, test) -> None:
    validation, test = np.array(validation), np.array(test)

    def accuracy(method, tau, setting, seed):
        return (validation[TAUS.index(tau)], test[TAUS.index(tau)]) if tau else (0.5, 0.5)

    found = optimism_of(made_up(scales=(1.0,), augmentations=("none",), seeds=1, accuracy=accuracy))
    expected = [brute_force(validation, test, k) for k in found.runs]
    assert found.runs == (1, 2, 3, 4)
    assert found.validation_quoted_pp == pytest.approx([q for q, _ in expected], abs=1e-9)
    assert found.test_picked_pp == pytest.approx([p for _, p in expected], abs=1e-9)
    assert found.validation_quoted_pp[0] == pytest.approx(0.0, abs=1e-9)
    assert found.test_picked_pp[0] == pytest.approx(0.0, abs=1e-9)
    assert min(found.test_picked_pp) >= -1e-9


def test_noise_alone_flatters_by_its_expected_maximum(made_up) -> None:
    """All temperatures are equal; validation and test err by 0.6 points: REPORTS has 0.34, 0.57."""
    taus = tuple(float(tau) for tau in range(1, 9))

    def noise(method, tau, setting, seed):
        return tuple(np.random.default_rng([int(tau), seed]).normal(0.9, 0.006, 2))

    study = made_up(
        scales=(1.0,), augmentations=("none",), seeds=400, temperatures=taus, accuracy=noise,
        strategies=("grid",),
    )  # fmt: skip
    found = optimism_of(study)
    # Expected maximum of 8 standard normals.
    expected = 1.4236 * 0.6
    assert found.pairs == 400
    assert found.test_picked_pp[-1] == pytest.approx(expected, abs=0.1)
    assert found.validation_quoted_pp[-1] == pytest.approx(expected, abs=0.1)
    assert list(found.test_picked_pp) == sorted(found.test_picked_pp)


def test_a_perfect_validation_flatters_nobody(made_up) -> None:
    def perfect(method, tau, setting, seed):
        test = np.random.default_rng([int(tau), setting, seed]).uniform(0.8, 0.9)
        return test + 0.02, test

    found = optimism_of(made_up(accuracy=perfect))
    assert found.validation_quoted_pp == pytest.approx((0.0,) * 4, abs=1e-9)
    assert found.test_picked_pp == pytest.approx((0.0,) * 4, abs=1e-9)


def test_without_a_choice_there_is_no_optimism(made_up) -> None:
    assert optimism_of(made_up(temperatures=(4.0,))) is None
    assert optimism_of(made_up(strategies=("meta",))) is None
    assert optimism_of(made_up(absent=lambda row: row["tau_s_init"] == 1.0)) is None
