import numpy as np
import pytest

from metakd.analysis.grid import choose
from metakd.analysis.reached import (
    cost_points,
    equal_cost_grid_size,
    learned_cost_in_plain_runs,
    learned_cost_ratios,
    mean_over_settings,
    plain_cost,
    total_ratio,
)
from metakd.analysis.table import make_table


def table_of(study, change=lambda row: row):
    return make_table(study.record(), tuple(change(row) for row in study.rows()))


def grid_size(table):
    return equal_cost_grid_size(learned_cost_ratios(table), len(table.temperatures))


def points_of(study):
    table = table_of(study)
    return {(p.strategy, p.runs): p for p in cost_points(table, choose(table))}


@pytest.mark.parametrize(
    ("learned_cost", "size"), [(0.5, 1), (1.0, 1), (1.05, 2), (2.0, 2), (2.01, 3), (9.0, 4)]
)
def test_a_learned_run_pays_for_a_grid_rounded_in_its_favour(made_up, learned_cost, size) -> None:
    assert grid_size(table_of(made_up(learned_cost=learned_cost))) == size


def test_the_dearer_of_steps_and_seconds_counts(made_up) -> None:
    def slow(row):
        return row | {"student_compute_s": 5.0} if row["method"] == "mkd" else row

    table = table_of(made_up(learned_cost=1.6), slow)
    assert learned_cost_in_plain_runs(table) == pytest.approx(2.5)
    assert grid_size(table) == 3


def test_unmeasured_seconds_leave_the_steps(made_up) -> None:
    table = table_of(made_up(overrides={"student_compute_s": None}))
    assert learned_cost_in_plain_runs(table) == pytest.approx(1.6)


def test_plain_runs_are_those_that_keep_their_temperature(made_up) -> None:
    def cheap_without_teacher(row):
        return row | {"step_equivalents": 1.0} if row["method"] == "ce" else row

    with_teacher = table_of(made_up(), cheap_without_teacher)
    assert plain_cost(with_teacher, "step_equivalents").tolist() == [100.0] * 4
    without = table_of(made_up(strategies=("ce", "meta")), cheap_without_teacher)
    assert plain_cost(without, "step_equivalents").tolist() == [1.0] * 4
    learned_only = table_of(made_up(strategies=("meta",)))
    assert np.isnan(plain_cost(learned_only, "step_equivalents")).all()
    assert learned_cost_in_plain_runs(learned_only) is None


def test_nothing_learned_has_no_equal_cost(made_up) -> None:
    assert grid_size(table_of(made_up(strategies=("grid",)))) is None


def test_totals_are_compared_on_the_same_pairs() -> None:
    baseline, learned = np.array([[4.0, np.nan, 8.0]]), np.array([[2.0, 5.0, 4.0]])
    everywhere = np.ones((1, 3), bool)
    assert total_ratio(baseline, learned, everywhere) == 2.0
    assert total_ratio(baseline, learned, ~everywhere) is None


def test_points_grow_with_the_grid(made_up) -> None:
    points = points_of(made_up())
    assert set(points) == {("ce", 1), ("fixed", 1), ("meta", 1)} | {
        ("grid", k) for k in (1, 2, 3, 4)
    }
    assert points["meta", 1].step_equivalents == pytest.approx(160)
    for k in (1, 2, 3, 4):
        assert points["grid", k].step_equivalents == pytest.approx(100 * k)
        assert points["grid", k].seconds == pytest.approx(2.0 * k)
    # A random temperature is worse than a searched one here.
    assert points["grid", 1].test_pp < points["grid", 4].test_pp


def test_points_average_the_same_pairs(made_up) -> None:
    def by_seed(method, tau, setting, seed):
        return 0.5, 0.2 if seed == 3 else 0.8

    points = points_of(
        made_up(accuracy=by_seed, absent=lambda row: (row["method"], row["seed"]) == ("ce", 3))
    )
    assert {round(point.test_pp, 9) for point in points.values()} == {80.0}


def test_a_strategy_that_shares_no_pair_has_no_point(made_up) -> None:
    odd_ones_out = {"ce": 0, "mkd": 1}
    study = made_up(seeds=2, absent=lambda row: odd_ones_out.get(row["method"]) == row["seed"])
    assert {strategy for strategy, _ in points_of(study)} == {"ce", "fixed", "grid"}
    assert points_of(made_up(absent=lambda row: True)) == {}


def test_a_strategy_that_never_finished_does_not_hide_the_others(made_up) -> None:
    points = points_of(made_up(absent=lambda row: row["method"] == "mkd"))
    assert {strategy for strategy, _ in points} == {"ce", "fixed", "grid"}


def test_settings_weigh_the_same_whatever_their_seeds() -> None:
    matrix, where = np.array([[1.0, 3.0], [10.0, 99.0]]), np.array([[True, True], [True, False]])
    assert mean_over_settings(matrix, where) == 6.0
