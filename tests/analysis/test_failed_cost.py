import numpy as np
import pytest

from metakd.analysis.costs import costs_of, plain_cost
from metakd.analysis.grid import choose
from metakd.analysis.questions.grid_vs_meta import compare
from metakd.analysis.reached import cost_points
from metakd.analysis.settings import setting_results
from metakd.analysis.table import make_table

nan = np.nan


def table_of(study, fails, steps=None):
    """Runs where ``fails`` holds fail, with a record of ``steps`` or with none."""

    def change(row):
        # As other runs: 100 steps in 2 seconds.
        cost = {
            "step_equivalents": steps,
            "student_compute_s": None if steps is None else steps / 50,
        }
        return row | ({"status": "failed", **cost} if fails(row) else {})

    return make_table(study.record(), tuple(change(row) for row in study.rows()))


def ratios(table):
    compared = compare(table, choose(table), costs_of(table))
    return {c.baseline: c.baseline_runs / c.learned_runs for c in compared}


def steps_of(table, strategy, setting=0):
    return table.runs(strategy).step_equivalents[:, setting]


def test_an_unrecorded_failure_is_charged_the_median_run_of_its_setting(made_up) -> None:
    study = made_up(scales=(0.1, 1.0), augmentations=("none",), seeds=3)
    costs = {(0, 0): 1.0, (0, 1): 3.0, (0, 2): None, (1, 0): 10.0, (1, 1): None, (1, 2): 30.0}

    def change(row):
        if row["method"] != "ce":
            return row
        cost = costs[[0.1, 1.0].index(row["scale"]), row["seed"]]
        return row | {"step_equivalents": cost, "status": "done" if cost else "failed"}

    table = make_table(study.record(), tuple(map(change, study.rows())))
    assert [steps_of(table, "ce", at)[0].tolist() for at in (0, 1)] == [[1, 3, 2], [10, 20, 30]]


def test_what_is_on_record_or_never_ran_stays(made_up) -> None:
    study = made_up(absent=lambda row: (row["method"], row["seed"]) == ("ce", 2))
    table = table_of(study, lambda row: (row["method"], row["seed"]) == ("ce", 1), steps=0.5)
    assert np.array_equal(steps_of(table, "ce")[0], [100, 0.5, nan, 100], equal_nan=True)


def test_a_setting_without_a_finished_run_takes_the_studys(made_up) -> None:
    def fails(row):
        return row["method"] == "ce" and row["scale"] == 0.1

    assert (steps_of(table_of(made_up(), fails), "ce") == 100).all()
    assert np.isnan(steps_of(table_of(made_up(), lambda row: row["method"] == "ce"), "ce")).all()


def test_temperatures_of_a_grid_are_charged_alike(made_up) -> None:
    table = table_of(made_up(), lambda row: row["tau_s_init"] == 1.0 and row["method"] == "kd")
    assert (steps_of(table, "grid") == 100).all()


def test_failed_runs_of_a_strategy_are_shared_among_its_results(made_up) -> None:
    """One of four seeds fails to learn: four results' cost buys three."""
    table = table_of(made_up(), lambda row: (row["method"], row["seed"]) == ("mkd", 3))
    assert ratios(table)["full_grid"] == pytest.approx(4 / (1.6 * 4 / 3))
    assert ratios(table)["no_search"] == pytest.approx(1 / (1.6 * 4 / 3))
    costs = costs_of(table)
    first = setting_results(table, choose(table), costs)[0]
    scores = {score.strategy: score.runs for score in first.scores}
    assert scores == pytest.approx({"ce": 1, "fixed": 1, "grid": 4, "meta": 1.6 * 4 / 3})
    points = {(p.strategy, p.temperatures): p for p in cost_points(table, choose(table), costs)}
    assert points["meta", None].runs == pytest.approx(1.6 * 4 / 3)
    assert points["grid", 4].runs == pytest.approx(4)


def test_one_failed_run_of_a_grid_costs_one_run_more(made_up) -> None:
    table = table_of(
        made_up(), lambda row: (row["tau_s_init"], row["seed"], row["method"]) == (1.0, 0, "kd")
    )
    # Of 4 temperatures × 4 seeds 15 have a result, 16 were paid.
    assert ratios(table)["full_grid"] == pytest.approx(4 * 16 / 15 / 1.6)
    assert ratios(table)["equal_cost_grid"] == pytest.approx(2 * 16 / 15 / 1.6)
    assert ratios(table)["no_search"] == pytest.approx(1 / 1.6)


def test_a_record_of_what_a_failed_run_did_is_taken_at_its_word(made_up) -> None:
    table = table_of(made_up(), lambda row: (row["method"], row["seed"]) == ("mkd", 3), steps=40.0)
    assert ratios(table)["full_grid"] == pytest.approx(400 / (160 + 40 / 3))


def test_failing_early_never_makes_a_strategy_look_cheaper(made_up) -> None:
    whole = ratios(table_of(made_up(), lambda row: False))
    for steps in (0.0, 1.0, 40.0, None):
        table = table_of(made_up(), lambda row: (row["method"], row["seed"]) == ("mkd", 3), steps)
        # The grid of equal cost may grow by what learning cost more.
        for baseline in ("full_grid", "no_search"):
            assert ratios(table)[baseline] <= whole[baseline] + 1e-9


def test_a_run_that_stopped_early_is_no_plain_run(made_up) -> None:
    table = table_of(made_up(), lambda row: row["seed"] > 0 and row["method"] == "kd", steps=1.0)
    assert plain_cost(table, "step_equivalents").tolist() == [100.0] * 4
