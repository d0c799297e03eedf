"""Where a study's results lie: a folder, or an object store of which a copy is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from metakd.results.mirror import fetch_results
from metakd.results.object_store import ObjectStore


@dataclass(frozen=True)
class Place:
    """A study's results.

    Attributes:
        out: The folder to read, and to write into.
        store: The object store that the folder is a copy of; None if it is the original.
    """

    out: Path
    store: ObjectStore | None = None

    @property
    def name(self) -> Path:
        """What a reader knows it by."""
        return self.out if self.store is None else Path(self.store.address(""))

    def refresh(self) -> None:
        """Makes the folder hold what the store holds now.

        Raises:
            StoreError: If the store does not answer.
        """
        if self.store is not None:
            fetch_results(self.out, self.store)

    def publish(self, file: Path) -> str:
        """Hands over a file that was written, if it lies in a copy; returns where it can be found.

        Raises:
            StoreError: If the store does not take it.
        """
        if self.store is None or not file.is_relative_to(self.out):
            return str(file)
        name = file.relative_to(self.out).as_posix()
        self.store.push([(file, name)])
        return self.store.address(name)


@contextmanager
def opened(place: str) -> Iterator[Place]:
    """Yields a study's results, read or about to be.

    Args:
        place: A folder, or an address such as ``s3://bucket/study``, whose copy lasts as long.

    Raises:
        StoreError: If the address makes no sense, or the store does not answer.
    """
    if "://" not in place:
        yield Place(Path(place))
        return
    store = ObjectStore(place)
    with TemporaryDirectory(prefix="metakd-") as folder:
        copy = Place(Path(folder), store)
        copy.refresh()
        yield copy
