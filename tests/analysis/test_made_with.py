import json
from datetime import UTC, datetime

from made_up_study import MadeUpStudy

from metakd.analysis.made_with import MadeWith, changed_between_runs, trials_by_version
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.results.writer import finished_trial, write_trials


def row(second: int, status: str = "done", commit: str = "abc", **versions: str) -> dict:
    return {
        "status": status,
        "ended": datetime.fromtimestamp(second, UTC),
        "versions_json": json.dumps(versions),
        "git_commit": commit,
    }


def test_trials_are_counted_by_version_in_the_order_of_use() -> None:
    rows = [
        row(3, torch="2.10", numpy="2"),
        row(1, torch="2.9", numpy="2", commit=""),
        row(2, "stopped", torch="2.9", numpy="2"),
        row(0, "failed", torch="1.0", numpy="1"),
    ]
    found = trials_by_version(rows)
    assert found == {"torch": {"2.9": 2, "2.10": 1}, "numpy": {"2": 3}, "git commit": {"abc": 2}}
    assert list(found["torch"]) == ["2.9", "2.10"]
    assert changed_between_runs(found) == (
        MadeWith("torch", "2.9", 2),
        MadeWith("torch", "2.10", 1),
    )


def test_a_summary_says_what_changed_between_runs(tmp_path) -> None:
    study = MadeUpStudy(seeds=3, overrides={"versions_json": '{"torch": "2.9"}'})
    out = study.write(tmp_path)
    assert summarise(out).made_with == ()
    for row in study.rows():
        if row["seed"] == 2:
            write_trials(out, [finished_trial(row | {"versions_json": '{"torch": "2.10"}'}, [])])
    mixed = summarise(out)
    assert {(made.what, made.version) for made in mixed.made_with} == {
        ("torch", "2.9"),
        ("torch", "2.10"),
    }
    write_summary(out, mixed)
    assert read_summary(out).made_with == mixed.made_with
