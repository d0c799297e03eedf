import numpy as np
import pytest

from metakd.analysis.costs import costs_of, equal_cost_grid_size, plain_cost
from metakd.analysis.grid import choose
from metakd.analysis.reached import cost_points, mean_over_settings
from metakd.analysis.table import make_table


def table_of(study, change=lambda row: row):
    return make_table(study.record(), tuple(change(row) for row in study.rows()))


def learned_runs(study, change=lambda row: row):
    return costs_of(table_of(study, change)).runs("meta")


def points_of(study):
    table = table_of(study)
    points = cost_points(table, choose(table), costs_of(table))
    return {(p.strategy, p.temperatures): p for p in points}


@pytest.mark.parametrize(
    ("learned_cost", "size"), [(0.5, 1), (1.0, 1), (1.05, 2), (2.0, 2), (2.01, 3), (9.0, 4)]
)
def test_a_learned_run_pays_for_a_grid_rounded_in_its_favour(made_up, learned_cost, size) -> None:
    assert equal_cost_grid_size(learned_runs(made_up(learned_cost=learned_cost)), 4) == size
    assert equal_cost_grid_size(None, 4) is None


@pytest.mark.parametrize("seconds", [5.0, 1.0])
def test_measured_seconds_count(made_up, seconds) -> None:
    def measured(row):
        return row | {"student_compute_s": seconds} if row["method"] == "mkd" else row

    assert learned_runs(made_up(learned_cost=1.6), measured) == pytest.approx(seconds / 2)


def test_steps_count_for_all_where_a_run_lacks_its_seconds(made_up) -> None:
    def unmeasured(row):
        is_old = (row["method"], row["seed"]) == ("ce", 0)
        dear = {"student_compute_s": 9.0} if row["method"] == "mkd" else {}
        return row | dear | ({"student_compute_s": None} if is_old else {})

    assert learned_runs(made_up(), unmeasured) == pytest.approx(1.6)


def test_what_a_strategy_costs_is_all_that_it_spent_over_as_many_plain_runs(made_up) -> None:
    """A dear setting counts for more; of each of them a cost stands by itself."""

    def dear(row):
        learned = {0.1: 2.0, 1.0: 1.2}[row["scale"]] if row["method"] == "mkd" else 1.0
        return row | {"student_compute_s": {0.1: 1.0, 1.0: 3.0}[row["scale"]] * learned}

    costs = costs_of(table_of(made_up(), dear))
    assert costs.runs("meta") == pytest.approx((2.0 + 3 * 1.2) / 4)
    assert costs.runs("meta", [0, 1]) == pytest.approx(2.0)
    assert costs.runs("meta", [2]) == pytest.approx(1.2)
    assert costs.by_setting("meta") == pytest.approx([2.0, 2.0, 3.6, 3.6])
    assert costs.runs("nothing like it") is None


def test_a_grid_costs_as_many_runs_as_it_has_temperatures_however_their_seconds_vary(
    made_up,
) -> None:
    def noisy(row):
        return row | {"student_compute_s": 2.0 + (row["tau_s_init"] or 0.0) + row["seed"]}

    assert costs_of(table_of(made_up(), noisy)).runs("grid") == pytest.approx(4.0)


def test_plain_runs_are_those_that_keep_their_temperature(made_up) -> None:
    def cheap_without_teacher(row):
        return row | {"step_equivalents": 1.0} if row["method"] == "ce" else row

    with_teacher = table_of(made_up(), cheap_without_teacher)
    assert plain_cost(with_teacher, "step_equivalents").tolist() == [100.0] * 4
    without = table_of(made_up(strategies=("ce", "meta")), cheap_without_teacher)
    assert plain_cost(without, "step_equivalents").tolist() == [1.0] * 4
    # Nothing else is there to count in.
    assert learned_runs(made_up(strategies=("meta",))) == pytest.approx(1.0)
    assert np.isnan(
        plain_cost(table_of(made_up(absent=lambda row: True)), "step_equivalents")
    ).all()


def test_points_grow_with_the_grid(made_up) -> None:
    points = points_of(made_up())
    assert set(points) == {("ce", None), ("fixed", None), ("meta", None)} | {
        ("grid", k) for k in (1, 2, 3, 4)
    }
    assert points["meta", None].runs == pytest.approx(1.6)
    for k in (1, 2, 3, 4):
        assert points["grid", k].runs == pytest.approx(k)
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
