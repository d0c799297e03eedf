"""Packs the files of single trials into few large ones: what readers pay for is the count of files.

A part is committed as a trial is: its curves appear first, then its rows, and only then what it
replaces is removed. A kill between any two of these steps leaves files that say the same twice;
readers count them once (see ``files``), and the next compaction removes them.

Parts of less than a million rows are merged with their neighbours in time, so that a newer commit
of a trial always lies in a later part. Since that is due after a thousand single files or a hundred
parts, a row is written again a few times at most.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from metakd.atomic import new_file
from metakd.results.files import TABLES, Change, Part, StoreFiles, list_files, new_part
from metakd.results.reader import by_trial_and_step, load_part, packed_trials, trials_of
from metakd.results.schema import ENCODED_STEPS, STEPS, TRIALS
from metakd.results.study import StoreError
from metakd.results.table_files import count_rows, load_table, write_table

MOST_OWN_FILES = 1_000
MOST_PARTS = 100
ROWS_OF_A_PART = 1_000_000
SCHEMAS = {"trials": TRIALS, "steps": ENCODED_STEPS}


def is_due(out: Path) -> bool:
    """Whether more than 1,000 trials lie in files of their own, or more than 100 parts are there.

    Full parts alone are not packed again: a store of 100 of them has a hundred million rows.
    """
    files = list_files(out)
    return len(files.own) > MOST_OWN_FILES or len(files.parts) > MOST_PARTS


def compact(out: Path) -> Change:
    """Packs all trials that have files of their own, about a million rows at a time.

    Readers may work at the same time, but nothing else that writes: the caller holds the study.
    Failed trials keep their files, since they may be tried again.

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
        compactor.merge()
    except FileNotFoundError as error:
        raise StoreError(
            f"{out} lost a file while it was packed ({error}): run the study again"
        ) from error
    return Change(tuple(compactor.written), tuple(compactor.removed))


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
        """Packs trials with files of their own, together with the last parts that have them, too.

        Those are of a compaction that was stopped before it removed what it had packed.
        """
        start = len(self._parts)
        while start and not set(batch).isdisjoint(trials_of(self._out, self._parts[start - 1])):
            start -= 1
        merged = self._parts[start:]
        number = max((part.last for part in self._parts), default=0) + 1
        part = new_part(merged[0].first if merged else number, number)
        self._replace(merged, part, batch)
        self._parts = [*self._parts[:start], part]
        # The curve before the row: a row without a curve is no commit on its way.
        self._remove(
            Path(name, f"{trial_id}.parquet") for trial_id in batch for name in reversed(TABLES)
        )

    def merge(self) -> None:
        """Merges neighbours among the parts of less than a million rows."""
        for group in self._small_neighbours():
            if len(group) > 1:
                self._replace(group, new_part(group[0].first, group[-1].last), ())

    def _small_neighbours(self) -> Iterator[list[Part]]:
        group: list[Part] = []
        rows = 0
        for part in self._parts:
            files = (self._out / name / part.name for name in TABLES)
            size = sum(count_rows(file) for file in files if file.exists())
            if size < ROWS_OF_A_PART:
                group.append(part)
            rows += size
            if rows >= ROWS_OF_A_PART:
                yield group
                group, rows = [], 0
        yield group

    def _replace(self, merged: Sequence[Part], part: Part, own: Sequence[str]) -> None:
        """Writes a part of older ones, and of the files of trials that are newer than they."""
        tables = {name: [load_table(self._own_files(name, own), SCHEMAS[name])] for name in TABLES}
        newer = set(own)
        for old in reversed(merged):
            there = trials_of(self._out, old)
            kept = [trial_id for trial_id in there if trial_id not in newer]
            newer.update(there)
            for name in TABLES:
                tables[name].append(load_part(self._out, name, old, SCHEMAS[name], kept))
        self._write(part, *(pa.concat_tables(tables[name]) for name in TABLES))
        # The row before the curve: without its row a part counts no more.
        self._remove(Path(name, old.name) for old in merged for name in TABLES)

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
