"""One study at a time on an object store."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from object_store_server import Server, address_on

from metakd.results.object_store import ObjectStore
from metakd.study.lease import only_study_on
from metakd.study.lock import LockError

NUMBERS = count()
FAST = {"renewal_s": 0.1, "watch_s": 1.0}
HOLD = """
import sys, time
from pathlib import Path
from metakd.results.object_store import ObjectStore
from metakd.study.lease import only_study_on
with only_study_on(ObjectStore(sys.argv[1]), Path(sys.argv[2]), renewal_s=0.1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(server: Server) -> ObjectStore:
    return ObjectStore(address_on(server, f"lease-{next(NUMBERS)}"))


@contextmanager
def held_elsewhere(store: ObjectStore, scratch: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, store.uri, str(scratch)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_study_is_refused_while_the_first_lives_and_let_in_after_it_died(
    store: ObjectStore, tmp_path: Path
) -> None:
    with held_elsewhere(store, tmp_path / "first") as first:
        with (
            pytest.raises(LockError, match=f"another study works in s3://.*process {first.pid} on"),
            only_study_on(store, tmp_path / "second", **FAST),
        ):
            pass
        first.kill()
        first.wait()
        told: list[str] = []
        with only_study_on(store, tmp_path / "second", told.append, **FAST):
            assert store.read(".lock")
        assert [who.startswith(f"process {first.pid} on ") for who in told] == [True]
    assert store.read(".lock") is None


def test_after_a_crash_the_same_scratch_folder_need_not_wait(
    store: ObjectStore, tmp_path: Path
) -> None:
    with held_elsewhere(store, tmp_path):
        pass
    with only_study_on(store, tmp_path, watch_s=3600):
        pass


def test_it_is_renewed_for_as_long_as_the_study_runs(store: ObjectStore, tmp_path: Path) -> None:
    with only_study_on(store, tmp_path, **FAST):
        seen = {store.read(".lock")}
        deadline = time.monotonic() + 30
        while len(seen) < 4:
            assert time.monotonic() < deadline
            seen.add(store.read(".lock"))
            time.sleep(0.05)


def test_who_loses_a_race_is_refused(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ObjectStore.write

    def write_and_be_overtaken(self: ObjectStore, name: str, text: str) -> None:
        write(self, name, text)
        write(self, name, '{"holder": "somebody else", "scratch": "elsewhere"}')

    monkeypatch.setattr(ObjectStore, "write", write_and_be_overtaken)
    with pytest.raises(LockError, match="another study"), only_study_on(store, tmp_path, **FAST):
        pass
    assert "somebody else" in str(store.read(".lock"))


def test_a_lock_file_that_says_nothing_is_taken_over(store: ObjectStore, tmp_path: Path) -> None:
    store.write(".lock", "not JSON")
    with only_study_on(store, tmp_path, **FAST):
        pass
