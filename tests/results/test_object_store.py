"""A study's files in an object store, against a real S3 protocol on this machine."""

import errno
import os
import pickle
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from object_store_server import Server, address_on

from metakd.results.compaction import compact
from metakd.results.files import Change
from metakd.results.mirror import (
    check_store,
    fetch_results,
    push_change,
)
from metakd.results.object_store import ObjectStore
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.study import StoreError
from metakd.results.writer import FinishedTrial, finished_trial, write_failure, write_trials

NUMBERS = count()


@pytest.fixture
def store(server: Server) -> ObjectStore:
    return ObjectStore(address_on(server, f"study-{next(NUMBERS)}"))


def commit(out: Path, trial_id: str, store: ObjectStore | None = None) -> None:
    commit_all(out, [trial_id], store)


def commit_all(out: Path, trial_ids: Iterable[str], store: ObjectStore | None) -> None:
    change = write_trials(out, [made_up(trial_id) for trial_id in trial_ids])
    if store is not None:
        push_change(out, store, change)


def made_up(trial_id: str) -> FinishedTrial:
    steps = [{"trial_id": trial_id, "step": step} for step in (10, 20)]
    return finished_trial({"trial_id": trial_id, "pair_id": "p"}, steps)


def begin(out: Path, store: ObjectStore) -> None:
    out.mkdir(exist_ok=True)
    (out / "study.json").write_text("{}")
    store.push([(out / "study.json", "study.json")])


def test_files_go_there_and_come_back(store: ObjectStore, tmp_path: Path) -> None:
    files = [(tmp_path / f"{i}.bin", f"folder/{i}.bin") for i in range(30)]
    for i, (file, _) in enumerate(files):
        file.write_bytes(bytes([i]) * i)
    store.push(files)
    assert store.names("folder") == {name: i for i, (_, name) in enumerate(files)}
    assert store.names() == store.names("folder")
    assert store.names("fold") == {}
    assert store.size("folder/7.bin") == 7
    assert store.size("folder") is None
    back = [(tmp_path / "back" / name, name) for _, name in files]
    store.fetch(back)
    for (here, _), (there, _) in zip(files, back, strict=True):
        assert there.read_bytes() == here.read_bytes()
    store.remove(["folder/7.bin", "folder/7.bin", "nothing"])
    assert store.size("folder/7.bin") is None
    assert len(store.names()) == 29


def test_what_is_not_there_is_said_so(store: ObjectStore, tmp_path: Path) -> None:
    assert store.read("nothing") is None
    with pytest.raises(FileNotFoundError):
        store.fetch([(tmp_path / "here", "nothing")])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_such_and_not_blamed_on_the_store(
    store: ObjectStore, small_disk: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2**23))
    store.push([(large, "large")])
    with pytest.raises(OSError, match="No space left") as caught:
        store.fetch([(small_disk / "copy", "large")])
    assert caught.value.errno == errno.ENOSPC
    assert list(small_disk.iterdir()) == []


def test_text_is_replaced_whole(store: ObjectStore) -> None:
    for text in ("long " * 100, "τ"):
        store.write("note", text)
        assert store.read("note") == text


def test_it_travels_to_other_processes(store: ObjectStore) -> None:
    store.write("note", "here")
    assert pickle.loads(pickle.dumps(store)).read("note") == "here"


