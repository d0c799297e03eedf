from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_up_study import MadeUpSearch, MadeUpSegment

from metakd.analysis.costs import costs_of
from metakd.analysis.figures.anytime import anytime_curves, best_so_far, mean_by_order
from metakd.analysis.figures.logged_steps import LoggedSteps
from metakd.analysis.table import make_table
from metakd.results.writer import finished_trial, write_trials


def drawn(out, table, study="made up"):
    return {curve.strategy: curve for curve in anytime_curves(out, table, costs_of(table), study)}


def curves_of(study, out):
    return drawn(out, make_table(study.record(), tuple(study.rows()), study.search_rows()))


def in_order(study, order) -> list[float]:
    """Runs a grid in one order, epoch by epoch, and returns the mean best so far over pairs."""
    by_pair = []
    for setting in range(len(study.settings)):
        for seed in range(study.seeds):
            best, curve = 0.0, []
            for tau in order:
                [row] = [
                    row for row in study.rows() if row["trial_id"] == f"kd-{tau}-{setting}-{seed}"
                ]
                for epoch in range(4):
                    best = max(best, study.val_acc(row, epoch))
                    curve.append(best)
            by_pair.append(curve)
    return np.mean(by_pair, axis=0)


def test_a_grid_is_the_mean_over_all_orders(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), seeds=2)
    grid = curves_of(study, study.write(tmp_path))["grid"]
    by_order = 100 * np.array([in_order(study, o) for o in permutations(study.temperatures)])
    assert grid.runs == pytest.approx(np.arange(1, 17) / 4)
    assert grid.mean_pp == pytest.approx(by_order.mean(axis=0), abs=1e-4)
    low, high = np.quantile(by_order, (0.1, 0.9), axis=0)
    assert grid.low_pp == pytest.approx(low, abs=1e-4)
    assert grid.high_pp == pytest.approx(high, abs=1e-4)


def test_a_single_run_is_its_own_best_so_far(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.9, 0.9

    study = made_up(scales=(1.0,), accuracy=accuracy, learned_cost=2.0)
    curves = curves_of(study, study.write(tmp_path))
    assert list(curves) == ["ce", "fixed", "grid", "meta"]
    for name, cost in (("ce", 1.0), ("fixed", 1.0), ("meta", 2.0)):
        assert curves[name].runs == pytest.approx(cost * np.arange(1, 5) / 4)
        # The dip in the third epoch leaves the second one's model.
        assert curves[name].mean_pp == pytest.approx((45.0, 72.0, 72.0, 90.0), abs=1e-4)
        assert curves[name].low_pp == curves[name].mean_pp == curves[name].high_pp


def test_all_pairs_end_at_what_learning_costs(made_up, tmp_path: Path) -> None:
    study = made_up(
        scales=(1.0,), accuracy=lambda *run: (0.9, 0.9), strategies=("fixed", "meta"), seeds=1
    )
    study.write(tmp_path)
    cost = {"none": 1.0, "strong": 2.0}
    rows = [
        row | {"step_equivalents": 100 * cost[row["augmentation"]]}
        if row["method"] == "mkd"
        else row
        for row in study.rows()
    ]
    rows = [row | {"student_compute_s": None} for row in rows]
    table = make_table(study.record(), tuple(rows))
    meta = {c.strategy: c for c in anytime_curves(tmp_path, table, costs_of(table), "made up")}[
        "meta"
    ]
    # One costs a run, the other two: after half of that both have done two epochs.
    assert meta.runs == pytest.approx((0.375, 0.75, 1.125, 1.5))
    assert meta.mean_pp == pytest.approx((45, 72, 72, 90), abs=1e-4)


def test_many_temperatures_are_drawn_the_same_way_again(made_up, tmp_path: Path) -> None:
    taus = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    study = made_up(scales=(1.0,), augmentations=("none",), temperatures=taus, seeds=1)
    study.write(tmp_path)
    grid = curves_of(study, tmp_path)["grid"]
    assert grid == curves_of(study, tmp_path)["grid"]
    exact = 100 * np.mean([in_order(study, order) for order in permutations(taus)], axis=0)
    assert grid.mean_pp == pytest.approx(exact, abs=0.1)
    table = make_table(study.record(), tuple(study.rows()))
    [other] = [
        c for c in anytime_curves(tmp_path, table, costs_of(table), "other") if c.strategy == "grid"
    ]
    assert other.mean_pp != grid.mean_pp


def test_long_trainings_stay_within_200_points(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=1)
    study.write(tmp_path)
    for row in study.rows():
        lines = [
            {"trial_id": row["trial_id"], "step": e + 1, "epoch": e, "val_acc": e / 1000}
            for e in range(1000)
        ]
        write_trials(tmp_path, [finished_trial(row, lines)])
    for name, curve in curves_of(study, tmp_path).items():
        assert len(curve.runs) == len(curve.mean_pp) == 200
        ends = {"grid": 4.0, "meta": 1.6}
        assert curve.runs[-1] == pytest.approx(ends.get(name, 1.0))
        assert curve.mean_pp[-1] == pytest.approx(99.9)
    assert curve.mean_pp[:2] == pytest.approx((0.4, 0.9))


def test_only_pairs_that_all_have_count(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        return (0.2 if seed == 3 else 0.8), 0.5

    study = made_up(
        scales=(1.0,),
        accuracy=accuracy,
        absent=lambda row: (row["method"], row["seed"]) == ("mkd", 3),
    )
    for curve in curves_of(study, study.write(tmp_path)).values():
        assert curve.mean_pp[-1] == pytest.approx(80.0, abs=1e-4)


def test_without_curves_there_is_nothing_and_without_common_pairs_one_is_left_out(
    made_up, tmp_path: Path
) -> None:
    study = made_up(scales=(1.0,), seeds=2)
    assert curves_of(study, tmp_path) == {}
    odd_ones_out = {"ce": 0, "mkd": 1}
    study = made_up(
        scales=(1.0,), seeds=2, absent=lambda row: odd_ones_out.get(row["method"]) == row["seed"]
    )
    assert list(curves_of(study, study.write(tmp_path))) == ["ce", "fixed", "grid"]


@given(arrays(np.float64, (3, 2, 4), elements=st.floats(0, 1)))
def test_more_compute_never_hurts_and_the_order_ends_where_all_do(best) -> None:
    best = np.maximum.accumulate(best, axis=-1)
    means = mean_by_order(best, np.array(list(permutations(range(3)))))
    assert (np.diff(means, axis=1) >= 0).all()
    assert means[:, -1] == pytest.approx(best[..., -1].max(axis=0).mean())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 12))
