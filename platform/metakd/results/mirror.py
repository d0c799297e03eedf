"""A study's results in an object store, and this machine's copy of them.

The store is the truth. A trial counts as soon as its row lies there, and its curve goes before it.
"""

import shutil
from contextlib import suppress
from pathlib import Path, PurePath

from metakd.results.files import COMPACTED, Change
from metakd.results.look_records import LOOKS_FILE
from metakd.results.object_store import ObjectStore
from metakd.results.searches import SEARCHES_FILE
from metakd.results.study import CONFIG_FILE, OWN_NAMES, STUDY_FILE, StoreError, check_own
from metakd.results.teacher_scores import TEACHERS_FILE
from metakd.student_card import CARD, STUDENTS_FOLDER

FOLDERS = ("trials", "steps", "failed")
OF_THE_STUDY = (CONFIG_FILE, SEARCHES_FILE, TEACHERS_FILE, LOOKS_FILE)
ATTEMPTS = 5


def check_store(store: ObjectStore) -> None:
    """Checks that a place in an object store can take a study's results, as ``check_out`` does.

    Raises:
        StoreError: If it holds something else, does not answer, or cannot be written.
    """
    if store.size(STUDY_FILE) is None:
        check_own({name.partition("/")[0] for name in store.names()}, str(store))


def push_change(out: Path, store: ObjectStore, change: Change) -> None:
    """Does to the store what was done here: what was written appears before anything goes.

    Args:
        out: This machine's copy, as whole as the store before the change.
        store: The truth.
        change: What was done here.

    Raises:
        StoreError: If the store does not take it.
    """
    for path in change.written:
        store.push([(out / path, path.as_posix())])
    store.remove(path.as_posix() for path in change.removed)


def fetch_results(out: Path, store: ObjectStore) -> None:
    """Makes this machine's copy of the results that of the store.

    What is here and not there was never committed, and goes; where the store holds no study, all of
    it. Nothing in the store is touched.

    Args:
        out: This machine's copy; it is made if need be.
        store: The truth.

    Raises:
        StoreError: If the store does not answer.
    """
    if store.size(STUDY_FILE) is None:
        for name in (*OWN_NAMES, STUDY_FILE, *OF_THE_STUDY):
            shutil.rmtree(out / name, ignore_errors=True)
            (out / name).unlink(missing_ok=True)
        return
    there = [name for name in OF_THE_STUDY if store.size(name) is not None]
    store.fetch((out / name, name) for name in (STUDY_FILE, *there))
    for _ in range(ATTEMPTS):
        # Between a list and a look, a study that runs may pack trials into fewer files, or keep a
        # better student.
        with suppress(FileNotFoundError):
            parts = _parts(store)
            _fetch(out, store, STUDENTS_FOLDER, CARD)
            for folder in FOLDERS:
                _fetch(out, store, folder)
            if _parts(store) == parts:
                return
    raise StoreError(f"{store} changes faster than it can be read: try again in a minute")


def _fetch(out: Path, store: ObjectStore, folder: str, suffix: str = ".parquet") -> None:
    there = {name for name in store.names(folder) if name.endswith(suffix)}
    # A trial may fail again, in other words; what is committed never changes.
    store.fetch(
        (out / name, name) for name in there if folder == "failed" or not (out / name).exists()
    )
    for file in (out / folder).glob(f"*{suffix}"):
        if f"{folder}/{file.name}" not in there:
            file.unlink(missing_ok=True)


def _parts(store: ObjectStore) -> set[str]:
    return {name for name in store.names("trials") if PurePath(name).match(COMPACTED)}