def test_a_reader_sees_the_address_without_its_options(store: ObjectStore) -> None:
    assert store.address("report.html").startswith("s3://bucket/study-")
    assert store.address("report.html").endswith("/report.html")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://somewhere/study", "results go to a folder or to s3://"),
        ("hdfs://name/study", "results go to a folder or to s3://"),
        ("s3://key:secret@bucket/study", "may hold no secret"),
        ("s3://bucket", "write s3://BUCKET/STUDY"),
        ("s3:///study", "write s3://BUCKET/STUDY"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_before_anybody_is_asked(
    uri: str, told: str
) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        ObjectStore(uri)
    assert "\n" not in str(caught.value)


def test_a_store_that_does_not_answer_is_one_line(server: Server) -> None:
    nobody = ObjectStore("s3://bucket/s?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:1")
    for place in (nobody, ObjectStore(address_on(server, bucket="no-such-bucket"))):
        with pytest.raises(StoreError, match="does not answer as it should") as caught:
            place.write("note", "text")
        assert "\n" not in str(caught.value)


def test_another_machine_sees_what_was_committed(store: ObjectStore, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begin(here, store)
    write_failure(here, {"trial_id": "b", "pair_id": "p", "status": "failed", "error": "NaN"})
    store.push([(here / "failed" / "b.parquet", "failed/b.parquet")])
    commit(here, "a", store)
    fetch_results(there, store)
    assert read_trials(there)["trial_id"].to_pylist() == ["a", "b"]
    assert read_steps(there).equals(read_steps(here))
    commit(here, "b", store)
    fetch_results(there, store)
    assert read_trials(there).equals(read_trials(here))
    assert finished_trials(there) == {"a", "b"}
    assert list((there / "failed").iterdir()) == []


def test_trials_that_were_committed_together_appear_together(
    store: ObjectStore, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begin(here, store)
    write_failure(here, {"trial_id": "b", "pair_id": "p", "status": "failed", "error": "NaN"})
    store.push([(here / "failed" / "b.parquet", "failed/b.parquet")])
    commit(here, "a", store)
    commit_all(here, "cb", store)
    fetch_results(there, store)
    assert finished_trials(there) == {"a", "b", "c"}
    assert read_trials(there).equals(read_trials(here))
    assert read_steps(there).equals(read_steps(here))
    assert store.names("failed") == {}
    assert len(store.names("trials")) == len(store.names("steps")) == 2


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("pushed", [0, 1])
def test_what_did_not_reach_the_store_was_not_committed(
    store: ObjectStore, tmp_path: Path, together: bool, pushed: int
) -> None:
    here = tmp_path / "here"
    begin(here, store)
    commit(here, "a", store)
    trials = [made_up(trial_id) for trial_id in ("bc" if together else "b")]
    change = write_trials(here, trials)
    push_change(here, store, Change(change.written[:pushed]))
    fetch_results(here, store)
    assert finished_trials(here) == {"a"}
    # It is run again, and then it counts.
    push_change(here, store, write_trials(here, trials))
    for place in (here, tmp_path / "there"):
        fetch_results(place, store)
        assert finished_trials(place) == {"a"} | {trial.id for trial in trials}
        assert read_steps(place).num_rows == 2 * (1 + len(trials))


def test_trials_that_another_machine_packed_are_not_given_back_one_by_one(
    store: ObjectStore, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begin(here, store)
    for trial_id in "ab":
        commit(here, trial_id, store)
    fetch_results(there, store)
    push_change(here, store, compact(here))
    fetch_results(there, store)
    (part,) = (path.name for path in (here / "trials").iterdir())
    assert set(store.names("trials")) == {f"trials/{part}"}
    assert set(store.names("steps")) == {f"steps/{part}"}
    assert finished_trials(there) == {"a", "b"}
    assert read_steps(there).equals(read_steps(here))


def test_a_machine_that_fetches_while_another_packs_misses_no_trial(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begin(here, store)
    for trial_id in "ab":
        commit(here, trial_id, store)
    names = ObjectStore.names

    def names_then_packed(asked: ObjectStore, under: str = "") -> dict[str, int]:
        found = names(asked, under)
        if under == "trials" and (here / "steps" / "a.parquet").exists():
            done = compact(here)
            # The rows stay for a moment: a fetch of them does not fail.
            curves = tuple(path for path in done.removed if path.parts[0] == "steps")
            push_change(here, asked, replace(done, removed=curves))
        return found

    monkeypatch.setattr(ObjectStore, "names", names_then_packed)
    fetch_results(there, store)
    assert finished_trials(there) == {"a", "b"}


@pytest.mark.parametrize("pushed", [0, 1, 2])
def test_a_driver_that_dies_before_the_store_is_packed_loses_nothing(
    store: ObjectStore, tmp_path: Path, pushed: int
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    begin(here, store)
    for trial_id in "ab":
        commit(here, trial_id, store)
    done = compact(here)
    push_change(here, store, Change(done.written[:pushed]))
    for place in (here, there):
        fetch_results(place, store)
        assert finished_trials(place) == {"a", "b"}
        assert read_steps(place).num_rows == 4
    push_change(here, store, compact(here))
    fetch_results(there, store)
    assert finished_trials(there) == {"a", "b"}
    assert len(store.names("trials")) == len(store.names("steps")) == 1


def test_a_study_that_was_removed_from_the_store_is_removed_here(
    store: ObjectStore, tmp_path: Path
) -> None:
    begin(tmp_path, store)
    commit(tmp_path, "a", store)
    (tmp_path / "teachers").mkdir()
    store.remove(store.names())
    fetch_results(tmp_path, store)
    assert list(tmp_path.iterdir()) == []
    assert store.names() == {}


def test_a_student_that_a_better_one_replaces_meanwhile_is_no_fault(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path / "here", store)
    store.write("students/old.json", "{}")
    names = ObjectStore.names

    def names_then_replaced(place: ObjectStore, under: str = "") -> dict[str, int]:
        found = names(place, under)
        if under == "students" and "students/old.json" in found:
            place.remove(["students/old.json"])
            place.write("students/new.json", "{}")
        return found

    monkeypatch.setattr(ObjectStore, "names", names_then_replaced)
    fetch_results(tmp_path / "there", store)
    assert [card.name for card in (tmp_path / "there" / "students").iterdir()] == ["new.json"]


def test_a_place_with_something_else_in_it_is_refused(store: ObjectStore) -> None:
    check_store(store)
    store.write("datasets/1/labels.npy", "kept by an earlier run")
    check_store(store)
    store.write("holiday/photo.jpg", "something else")
    with pytest.raises(StoreError, match="holds something else \\(holiday\\)"):
        check_store(store)
