import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.analysis.table import make_table, setting_keys
from metakd.results.study import StoreError


def table_of(study):
    return make_table(study.record(), tuple(study.rows()))


def test_rows_find_their_place(made_up) -> None:
    study = made_up(accuracy=lambda method, tau, setting, seed: (0.5, tau + setting + seed / 10))
    table = table_of(study)
    assert table.shape == (4, 4)
    expected = np.arange(4)[:, None] + np.arange(4)[None, :] / 10
    for name, taus in (("ce", [0]), ("fixed", [4]), ("meta", [4]), ("grid", [1, 2, 4, 8])):
        found = table.runs(name).test_acc_last
        assert np.allclose(found, np.array(taus)[:, None, None] + expected)
    assert table.train_samples == (100, 100, 1000, 1000)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(made_up, order: random.Random) -> None:
    study = made_up(scales=(1.0,))
    rows = study.rows()
    straight = make_table(study.record(), tuple(rows))
    order.shuffle(rows)
    shuffled = make_table(study.record(), tuple(rows))
    for strategy in ("ce", "fixed", "grid", "meta"):
        for name, matrix in vars(straight.runs(strategy)).items():
            found = getattr(shuffled.runs(strategy), name)
            assert np.array_equal(matrix, found, equal_nan=name != "strategy")


def test_a_run_that_two_strategies_share_serves_both(made_up) -> None:
    table = table_of(made_up())
    assert np.array_equal(table.runs("fixed").test_acc_last[0], table.runs("grid").test_acc_last[2])


def test_a_default_outside_the_grid_is_no_part_of_it(made_up) -> None:
    table = table_of(made_up(temperatures=(1.0, 2.0), fixed_tau=3.0))
    assert table.runs("fixed").complete.all()
    assert table.runs("grid").test_acc_last.shape == (2, 4, 4)


def test_unequal_temperatures_are_no_part_of_the_grid(made_up) -> None:
    study = made_up()
    rows = [row | {"tau_t_init": 3.0} if row["method"] == "kd" else row for row in study.rows()]
    table = make_table(study.record(), tuple(rows))
    assert not table.runs("grid").complete.any()
    assert not table.runs("fixed").complete.any()


def test_strategies_that_were_not_asked_for_are_absent(made_up) -> None:
    table = table_of(made_up(strategies=("fixed",)))
    assert [table.runs(name) for name in ("ce", "grid", "meta")] == [None, None, None]
    assert table.runs("fixed").complete.all()


def test_a_run_without_teacher_belongs_to_every_teacher(made_up) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), strategies=("ce",))
    record = study.record()
    [setting] = record.settings
    both = (setting, {**setting, "teacher": "other"})
    object.__setattr__(record, "settings", both)
    table = make_table(record, tuple(study.rows()))
    assert table.runs("ce").complete.all()
    assert np.array_equal(*table.runs("ce").test_acc_last[0])


def test_a_failed_run_is_charged_and_not_scored(made_up) -> None:
    table = table_of(made_up(overrides={"status": "failed"}))
    assert not table.runs("grid").complete.any()
    assert np.isnan(table.runs("grid").test_acc_last).all()
    assert (table.runs("grid").step_equivalents == 100).all()


def test_two_rows_for_one_run_are_refused(made_up) -> None:
    study = made_up()
    rows, record = study.rows(), study.record()
    twice = replace(record, planned_trials=(*record.planned_trials, "again"))
    with pytest.raises(StoreError, match="stand for the same run"):
        make_table(twice, (*rows, rows[0] | {"trial_id": "again"}))


def test_a_spec_without_what_is_needed_is_refused(made_up) -> None:
    record = made_up().record()
    del record.spec["fixed_tau"]
    with pytest.raises(StoreError, match="lacks 'fixed_tau'"):
        make_table(record, ())


def test_the_margin_is_at_least_one_test_sample(made_up) -> None:
    assert table_of(made_up()).margin_pp == 0.2
    small = made_up(overrides={"test_samples": 250})
    assert table_of(small).margin_pp == 0.4
    assert table_of(made_up(absent=lambda row: True)).margin_pp == 0.2


def test_keys_name_what_differs(made_up) -> None:
    settings = made_up(scales=(0.3,), augmentations=("none", "strong")).record().settings
    assert setting_keys(settings) == ("30 % · none", "30 % · strong")
    more = (*settings, {**settings[0], "teacher": "bigger"})
    assert setting_keys(more) == (
        "30 % · none · big",
        "30 % · strong · big",
        "30 % · none · bigger",
    )
