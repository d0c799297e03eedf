"""An array of views (V, n, ...) on disk, in parts that are whole, checksummed and never change."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.atomic import new_file
from metakd.data.catalogue import OutputType
from metakd.errors import UserError

SAMPLES_PER_PART = 65_536
"""A part holds as many whole views as this many samples make, but at least one."""
DIGEST_LENGTH = 16


class BankError(UserError):
    """A bank that is not there, or lacks a part."""


@dataclass(frozen=True)
class Parts:
    """Where an array lies, and how it is divided.

    Attributes:
        folder: Holds ``<number>-<digest>.npy``, one file a part.
        views: V.
        samples: n.
        most_views: A part holds at most so many.
    """

    folder: Path
    views: int
    samples: int
    most_views: int | None = None

    @property
    def views_per_part(self) -> int:
        """How many views a part holds; the last may hold fewer."""
        views = max(1, SAMPLES_PER_PART // max(1, self.samples))
        return views if self.most_views is None else min(views, self.most_views)

    @property
    def count(self) -> int:
        """The number of parts."""
        return math.ceil(self.views / self.views_per_part)

    def part_of(self, number: int) -> int:
        """Returns the part that holds a view."""
        return number // self.views_per_part

    def numbers_of(self, part: int) -> range:
        """Returns the view numbers that a part holds."""
        start = part * self.views_per_part
        return range(start, min(start + self.views_per_part, self.views))

    def missing(self) -> list[int]:
        """Returns the parts that are not there."""
        files = self._files()
        return [part for part in range(self.count) if part not in files]

    def check(self) -> list[int]:
        """Removes parts whose content is not what their name says, and returns their numbers."""
        wrong = [
            part
            for part, file in self._files().items()
            if not file.stem.endswith(f"-{_digest(_content(file))}")
        ]
        for part in wrong:
            self._files()[part].unlink()
        return wrong

    def write(self, part: int, values: NDArray[np.generic]) -> None:
        """Stores a part, (views of it, n, ...); of two that write the same part, either stays."""
        place = self.folder / f"{part:04d}-{_digest(_bytes(values))}.npy"
        with new_file(place) as draft, draft.open("wb") as file:
            np.save(file, values)

    def open(self) -> list[NDArray[np.generic]]:
        """Maps all parts into memory, read-only: the processes of a machine share their pages.

        Raises:
            BankError: If a part is missing or was cut short.
        """
        files = self._files()
        if len(files) < self.count:
            raise BankError(
                f"{self.folder} has {len(files)} of {self.count} parts: run the study again, "
                "it makes what is missing"
            )
        return [_map(files[part]) for part in range(self.count)]

    def _files(self) -> dict[int, Path]:
        # A draft's name starts with a dot.
        found = sorted(self.folder.glob("[0-9]*-*.npy")) if self.folder.is_dir() else []
        return {int(file.name.partition("-")[0]): file for file in found}


def _map(file: Path) -> NDArray[np.generic]:
    try:
        # A plain array over the map: indexing numpy.memmap itself is several times slower.
        return np.asarray(np.load(file, mmap_mode="r"))
    except (ValueError, EOFError) as error:
        raise BankError(
            f"{file} is damaged ({error}): run the study again, it makes damaged parts anew"
        ) from error


def _content(file: Path) -> Iterator[memoryview]:
    try:
        values = np.load(file, mmap_mode="r")
    except (ValueError, EOFError):
        return iter(())
    return _bytes(values)


def _bytes(values: NDArray[np.generic]) -> Iterator[memoryview]:
    for view in values:
        yield np.ascontiguousarray(view).reshape(-1).view(np.uint8).data


def _digest(blocks: Iterator[memoryview]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()[:DIGEST_LENGTH]


BYTES: dict[OutputType, int] = {"float16": 2, "float32": 4}


def outputs_bytes(samples: int, views: int, numbers: int, kept_as: OutputType) -> int:
    """Returns the bytes of outputs of so many numbers for each of V views of n samples."""
    return samples * views * numbers * BYTES[kept_as]
