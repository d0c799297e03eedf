"""Compaction changes how a store is packed and never what it says, whatever stops it."""

import contextlib
import itertools
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.results import compaction
from metakd.results.compaction import compact, is_due
from metakd.results.files import Change
from metakd.results.reader import finished_trials, packed_trials, read_steps, read_trials
from metakd.results.study import StoreError
from metakd.results.writer import FinishedTrial, finished_trial, write_failure, write_trials

ROWS = 4


def made_up(trial_id: str, version: int = 0, rows: int = ROWS) -> FinishedTrial:
    steps = [
        {"trial_id": trial_id, "step": step, "train_loss": version + step / 8}
        for step in range(rows)
    ]
    return finished_trial({"trial_id": trial_id, "pair_id": "p", "seed": version}, steps)


def commit(out: Path, trial_id: str, version: int = 0, rows: int = ROWS) -> None:
    write_trials(out, [made_up(trial_id, version, rows)])


def commit_together(out: Path, trial_ids: Iterable[str], version: int = 0) -> None:
    write_trials(out, [made_up(trial_id, version) for trial_id in trial_ids])


def says(out: Path) -> dict[str, int]:
    """Returns the committed version of each trial, after a look at everything that can be read."""
    trials = read_trials(out).select(["trial_id", "seed"]).to_pylist()
    versions = {row["trial_id"]: row["seed"] for row in trials}
    assert len(versions) == len(trials)
    assert finished_trials(out) == set(versions)
    steps = read_steps(out, columns=["train_loss"]).to_pylist()
    assert [(row["trial_id"], row["step"]) for row in steps] == [
        (trial_id, step) for trial_id in sorted(versions) for step in range(ROWS)
    ]
    for row in steps:
        assert row["train_loss"] == versions[row["trial_id"]] + row["step"] / 8
    return versions


def names(out: Path, table: str) -> set[str]:
    return {path.name for path in (out / table).glob("*")}


def parts(out: Path, table: str) -> set[str]:
    return {name for name in names(out, table) if name.startswith("part-")}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """A part is full with three trials."""
    monkeypatch.setattr(compaction, "ROWS_OF_A_PART", 3 * (ROWS + 1))
    return 3


def test_a_compacted_store_reads_as_before_from_two_files(tmp_path: Path) -> None:
    for trial_id in "cab":
        commit(tmp_path, trial_id)
    before = read_trials(tmp_path), read_steps(tmp_path), read_steps(tmp_path, ["b"], ["val_acc"])
    done = compact(tmp_path)
    assert before[0].equals(read_trials(tmp_path))
    assert before[1].equals(read_steps(tmp_path))
    assert before[2].equals(read_steps(tmp_path, ["b", "absent"], ["val_acc"]))
    assert packed_trials(tmp_path) == finished_trials(tmp_path) == set("abc")
    (part,) = names(tmp_path, "trials")
    assert names(tmp_path, "steps") == {part}
    assert done.written == (Path("steps", part), Path("trials", part))
    assert set(done.removed) == {
        Path(table, f"{trial_id}.parquet") for table in ("trials", "steps") for trial_id in "abc"
    }
    assert compact(tmp_path) == Change(())


def test_a_part_is_sorted_and_packed_as_measured_best(tmp_path: Path) -> None:
    for trial_id in "cab":
        commit(tmp_path, trial_id, rows=60_000)
    compact(tmp_path)
    (path,) = (tmp_path / "steps").iterdir()
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [131_072, 180_000 - 131_072]
    assert groups[0].column(0).statistics.max == "c"
    assert "BYTE_STREAM_SPLIT" in groups[0].column(3).encodings
    assert "RLE_DICTIONARY" in groups[0].column(0).encodings
    table = file.read()
    assert table.equals(table.sort_by([("trial_id", "ascending"), ("step", "ascending")]))


def test_it_is_due_with_more_than_a_thousand_single_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compaction.MOST_OWN_FILES == 1_000
    monkeypatch.setattr(compaction, "MOST_OWN_FILES", 2)
    assert not is_due(tmp_path)
    for trial_id, due in (("a", False), ("b", False), ("c", True)):
        commit(tmp_path, trial_id)
        assert is_due(tmp_path) is due
    compact(tmp_path)
    assert not is_due(tmp_path)


def test_a_newer_commit_of_a_packed_trial_wins(tmp_path: Path, small_parts: int) -> None:
    for trial_id in "abcdef":
        commit(tmp_path, trial_id)
    compact(tmp_path)
    full = names(tmp_path, "trials")
    commit(tmp_path, "b", version=1)
    expected = dict.fromkeys("abcdef", 0) | {"b": 1}
    assert says(tmp_path) == expected
    compact(tmp_path)
    # The older part is full and not written again: it still holds what counts no more.
    assert full < names(tmp_path, "trials")
    assert says(tmp_path) == expected
    assert read_steps(tmp_path, ["b"]).num_rows == ROWS


