import json
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metakd.results.reader import finished_trials, read_steps, read_study, read_trials
from metakd.results.schema import ENCODED_STEPS, TRIALS
from metakd.results.study import StoreError, StudyRecord, check_out
from metakd.results.writer import finished_trial, write_study, write_trials

RECORD = StudyRecord(
    study="demo",
    created="2026-01-01T00:00:00+00:00",
    spec={"temperatures": [1.0, 4.0], "fixed_tau": 4.0, "name": "τ <study>"},
    settings=(
        {
            "dataset": "digits",
            "scale": 0.3,
            "augmentation": "none",
            "teacher": None,
            "student": "plain",
        },
    ),
    seeds=(0, 1),
    planned_trials=("a", "b"),
    versions={"numpy": "2"},
    git_commit="abc",
    command="python study.py",
)


def commit(out: Path, trial_id: str, **columns: object) -> None:
    steps = [{"trial_id": trial_id, "step": step, "train_loss": 1 / step} for step in (10, 20)]
    write_trials(out, [finished_trial({"trial_id": trial_id, "pair_id": "p", **columns}, steps)])


def test_a_study_comes_back_as_it_was(tmp_path: Path) -> None:
    write_study(tmp_path, RECORD)
    assert read_study(tmp_path) == RECORD


def test_a_trial_comes_back_as_it_was(tmp_path: Path) -> None:
    commit(tmp_path, "a", test_acc_last=0.1 + 0.2, seed=3, method="kd")
    [row] = read_trials(tmp_path).to_pylist()
    assert row == dict.fromkeys(TRIALS.names) | {
        "trial_id": "a",
        "pair_id": "p",
        "test_acc_last": 0.1 + 0.2,
        "seed": 3,
        "method": "kd",
    }
    assert read_steps(tmp_path).select(["trial_id", "step", "train_loss"]).to_pylist() == [
        {"trial_id": "a", "step": 10, "train_loss": pytest.approx(0.1)},
        {"trial_id": "a", "step": 20, "train_loss": pytest.approx(0.05)},
    ]


def test_an_empty_study_has_the_columns_and_no_rows(tmp_path: Path) -> None:
    assert finished_trials(tmp_path) == set()
    assert read_trials(tmp_path).schema.equals(TRIALS)
    assert read_steps(tmp_path).schema.equals(ENCODED_STEPS)


def test_a_trial_without_a_curve_is_read(tmp_path: Path) -> None:
    write_trials(tmp_path, [finished_trial({"trial_id": "a", "pair_id": "p"}, [])])
    assert finished_trials(tmp_path) == {"a"}
    assert read_steps(tmp_path).num_rows == 0


def test_committing_again_replaces(tmp_path: Path) -> None:
    commit(tmp_path, "a", seed=0)
    commit(tmp_path, "a", seed=1)
    assert read_trials(tmp_path)["seed"].to_pylist() == [1]


def test_a_trial_counts_by_its_row(tmp_path: Path) -> None:
    for trial_id in "abc":
        commit(tmp_path, trial_id)
    (tmp_path / "trials" / "b.parquet").unlink()
    (tmp_path / "steps" / "c.parquet").unlink()
    assert finished_trials(tmp_path) == {"a", "c"}
    assert read_trials(tmp_path)["trial_id"].to_pylist() == ["a", "c"]
    assert set(read_steps(tmp_path)["trial_id"].to_pylist()) == {"a"}


def test_steps_are_ordered_by_trial_and_step(tmp_path: Path) -> None:
    for trial_id, steps in (("b", (30, 10, 20)), ("a", (5, 5, 1)), ("c", ())):
        rows = [{"trial_id": trial_id, "step": step} for step in steps]
        write_trials(tmp_path, [finished_trial({"trial_id": trial_id, "pair_id": "p"}, rows)])
    table = read_steps(tmp_path, columns=[])
    assert table["trial_id"].to_pylist() == list("aaabbb")
    assert table["step"].to_pylist() == [1, 5, 5, 10, 20, 30]
    (chunk,) = table["trial_id"].chunks
    assert chunk.indices.to_pylist() == sorted(chunk.indices.to_pylist())


def test_only_the_trials_asked_for_are_read(tmp_path: Path) -> None:
    for trial_id in "cab":
        commit(tmp_path, trial_id)
    assert read_trials(tmp_path)["trial_id"].to_pylist() == ["a", "b", "c"]
    assert read_trials(tmp_path, {"c", "a", "absent"})["trial_id"].to_pylist() == ["a", "c"]
    assert read_steps(tmp_path, ["b"])["step"].to_pylist() == [10, 20]
    assert read_steps(tmp_path, ["b"], ["lr"]).column_names == ["trial_id", "step", "lr"]
    assert read_trials(tmp_path, []).num_rows == 0
    assert read_trials(tmp_path, ["b"], ["seed"]).to_pylist() == [{"trial_id": "b", "seed": None}]


