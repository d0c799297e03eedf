from metakd.analysis.inventory import make_inventory
from metakd.analysis.table import make_table


def inventory_of(study, change=lambda row: row):
    record = study.record()
    table = make_table(record, tuple(change(row) for row in study.rows()))
    return make_inventory(table)


def fail(row):
    return row | {
        "status": "failed",
        "name": f"run {row['trial_id']}",
        "error": "out of memory",
        "step_equivalents": None,
        "student_compute_s": None,
    }


def test_failures_are_named_with_their_errors(made_up) -> None:
    inventory = inventory_of(
        made_up(scales=(1.0,)), lambda row: fail(row) if row["method"] == "mkd" else row
    )
    assert (inventory.planned, inventory.finished, inventory.failed) == (48, 40, 8)
    assert (inventory.planned_pairs, inventory.complete_pairs) == (8, 0)
    names = [failure.name for failure in inventory.failures]
    assert names == sorted(names)
    assert names[0] == "run mkd-4.0-0-0"
    assert {failure.error for failure in inventory.failures} == {"out of memory"}
    # What was measured: failed runs without a record add nothing here.
    assert inventory.student_compute_s == 40 * 2.0


def test_many_failures_are_the_first_fifty(made_up) -> None:
    inventory = inventory_of(made_up(), fail)
    assert inventory.failed == 96
    assert len(inventory.failures) == 50


def test_a_failure_without_words_still_has_some(made_up) -> None:
    study = made_up(scales=(1.0,), overrides={"status": "failed"})
    assert inventory_of(study).failures[0].name == "ce-None-0-0"
    assert inventory_of(study).failures[0].error == "no error on record"


def test_a_study_is_open_until_every_trial_has_finished_or_failed(made_up) -> None:
    study = made_up(scales=(1.0,), absent=lambda row: row["seed"] == 3)
    inventory = inventory_of(study)
    assert inventory.is_open
    assert inventory.not_run == inventory.planned - inventory.finished == 12
    assert inventory.missing_pairs == 2
    done = inventory_of(made_up(), lambda row: fail(row) if row["seed"] == 3 else row)
    assert not done.is_open
    assert done.not_run == 0