def test_small_parts_are_merged_and_full_ones_left(tmp_path: Path, small_parts: int) -> None:
    trials = [f"t{i:03d}" for i in range(40)]
    full: set[str] = set()
    for trial_id in trials:
        commit(tmp_path, trial_id)
        compact(tmp_path)
        there = names(tmp_path, "trials")
        assert there == names(tmp_path, "steps")
        sizes = {n: pq.read_metadata(tmp_path / "trials" / n).num_rows for n in there}
        assert full <= there
        full = {name for name, size in sizes.items() if size >= small_parts}
        # Of small ones there are at most a few, and none is larger than two full ones.
        assert len(there - full) <= 2
        assert max(sizes.values()) <= 2 * small_parts
    assert says(tmp_path) == dict.fromkeys(trials, 0)


def test_many_trials_become_several_parts(tmp_path: Path, small_parts: int) -> None:
    trials = [f"t{i:03d}" for i in range(20)]
    for trial_id in trials:
        commit(tmp_path, trial_id)
    done = compact(tmp_path)
    assert len(names(tmp_path, "trials")) == 7
    assert len(done.written) == 14
    assert not set(done.written) & set(done.removed)
    assert says(tmp_path) == dict.fromkeys(trials, 0)


def test_failed_trials_stay_until_they_are_committed(tmp_path: Path) -> None:
    row = {"pair_id": "p", "status": "failed", "seed": 0}
    commit(tmp_path, "a")
    for trial_id in "ab":
        write_failure(tmp_path, row | {"trial_id": trial_id})
    compact(tmp_path)
    assert finished_trials(tmp_path) == {"a"}
    assert read_trials(tmp_path)["status"].to_pylist() == [None, "failed"]
    commit(tmp_path, "b")
    compact(tmp_path)
    assert says(tmp_path) == {"a": 0, "b": 0}
    assert set(read_trials(tmp_path)["status"].to_pylist()) == {None}


def test_drafts_are_ignored_and_those_of_compaction_removed(tmp_path: Path) -> None:
    commit(tmp_path, "a")
    for table in ("trials", "steps"):
        for draft in (".part-000001-000001-ab.parquet.1f", ".b.parquet.1f"):
            (tmp_path / table / draft).write_bytes(b"PAR1 half a fi")
    assert says(tmp_path) == {"a": 0}
    compact(tmp_path)
    assert says(tmp_path) == {"a": 0}
    for table in ("trials", "steps"):
        assert {name for name in names(tmp_path, table) if name[0] == "."} == {".b.parquet.1f"}


@pytest.mark.parametrize("table", ["trials", "steps"])
def test_a_damaged_part_is_named_and_its_removal_repeats_its_trials_alone(
    tmp_path: Path, small_parts: int, table: str
) -> None:
    for trial_id in "abcdef":
        commit(tmp_path, trial_id)
    compact(tmp_path)
    (path,) = (p for p in (tmp_path / table).iterdir() if p.name.startswith("part-000002"))
    path.write_bytes(path.read_bytes()[:-20])
    rows = tmp_path / "trials" / path.name
    with pytest.raises(StoreError) as caught:
        says(tmp_path)
    named = f"{path} is damaged or not of this store: delete "
    remedy = "it and run" if table == "trials" else f"it and {rows} and run"
    assert str(caught.value).startswith(named + remedy)
    assert "\n" not in str(caught.value)
    for file in {path, rows}:
        file.unlink()
    assert says(tmp_path) == dict.fromkeys("abc", 0)
    for trial_id in "def":
        commit(tmp_path, trial_id, version=1)
    compact(tmp_path)
    assert says(tmp_path) == dict.fromkeys("abc", 0) | dict.fromkeys("def", 1)
    assert names(tmp_path, "trials") == names(tmp_path, "steps")


@pytest.mark.parametrize("table", ["trials", "steps"])
def test_a_damaged_single_file_stops_compaction_with_its_remedy(tmp_path: Path, table: str) -> None:
    for trial_id in "ab":
        commit(tmp_path, trial_id)
    (tmp_path / table / "a.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(StoreError, match=r"a\.parquet is damaged .*: delete it"):
        compact(tmp_path)
    for name in ("trials", "steps"):
        (tmp_path / name / "a.parquet").unlink()
    compact(tmp_path)
    assert says(tmp_path) == {"b": 0}


def test_trials_whose_curves_somebody_removed_still_count(tmp_path: Path, small_parts: int) -> None:
    for trial_id in "ab":
        commit(tmp_path, trial_id)
    compact(tmp_path)
    shutil.rmtree(tmp_path / "steps")
    commit(tmp_path, "c")
    (tmp_path / "steps" / "c.parquet").unlink()
    for _ in range(2):
        assert finished_trials(tmp_path) == {"a", "b", "c"}
        assert read_trials(tmp_path).num_rows == 3
        assert read_steps(tmp_path).num_rows == 0
        compact(tmp_path)


def test_a_file_that_somebody_removes_meanwhile_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path, "a")
    count = compaction.count_rows

    def remove_first(path: Path) -> int:
        rows = count(path)
        path.unlink()
        return rows

    monkeypatch.setattr(compaction, "count_rows", remove_first)
    with pytest.raises(StoreError, match=r"lost a file while it was packed .*: run the study"):
        compact(tmp_path)


