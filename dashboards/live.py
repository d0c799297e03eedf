"""Reports of results wherever they lie, rendered again and again while their study runs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from metakd.analysis.inventory import Inventory
from metakd.analysis.summarise import summarise, write_summary
from metakd.dashboards.report import write_report
from metakd.results.look_records import LOOKS_FILE
from metakd.results.mirror import fetch_results
from metakd.results.object_store import ObjectStore
from metakd.results.searches import SEARCHES_FILE
from metakd.results.study import STUDY_FILE, StoreError, check_out

# What changes when a trial is committed, fails or is compacted.
RESULT_FOLDERS = ("trials", "failed", "steps")


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
        """The folder, or the address of the object store."""
        return self.out if self.store is None else Path(self.store.address(""))

    def refresh(self) -> None:
        """Makes the folder hold what the store holds now.

        Raises:
            StoreError: If the store does not answer.
        """
        if self.store is not None:
            fetch_results(self.out, self.store)

    def publish(self, file: Path) -> str:
        """Uploads a written file if it lies in a copy, and returns its path or its address.

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


def watch(place: Place, file: Path | None, every_s: int) -> None:
    """Renders whenever results have changed; returns when no trial and no look is to come.

    A state that cannot be read, half-written while results are copied, is waited out.

    Args:
        place: The study's results; they may still lack ``study.json``.
        file: Where to write; None writes ``report.html`` and ``summary.json`` there.
        every_s: Seconds between checks.

    Raises:
        StoreError: If the folder is absent or holds something else, or its store does not answer.
        OSError: If the page cannot be written.
    """
    out = place.out
    if not out.is_dir():
        raise StoreError(f"{out} is no folder: is the path right?")
    check_out(out)
    seen: object = None
    waiting_for = ""
    while True:
        place.refresh()
        # Before reading: what is committed while we read is a change for the next look.
        state = _state(out)
        if state != seen:
            try:
                summary = summarise(out)
            except StoreError as error:
                if str(error) != waiting_for:
                    waiting_for = str(error)
                    _say(f"waiting: {error}")
            else:
                seen, waiting_for = state, ""
                goes_on = summary.deciding is not None and summary.deciding.goes_on
                done = not summary.inventory.is_open and not goes_on
                if file is None:
                    place.publish(write_summary(out, summary))
                path = write_report(out, summary, file, refresh_s=None if done else every_s)
                found_at = place.publish(path)
                _say(f"{_progress(summary.inventory)} · {summary.verdict.badge} · {found_at}")
                if done:
                    _end()
                    return
        time.sleep(every_s)


def _state(out: Path) -> object:
    """Returns what differs whenever results differ: files with their times, cheap to list."""
    names = (STUDY_FILE, SEARCHES_FILE, LOOKS_FILE, *RESULT_FOLDERS)
    places = [out / name for name in names]
    files = [file for place in places if place.is_dir() for file in place.iterdir()]
    times = []
    for path in (*places, *files):
        try:
            found = path.stat()
        except FileNotFoundError:  # compacted since it was listed, or not there yet
            continue
        times.append((str(path), found.st_mtime_ns, found.st_size))
    return sorted(times)


def _progress(runs: Inventory) -> str:
    failed = f", {runs.failed} failed" if runs.failed else ""
    return f"{runs.finished}/{runs.planned} trials{failed}"


def _say(line: str) -> None:
    """Shows a line: over the one before in a terminal, below it elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="", flush=True)
    else:
        print(line, flush=True)


def _end() -> None:
    if sys.stdout.isatty():
        print()
