"""Packs the files of single trials into few large ones: what readers pay for is the count of files.

A part is committed as a trial is: its curves appear first, then its rows, and only then what it
replaces is removed. A kill between any two of these steps leaves files that say the same twice;
readers count them once (see ``files``), and the next compaction removes them.

Parts of less than a million rows are merged with newer ones while they are at most twice as large:
a row is written again a few times at most, and of small parts there are never more than a handful.
Only neighbours in time are merged, so that a newer commit of a trial always lies in a later part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from metakd.atomic import new_file
from metakd.results.files import TABLES, Part, StoreFiles, list_files, new_part
from metakd.results.reader import by_trial_and_step, load_part, packed_trials, trials_of
from metakd.results.schema import ENCODED_STEPS, STEPS, TRIALS
from metakd.results.study import StoreError
from metakd.results.table_files import count_rows, load_table, write_table

MOST_OWN_FILES = 1_000
ROWS_OF_A_PART = 1_000_000
SCHEMAS = {"trials": TRIALS, "steps": ENCODED_STEPS}

# What distinguishes a file from one that replaced it: inode, time and size.
Identity = tuple[int, int, int]


@dataclass(frozen=True)
class Compaction:
    """What a compaction did, as paths relative to the store.

    A copy of the store elsewhere follows it safely by taking what was written, in this order,
    before it removes what was removed, in this order.
    """

    written: tuple[Path, ...]
    removed: tuple[Path, ...]


def is_due(out: Path) -> bool:
    """Whether more than 1,000 trials lie in files of their own."""
    return len(list_files(out).own) > MOST_OWN_FILES


def compact(out: Path) -> Compaction:
    """Packs all trials that have files of their own, about a million rows at a time.

    Readers and writers of trials may work at the same time, but no other compaction: the caller
    holds the study. Failed trials keep their files, since they may be tried again.

    Args:
        out: The study's folder, whole: curves of a part without its rows are removed from it.

    Raises:
        StoreError: If a file is torn or is not of this store; what was packed so far counts.
    """
    files = list_files(out)
    packed = packed_trials(out)
    # Rows whose curves a killed compaction had removed already.
    half_removed = (files.own - files.own_curves) & packed
    compactor = _Compactor(out, files)
    compactor.remove_leftovers(sorted(half_removed))
    own = files.own - half_removed
    # Those that it had packed and not begun to remove come first: they are merged with their part.
    by_need = sorted(own & packed) + sorted(own - packed)
    try:
        for batch in compactor.batches(by_need):
            compactor.pack(batch)
    except FileNotFoundError as error:
        raise StoreError(
            f"{out} lost a file while it was packed ({error}): run the study again"
        ) from error
    return Compaction(tuple(compactor.written), tuple(compactor.removed))


class _Compactor:
    def __init__(self, out: Path, files: StoreFiles) -> None:
        self.written: list[Path] = []
        self.removed: list[Path] = []
        self._out = out
        self._files = files
        self._parts = list(files.parts)

    def remove_leftovers(self, half_removed: Sequence[str]) -> None:
        """Removes what a killed compaction left."""
        self._remove(self._files.dead)
        self._remove(Path("trials", f"{trial_id}.parquet") for trial_id in half_removed)
        for name in TABLES:
            for draft in (self._out / name).glob(".part-*"):
                draft.unlink(missing_ok=True)

    def batches(self, trial_ids: Sequence[str]) -> Iterator[list[str]]:
        """Cuts trials into batches of a million rows, curves and trials counted."""
        batch: list[str] = []
        rows = 0
        for trial_id in trial_ids:
            batch.append(trial_id)
            rows += 1 + sum(count_rows(path) for path in self._own_files("steps", [trial_id]))
            if rows >= ROWS_OF_A_PART:
                yield batch
                batch, rows = [], 0
        if batch:
            yield batch

    def pack(self, batch: Sequence[str]) -> None:
        """Packs trials with files of their own, together with the small parts before them."""
        seen = {trial_id: self._identities(trial_id) for trial_id in batch}
        tables = {
            name: [load_table(self._own_files(name, batch), SCHEMAS[name])] for name in TABLES
        }
        merged = self._to_merge(batch, sum(tables[name][0].num_rows for name in TABLES))
        newer = set(batch)
        for part in reversed(merged):
            there = trials_of(self._out, part)
            kept = [trial_id for trial_id in there if trial_id not in newer]
            newer.update(there)
            for name in TABLES:
                tables[name].append(load_part(self._out, name, part, SCHEMAS[name], kept))
        number = max((part.last for part in self._parts), default=0) + 1
        part = new_part(merged[0].first if merged else number, number)
        self._write(part, *(pa.concat_tables(tables[name]) for name in TABLES))
        self._parts = [*self._parts[: len(self._parts) - len(merged)], part]
        # The row before the curve: without its row a part counts no more.
        self._remove(Path(name, old.name) for old in merged for name in TABLES)
        for trial_id, identities in seen.items():
            # What was committed again meanwhile stays: it is newer than the part.
            if identities == self._identities(trial_id):
                # The curve before the row: a row without a curve is no commit on its way.
                self._remove(Path(name, f"{trial_id}.parquet") for name in reversed(TABLES))

    def _to_merge(self, batch: Sequence[str], rows: int) -> list[Part]:
        """Returns the last parts that a batch of so many rows is merged with."""
        start = len(self._parts)
        while start:
            part = self._parts[start - 1]
            files = (self._out / name / part.name for name in TABLES)
            size = sum(count_rows(file) for file in files if file.exists())
            is_small = size < ROWS_OF_A_PART and size <= 2 * rows
            has_same = not set(batch).isdisjoint(trials_of(self._out, part))
            if not has_same and not (is_small and rows + size <= 2 * ROWS_OF_A_PART):
                break
            start, rows = start - 1, rows + size
        return self._parts[start:]

    def _own_files(self, name: str, trial_ids: Sequence[str]) -> list[Path]:
        there = self._files.own if name == "trials" else self._files.own_curves
        return [self._out / name / f"{i}.parquet" for i in trial_ids if i in there]

    def _write(self, part: Part, rows: pa.Table, curves: pa.Table) -> None:
        curves = by_trial_and_step(curves).cast(STEPS)
        for name, table in (("steps", curves), ("trials", rows.sort_by("trial_id"))):
            with new_file(self._out / name / part.name) as draft:
                write_table(table, draft)
            self.written.append(Path(name, part.name))

    def _remove(self, paths: Iterable[Path]) -> None:
        for path in paths:
            (self._out / path).unlink(missing_ok=True)
            self.removed.append(path)

    def _identities(self, trial_id: str) -> list[Identity | None]:
        return [_identity(self._out / name / f"{trial_id}.parquet") for name in TABLES]


def _identity(path: Path) -> Identity | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