def test_pandas_reads_single_files_and_parts_as_one(tmp_path: Path) -> None:
    for trial_id in "ab":
        commit(tmp_path, trial_id)
    compact(tmp_path)
    commit(tmp_path, "c")
    (tmp_path / "trials" / ".d.parquet.1f").write_bytes(b"PAR1 half a fi")
    assert sorted(pd.read_parquet(tmp_path / "trials")["trial_id"]) == list("abc")
    steps = pd.read_parquet(tmp_path / "steps", columns=["trial_id", "train_loss"])
    assert steps.groupby("trial_id").size().to_dict() == dict.fromkeys("abc", ROWS)


class Killed(BaseException):
    """What stops a process between two steps, as a kill does."""


@pytest.fixture(scope="module")
def kill_after() -> Iterator[object]:
    """Lets a process change so many names of files, and then dies."""
    patch = pytest.MonkeyPatch()
    left = [10**9]

    def counted(change):
        def once(path: Path, *args, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return change(path, *args, **kwargs)

        return once

    patch.setattr(Path, "replace", counted(Path.replace))
    patch.setattr(Path, "unlink", counted(Path.unlink))
    patch.setattr(compaction, "ROWS_OF_A_PART", 3 * (ROWS + 1))

    def kill_after(changes: int) -> None:
        left[0] = changes

    yield kill_after
    patch.undo()


IDS = st.sampled_from([f"t{i}" for i in range(8)])
ACTIONS = st.one_of(
    st.tuples(st.just("commit"), IDS),
    st.tuples(st.just("compact"), st.just(0)),
    st.tuples(st.just("killed compaction"), st.integers(0, 40)),
    st.tuples(st.just("killed commit"), st.tuples(IDS, st.integers(0, 1))),
    st.tuples(st.just("commit together"), st.sets(IDS, min_size=2)),
    st.tuples(
        st.just("killed commit together"), st.tuples(st.sets(IDS, min_size=2), st.integers(0, 1))
    ),
)


@settings(max_examples=100, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=25))
def test_any_order_of_commits_compactions_and_kills_loses_and_doubles_nothing(
    kill_after, actions: list
) -> None:
    with TemporaryDirectory() as folder:
        out = Path(folder)
        versions: dict[str, int] = {}
        for version, (action, value) in enumerate(actions):
            kill_after(10**9)
            if action == "commit":
                commit(out, value, version)
                versions[value] = version
            elif action == "compact":
                compact(out)
            elif action == "killed compaction":
                kill_after(value)
                with contextlib.suppress(Killed):
                    compact(out)
            elif action == "commit together" and versions.keys().isdisjoint(value):
                commit_together(out, value, version)
                versions |= dict.fromkeys(value, version)
            elif action == "killed commit together" and versions.keys().isdisjoint(value[0]):
                kill_after(value[1])
                with pytest.raises(Killed):
                    commit_together(out, value[0], version)
            elif action == "killed commit" and value[0] not in versions:
                # A new trial that is stopped before its row lies there is not committed.
                kill_after(value[1])
                with pytest.raises(Killed):
                    commit(out, value[0], version)
            kill_after(10**9)
            assert says(out) == versions
        compact(out)
        assert says(out) == versions
        # Every row lies in a part, and every part is whole.
        assert parts(out, "trials") == parts(out, "steps")
        for table in ("trials", "steps"):
            drafts = {name for name in names(out, table) if name.startswith(".t")}
            assert names(out, table) == parts(out, table) | drafts


def test_after_a_kill_at_any_step_the_next_compaction_leaves_each_trial_in_one_file(
    kill_after,
) -> None:
    for changes in itertools.count():
        with TemporaryDirectory() as folder:
            out = Path(folder)
            kill_after(10**9)
            for trials in ("mno", "p"):  # a full part and a small one
                for trial_id in trials:
                    commit(out, trial_id)
                compact(out)
            for trial_id in "qrstuvw":
                commit(out, trial_id)
            kill_after(changes)
            was_killed = False
            try:
                compact(out)
            except Killed:
                was_killed = True
            kill_after(10**9)
            for trial_id in "abcd":
                commit(out, trial_id)
            compact(out)
            for table, rows in (("trials", 1), ("steps", ROWS)):
                ids = pd.read_parquet(out / table, columns=["trial_id"])["trial_id"]
                assert sorted(ids) == sorted("abcdmnopqrstuvw" * rows)
                assert names(out, table) == parts(out, table)
            assert parts(out, "trials") == parts(out, "steps")
        if not was_killed:
            break
    assert changes > 20


