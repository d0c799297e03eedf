"""Renders a report again and again while its study runs."""

import sys
import time
from pathlib import Path

from dashboards.places import Place
from dashboards.report import write_report
from metakd.analysis.summarise import summarise, write_summary
from metakd.analysis.summary import Inventory
from metakd.results.looks import LOOKS_FILE
from metakd.results.searches import SEARCHES_FILE
from metakd.results.study import STUDY_FILE, StoreError, check_out

# What changes when a trial is committed, fails or is compacted.
RESULT_FOLDERS = ("trials", "failed", "steps")


def watch(place: Place, file: Path | None, every_s: int) -> None:
    """Renders whenever results have changed; returns when no trial and no look is to come.

    A state that cannot be read, half-written by whoever copies the results, is waited out.

    Args:
        place: The study's results; they may still lack ``study.json``.
        file: Where to write; None writes ``report.html`` and ``summary.json`` there.
        every_s: Seconds between looks.

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