def test_older_files_lack_columns_and_newer_ones_have_more(tmp_path: Path) -> None:
    commit(tmp_path, "new", seed=1)
    old = pa.table({"trial_id": ["old"], "pair_id": ["p"], "of_the_future": [1]})
    for folder in ("trials", "steps"):
        pq.write_table(old, tmp_path / folder / "old.parquet")
    table = read_trials(tmp_path)
    assert table.column_names == TRIALS.names
    assert table["seed"].to_pylist() == [1, None]
    assert read_steps(tmp_path, ["old"])["lr"].to_pylist() == [None]


def test_drafts_are_ignored(tmp_path: Path) -> None:
    commit(tmp_path, "a")
    for folder in ("trials", "steps"):
        (tmp_path / folder / "b.parquet.1f.tmp").write_bytes(b"PAR1 half a fi")
    assert finished_trials(tmp_path) == {"a"}
    assert read_trials(tmp_path).num_rows == 1
    assert read_steps(tmp_path).num_rows == 2


def foreign_parquet(path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), path)


def wrong_types(path: Path) -> None:
    pq.write_table(pa.table({"trial_id": ["b"], "seed": ["not a number"]}), path)


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_bytes(b"PAR1 torn"), foreign_parquet, wrong_types]
)
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, spoil) -> None:
    for trial_id in "abc":
        commit(tmp_path, trial_id)
    spoil(tmp_path / "trials" / "b.parquet")
    with pytest.raises(StoreError, match=r"b\.parquet is damaged.*: delete it") as caught:
        read_trials(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_does_not_fit_the_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no column 'speed'"):
        commit(tmp_path, "a", speed=1)
    with pytest.raises(StoreError, match="needs 'pair_id'"):
        finished_trial({"trial_id": "a"}, [])
    with pytest.raises(StoreError, match="no column 'oops'"):
        finished_trial({"trial_id": "a", "pair_id": "p"}, [{"trial_id": "a", "oops": 1}])
    with pytest.raises(StoreError, match="name another trial: b"):
        finished_trial({"trial_id": "a", "pair_id": "p"}, [{"trial_id": "b"}])
    assert finished_trials(tmp_path) == set()


def test_files_are_packed_as_measured_best(tmp_path: Path) -> None:
    commit(tmp_path, "a", test_acc_last=0.5)
    group = pq.ParquetFile(tmp_path / "steps" / "a.parquet").metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "BYTE_STREAM_SPLIT" in columns["train_loss"].encodings
    assert "DELTA_BINARY_PACKED" in columns["step"].encodings
    assert "RLE_DICTIONARY" in columns["trial_id"].encodings
    metadata = pq.read_schema(tmp_path / "trials" / "a.parquet").metadata
    assert metadata[b"schema_version"] == b"1"


def test_a_new_an_empty_and_an_own_folder_can_take_results(tmp_path: Path) -> None:
    check_out(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    check_out(tmp_path)
    # What a dry run leaves.
    (tmp_path / "datasets").mkdir()
    check_out(tmp_path)
    write_study(tmp_path, RECORD)
    (tmp_path / "report.html").touch()
    check_out(tmp_path)


def test_a_folder_that_cannot_take_results_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.touch()
    with pytest.raises(StoreError, match=r"notes\.txt is a file"):
        check_out(file)
    with pytest.raises(StoreError, match=r"notes\.txt is a file"):
        check_out(file / "below")
    with pytest.raises(StoreError, match=r"something else \(notes\.txt\)"):
        check_out(tmp_path)


def test_a_folder_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StoreError, match="cannot be written"):
        check_out(tmp_path / "new")


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    write_study(tmp_path, replace(RECORD, schema_version=99))
    with pytest.raises(StoreError, match="schema version 99, this code reads 1"):
        check_out(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema_version": 1}'])
def test_a_damaged_study_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(StoreError, match=r"study\.json is damaged"):
        read_study(tmp_path)


def test_a_missing_study_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no study"):
        read_study(tmp_path)


def test_a_study_of_a_later_minor_form_is_read(tmp_path: Path) -> None:
    values = asdict(RECORD) | {"added_later": 1}
    (tmp_path / "study.json").write_text(json.dumps(values))
    assert read_study(tmp_path) == RECORD