COMPACT_FOR_EVER = """
import sys
from pathlib import Path
from metakd.results import compaction
from metakd.results.writer import finished_trial, write_trials

out, start = Path(sys.argv[1]), int(sys.argv[2])
compaction.ROWS_OF_A_PART = 100
import pyarrow.dataset  # which the first compaction would spend the time before the kill on
print("ready", flush=True)
for round in range(start, start + 1000):
    for i in range(10):
        trial_id = f"t{10 * round + i:06d}"
        steps = [{"trial_id": trial_id, "step": s, "train_loss": s / 8} for s in range(4)]
        row = {"trial_id": trial_id, "pair_id": "p", "seed": 0}
        write_trials(out, [finished_trial(row, steps)])
        print(trial_id, flush=True)
    compaction.compact(out)
"""
KILLS = 8


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    moments = random.Random(0)
    said: set[str] = set()
    for kill in range(KILLS):
        packer = subprocess.Popen(
            [sys.executable, "-c", COMPACT_FOR_EVER, str(tmp_path), str(1000 * kill)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert packer.stdout is not None
        packer.stdout.readline()
        time.sleep(moments.uniform(0.05, 0.4))
        packer.kill()
        # A kill can cut the last line.
        said |= {line for line in packer.communicate()[0].split("\n")[:-1] if line[0] == "t"}
        assert said <= set(says(tmp_path))
    found = says(tmp_path)
    # How many were written in between is the machine's affair.
    assert len(found) > KILLS
    compact(tmp_path)
    assert says(tmp_path) == found
    assert not any(name.startswith("t") for name in names(tmp_path, "trials"))
    assert parts(tmp_path, "trials") == parts(tmp_path, "steps")


def test_readers_beside_it_see_every_trial_once(tmp_path: Path, small_parts: int) -> None:
    committed: list[str] = []
    over = threading.Event()

    def write() -> None:
        for i in range(0, 150, 3):
            ids = [f"t{i + j:03d}" for j in range(3)]
            if i % 2:
                commit_together(tmp_path, ids)
            else:
                for trial_id in ids:
                    commit(tmp_path, trial_id)
            committed.extend(ids)
            compact(tmp_path)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    looks = 0
    while not over.is_set():
        before = set(committed)
        assert before <= finished_trials(tmp_path)
        rows = read_trials(tmp_path)["trial_id"].to_pylist()
        assert before <= set(rows)
        assert len(rows) == len(set(rows))
        steps = read_steps(tmp_path, columns=["step"])
        counts = steps["trial_id"].value_counts().to_pylist()
        assert {count["counts"] for count in counts} <= {ROWS}
        assert before <= {count["values"] for count in counts}
        looks += 1
    writer.join()
    assert looks > 3
    assert says(tmp_path) == {f"t{i:03d}": 0 for i in range(150)}


def test_trials_that_were_committed_together_are_one_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "ROWS_OF_A_PART", 1_000_000)
    commit_together(tmp_path, "cab")
    (part,) = names(tmp_path, "trials")
    assert names(tmp_path, "steps") == {part}
    assert part.startswith("part-000001-000001-")
    commit(tmp_path, "d")
    commit_together(tmp_path, "ef")
    assert says(tmp_path) == dict.fromkeys("abcdef", 0)
    assert sum(name.startswith("part-000002-000002-") for name in names(tmp_path, "trials")) == 1
    compact(tmp_path)
    assert len(names(tmp_path, "trials")) == 1
    assert says(tmp_path) == dict.fromkeys("abcdef", 0)


def test_many_small_parts_are_due_and_are_merged_into_full_ones(
    tmp_path: Path, small_parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compaction.MOST_PARTS == 100
    monkeypatch.setattr(compaction, "MOST_PARTS", 9)
    pairs = [(f"a{i}", f"b{i}") for i in range(10)]
    for number, pair in enumerate(pairs, start=1):
        commit_together(tmp_path, pair)
        assert is_due(tmp_path) is (number > 9)
    change = compact(tmp_path)
    assert not is_due(tmp_path)
    # Two pairs are more than a part of three trials.
    assert len(names(tmp_path, "trials")) == 5
    assert len(change.written) == 10
    assert len(change.removed) == 20
    assert says(tmp_path) == dict.fromkeys(sum(pairs, ()), 0)
    assert compact(tmp_path) == Change(())
