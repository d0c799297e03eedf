"""Where a study keeps what it makes."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metakd.student_card import STUDENTS_FOLDER

if TYPE_CHECKING:
    from metakd.results.object_store import ObjectStore

FETCH_LOCK = ".fetching"


@dataclass(frozen=True)
class StudyFolder:
    """The places below OUT; results themselves are the results layer's.

    On storage that all machines share, they are the study. Where that is an object store, they are
    this machine's copies of its files: what is made here is uploaded, and what others made is
    fetched before it is opened.

    Attributes:
        out: The folder, absolute; the same path on every machine.
        store: The object store; None where all machines share the folder.
    """

    out: Path
    store: "ObjectStore | None" = None

    @property
    def datasets(self) -> Path:
        """Decoded datasets, by content."""
        return self.out / "datasets"

    @property
    def teachers(self) -> Path:
        """Trained teachers, one folder by id."""
        return self.out / "teachers"

    @property
    def banks(self) -> Path:
        """Augmented views and the teachers' logits on them, by content."""
        return self.out / "banks"

    @property
    def checkpoints(self) -> Path:
        """States of trials in flight, one folder by trial id."""
        return self.out / "checkpoints"

    @property
    def students(self) -> Path:
        """Weights of trained students, by trial id, each with its card."""
        return self.out / STUDENTS_FOLDER

    @property
    def ray(self) -> Path:
        """What Ray keeps for itself while work is in flight."""
        return self.out / "ray"

    @property
    def ray_storage(self) -> dict[str, Any]:
        """The same place, as Ray's run configurations take it."""
        if self.store is None:
            return {"storage_path": str(self.ray.resolve())}
        filesystem, root = self.store.filesystem()
        return {"storage_path": f"{root}/ray", "storage_filesystem": filesystem}

    def push(self, *places: Path) -> None:
        """Uploads files to the store, one after the other; of a folder, those that it lacks.

        Raises:
            StoreError: If the store does not take them.
        """
        if self.store is None:
            return
        for place in places:
            if place.is_dir():
                there = self.store.names(self._name(place))
                files = [(file, self._name(file)) for file in _files(place)]
                self.store.push((f, name) for f, name in files if there.get(name) != _size(f))
            else:
                self.store.push([(place, self._name(place))])

    def fetch(self, place: Path, anew: bool = False) -> None:
        """Makes sure that the store's file at a place is here, or all files of a folder.

        Args:
            place: Where it is to be.
            anew: Whether a file that is here already may be an old one.

        Raises:
            StoreError: If the store does not give them.
        """
        if self.store is None or (place.is_file() and not anew):
            return
        with self._only_fetcher():
            name = self._name(place)
            there = [name] if self.store.size(name) is not None else self.store.names(name)
            wanted = [(self.out / name, name) for name in there]
            self.store.fetch((f, name) for f, name in wanted if anew or not f.exists())

    def names(self, place: Path) -> set[str]:
        """Returns the names of the files below a folder, relative to it, that all machines see."""
        if self.store is None:
            return {str(file.relative_to(place)) for file in _files(place)}
        start = len(self._name(place)) + 1
        return {name[start:] for name in self.store.names(self._name(place))}

    def drop_copies(self, place: Path) -> None:
        """Removes this machine's copy of a file or a folder that is in the object store."""
        if self.store is not None:
            _remove(place)

    def remove(self, place: Path) -> None:
        """Removes a file or a folder, here and in the store; it need not be there."""
        _remove(place)
        if self.store is not None:
            name = self._name(place)
            self.store.remove(self.store.names(name) or [name])

    def _name(self, place: Path) -> str:
        return place.relative_to(self.out).as_posix()

    @contextmanager
    def _only_fetcher(self) -> Iterator[None]:
        """Lets one process of a machine fetch at a time: the others find what it fetched."""
        self.out.mkdir(parents=True, exist_ok=True)
        with (self.out / FETCH_LOCK).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _files(folder: Path) -> list[Path]:
    """Returns the files below a folder but for drafts, whose names start with a dot."""
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part[0] == "." for part in file.relative_to(folder).parts)
    ]


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _size(file: Path) -> int:
    return file.stat().st_size
