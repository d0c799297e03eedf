"""Which files of a store hold which trials.

A trial that was committed alone has two files of its own, ``trials/ID.parquet`` and
``steps/ID.parquet``. Trials that were committed together, or that compaction packed, are a *part*:
again two files, one in each folder, of the same name ``part-FIRST-LAST-WORD.parquet``. Parts are
numbered as they are made; one that others were merged into spans their numbers, FIRST to LAST. WORD
is random, so that no name ever means two contents.

The names alone say what counts:

- a trial or a part counts once its file in ``trials/`` is there. Its file in ``steps/`` is written
  before, so that no trial counts without its curve;
- a part whose numbers lie within another's was merged into it, and counts no more: a single rename
  replaces several parts;
- of a trial that is in several places, its own files are the newest commit, then the later part.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

TABLES = ("trials", "steps")
COMPACTED = "part-*.parquet"

PART_NAME = re.compile(r"part-(\d+)-(\d+)-[0-9a-f]+\.parquet")


@dataclass(frozen=True, order=True)
class Part:
    """Many trials, packed into one file of each table."""

    last: int
    first: int
    name: str

    def within(self, other: "Part") -> bool:
        """Whether it was merged into another."""
        inside = other.first <= self.first and self.last <= other.last
        return inside and (self.first, self.last) != (other.first, other.last)


@dataclass(frozen=True)
class Change:
    """What was done to a store, as paths relative to it.

    A copy of the store elsewhere follows it safely by taking what was written, in this order,
    before it removes what was removed, in this order.
    """

    written: tuple[Path, ...]
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True)
class StoreFiles:
    """What lies in a store.

    Attributes:
        own: Ids of the trials that have a row of their own.
        own_curves: Ids of those that have a curve of their own, too. The others' were packed: a
            compaction was stopped, or goes on; or they were removed.
        parts: The parts that count, the oldest first.
        dead: Files that count no more, or not yet, relative to the store: of parts that were
            merged, and curves without a row.
    """

    own: frozenset[str]
    own_curves: frozenset[str]
    parts: tuple[Part, ...]
    dead: tuple[Path, ...]


def list_files(out: Path) -> StoreFiles:
    """Lists a store, so that no trial falls between its own files and the part it moves to.

    A folder's listing may miss a file that appears meanwhile, and the one that it replaces, gone
    meanwhile. Then the next listing has a part that this one lacks.
    """
    found = _list_once(out)
    while (again := _list_once(out)).parts != found.parts:
        found = again
    return found


def next_number(out: Path) -> int:
    """Returns the number of the next part."""
    parts = map(_parsed, _names(out / TABLES[0]))
    return 1 + max((part.last for part in parts if part is not None), default=0)


def new_part(first: int, last: int) -> Part:
    """Returns a part of a name that was never used."""
    return Part(last, first, f"part-{first:06d}-{last:06d}-{uuid4().hex[:8]}.parquet")


def _list_once(out: Path) -> StoreFiles:
    # Rows first: a commit writes the curve before the row, so that a row seen has its curve.
    rows, curves = (_names(out / table) for table in TABLES)
    found = [part for part in map(_parsed, rows) if part is not None]
    parts = sorted(part for part in found if not any(part.within(other) for other in found))
    counting = {part.name for part in parts}
    own = {name for name in rows if _parsed(name) is None}
    return StoreFiles(
        own=frozenset(Path(name).stem for name in own),
        own_curves=frozenset(Path(name).stem for name in own & curves),
        parts=tuple(parts),
        dead=tuple(
            Path(table, name)
            for table, names in zip(TABLES, (rows, curves), strict=True)
            for name in sorted(names - counting - own)
        ),
    )


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {
        name
        for name in os.listdir(folder)  # noqa: PTH208 - thousands of names
        if name.endswith(".parquet") and not name.startswith(".")
    }


def _parsed(name: str) -> Part | None:
    match = PART_NAME.fullmatch(name)
    return None if match is None else Part(int(match[2]), int(match[1]), name)
