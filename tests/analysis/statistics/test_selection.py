import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.grid import choose
from metakd.analysis.statistics.selection import best_on_average, rank_by_validation
from metakd.analysis.table import make_table

TAUS = (1.0, 2.0, 4.0, 8.0)


def test_the_best_on_validation_comes_first() -> None:
    validation = np.array([0.1, 0.4, 0.3, 0.2])
    assert rank_by_validation(validation, TAUS, 4.0).tolist() == [1, 2, 3, 0]


@pytest.mark.parametrize(
    ("fixed_tau", "order"), [(4.0, [2, 1, 3, 0]), (1.0, [0, 1, 2, 3]), (16.0, [3, 2, 1, 0])]
)
def test_ties_go_to_the_temperature_nearest_the_default(fixed_tau, order) -> None:
    assert rank_by_validation(np.full(4, 0.5), TAUS, fixed_tau).tolist() == order


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=4, max_size=4), st.permutations(range(4))
)
def test_the_choice_does_not_depend_on_the_order_of_the_grid(validation, order) -> None:
    # The grid is ascending; a shuffled one only breaks the last tie, between 2 and 8.
    values, taus = np.array(validation), np.array((1.0, 2.0, 4.0, 16.5))
    plain = taus[rank_by_validation(values, tuple(taus), 4.0)]
    shuffled = taus[order][rank_by_validation(values[order], tuple(taus[order]), 4.0)]
    assert plain.tolist() == shuffled.tolist()


def test_the_average_is_over_complete_seeds() -> None:
    validation = np.array([[[0.9, 0.1]], [[0.2, 0.3]], [[0.3, 0.3]], [[np.nan, 0.2]]])
    # Of the second seed alone: 2 and 4 tie, 4 is the default.
    assert best_on_average(validation, TAUS, 4.0) == [2]
    assert best_on_average(np.full((4, 1, 2), np.nan), TAUS, 4.0) == [None]


def test_no_choice_sees_a_test_score(made_up) -> None:
    study = made_up()
    honest = choose(make_table(study.record(), tuple(study.rows())))
    corrupted = [
        row | {"test_acc_last": 1.0 - row["tau_s_init"] / 50, "test_acc_selected": 0.0}
        if row["method"] == "kd"
        else row
        for row in study.rows()
    ]
    other = choose(make_table(study.record(), tuple(corrupted)))
    assert other.chosen_tau.tolist() == honest.chosen_tau.tolist()
    assert other.best_on_average == honest.best_on_average
    assert not np.array_equal(other.ranked_test_last, honest.ranked_test_last)


def test_each_seed_chooses_for_itself_and_reads_its_own_test(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        # Seed 0 prefers τ = 1, seed 1 prefers τ = 8 on validation; test tells them apart.
        validation = 0.9 if tau == (1.0, 8.0)[seed] else 0.5
        return validation, tau / 100

    study = made_up(scales=(1.0,), augmentations=("none",), seeds=2, accuracy=accuracy)
    grid = choose(make_table(study.record(), tuple(study.rows())))
    assert grid.chosen_tau.tolist() == [[1.0, 8.0]]
    assert grid.best_of(4).tolist() == [[0.01, 0.08]]


def test_an_incomplete_grid_chooses_nothing(made_up) -> None:
    study = made_up(
        absent=lambda row: (row["method"], row["tau_s_init"], row["seed"]) == ("kd", 8, 1)
    )
    grid = choose(make_table(study.record(), tuple(study.rows())))
    assert not grid.complete[:, 1].any()
    assert np.isnan(grid.chosen_tau[:, 1]).all()
    assert np.isnan(grid.best_of(2)[:, 1]).all()
    assert grid.complete[:, [0, 2, 3]].all()