def test_each_part_of_a_run_knows_what_was_evaluated_by_then(accuracies, parts) -> None:
    n = len(accuracies)
    lines = LoggedSteps(
        row=np.full(n, 1), step=np.arange(1, n + 1), columns={"val_acc": np.array(accuracies)}
    )
    unknown, best = best_so_far(lines, trials=2, parts=parts)
    assert np.isnan(unknown).all()
    for part in range(parts):
        done = (part + 1) * n // parts
        expected = max(accuracies[:done]) if done else np.nan
        assert best[part] == pytest.approx(expected, nan_ok=True)


def test_a_curve_begins_where_every_pair_was_evaluated(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), seeds=2)
    study.write(tmp_path)
    for row in study.rows():
        if row["seed"] == 1:
            lines = [{"trial_id": row["trial_id"], "step": 100, "epoch": 3, "val_acc": 0.9}]
            write_trials(tmp_path, [finished_trial(row, lines)])
    curves = curves_of(study, tmp_path)
    assert curves["fixed"].runs == (1.0,)
    assert curves["meta"].runs == pytest.approx((1.6,))
    assert curves["grid"].runs == pytest.approx(np.arange(4, 17) / 4)


def test_a_search_is_followed_in_the_order_in_which_it_asked(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        return (0.5 + tau / 20,) * 2

    # Half of 2.0, then 1.0 to its end, then the other half of 2.0 and, for free, a part again.
    segments = (
        MadeUpSegment(2.0, until=2, is_covered=True),
        MadeUpSegment(1.0),
        MadeUpSegment(2.0, start=2),
        MadeUpSegment(2.0, start=4),
    )
    study = made_up(
        scales=(1.0,),
        accuracy=accuracy,
        searches=(MadeUpSearch("new", segments),),
        learned_cost=2.0,
    )
    curve = curves_of(study, study.write(tmp_path))["new"]
    assert curve.runs == pytest.approx(np.arange(1, 9) / 4)
    # A run passes 0.5, 0.8, 0.7 and all of its last accuracy: 60 at τ = 2, 55 at τ = 1.
    expected = (30.0, 48.0, 48.0, 48.0, 48.0, 55.0, 55.0, 60.0)
    assert curve.mean_pp == pytest.approx(expected, abs=1e-4)
    assert curve.low_pp == curve.mean_pp == curve.high_pp


def test_a_dear_search_takes_longer(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), searches=(MadeUpSearch("new", (MadeUpSegment(4.0, "dear"),)),))
    rows = [
        row | ({"student_compute_s": 6.0} if row["method"] == "dear" else {})
        for row in study.rows()
    ]
    study.write(tmp_path)
    table = make_table(study.record(), tuple(rows), study.search_rows())
    curves = drawn(tmp_path, table)
    assert curves["new"].runs == pytest.approx((0.75, 1.5, 2.25, 3.0))


def test_without_a_plain_run_the_first_strategys_whole_run_is_the_unit(
    made_up, tmp_path: Path
) -> None:
    asked = MadeUpSearch(
        "new", (MadeUpSegment(4.0, "a", until=2), MadeUpSegment(4.0, "a", start=2))
    )
    study = made_up(scales=(1.0,), strategies=("meta",), searches=(asked,))
    curve = curves_of(study, study.write(tmp_path))["new"]
    assert curve.runs == pytest.approx(np.array((0.25, 0.5, 0.75, 1.0)) / 1.6)


def test_an_open_search_has_no_curve_and_hides_none(made_up, tmp_path: Path) -> None:
    asked = MadeUpSearch("new", (MadeUpSegment(3.0),), is_complete=False)
    study = made_up(scales=(1.0,), searches=(asked,))
    assert list(curves_of(study, study.write(tmp_path))) == ["ce", "fixed", "grid", "meta"]
