"""Images in Parquet files, in the layout of the Hugging Face hub."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.decoded_tables import decode_tables
from metakd.data.datasets.files_below import files_below
from metakd.data.datasets.image_table import ImageTable
from metakd.data.datasets.named_options import absolute_path, read_side, split_options
from metakd.data.datasets.source import DecodedSource
from metakd.data.datasets.split_files import splits_of_files
from metakd.data.datasets.split_names import Split, left_out_in_words

VERSION = 2
"""Raised whenever files are read in another way: what was decoded before is not used."""

SUFFIX = ".parquet"


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file as a table of images; whatever is wrong with the file is a DatasetError."""

    file: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.file)

    @property
    def remedy(self) -> str:
        """How the file is left out."""
        return (
            "leave the file out by a glob that names the others, as in "
            f"parquet:{self.file.parent}/train*"
        )

    def schema(self) -> pa.Schema:
        """Returns names and types of the columns."""
        with self._opened() as table:
            return table.schema_arrow

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns a column."""
        with self._opened() as table:
            return table.read(columns=[name]).column(name)

    def encoded(self, name: str, rows: int) -> Iterator[list[bytes | None]]:
        """Yields the encoded images of a column, so many rows at once."""
        with self._opened() as table:
            for batch in table.iter_batches(rows, columns=[name]):
                yield batch.column(name).field("bytes").to_pylist()

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self.file) as table:
                yield table
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise DatasetError(f"{self.file} is not a readable Parquet file: {reason}") from error


class FoundFiles(NamedTuple):
    """Parquet files below a folder, by names relative to it; what a dataset is called by them."""

    root: Path
    names: list[str]
    shown_name: str
    left_out: Counter[str]


def parquet_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns the images of a file, of all files in a folder, or of all that match a glob.

    ``split_files`` says which of them are the official test set.

    Args:
        argument: The file, folder or glob; with ",size=S" behind it images of different shapes
            become squares of S pixels.
        options: Names the columns, and says what to do about corrupt images.

    Raises:
        DatasetError: If there are no such files, or their splits are not clear.
    """
    path, side = _path_and_side(argument)
    found = _find_files(path)
    splits = splits_of_files(found.root, found.names)
    files = [found.root / name for name in found.names]
    stats = [(str(file.resolve()), file.stat()) for file in files]
    reading = [options.image_column, options.label_column, options.corrupt_images]
    # What was decoded without a size before there was one is still right.
    reading += [] if side is None else [f"size {side}"]
    key = [
        [name, split, path, stat.st_size, stat.st_mtime_ns]
        for name, split, (path, stat) in zip(found.names, splits, stats, strict=True)
    ]
    return DecodedSource(
        name=f"parquet:{found.shown_name.removesuffix(SUFFIX)}",
        key=f"parquet {VERSION} {json.dumps([reading, *key])}",
        decode=partial(
            decode_tables,
            f"{found.root}",
            [ParquetTable(file) for file in files],
            partial(_splits_of_tables, found.root),
            options,
            side,
        ),
        notes=tuple(left_out_in_words(found.left_out)),
    )


def _path_and_side(argument: str) -> tuple[str, int | None]:
    """Splits "PATH,size=S"; a file that is called like this is a path."""
    if not argument or absolute_path(argument).exists():
        return argument, None
    path, options = split_options(argument)
    return path, read_side("parquet", options)


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _find_files(argument: str) -> FoundFiles:
    if not argument:
        raise DatasetError("parquet needs a path: parquet:FILE, parquet:FOLDER or parquet:GLOB")
    path = absolute_path(argument)
    if path.is_file():
        return FoundFiles(path.parent, [path.name], path.resolve().name, Counter())
    if path.is_dir():
        below = files_below(path, lambda name: name.lower().endswith(SUFFIX))
        names = sorted(below.files, key=_by_folders)
        found = FoundFiles(path, names, path.resolve().name, below.left_out)
    elif _is_glob(argument):
        found = _match(path)
    else:
        raise DatasetError(f"there is no file or folder {argument}")
    if not found.names:
        raise DatasetError(f"there are no Parquet files at {argument}")
    return found


def _match(pattern: Path) -> FoundFiles:
    """Returns what a glob matches, below the folders at its beginning that are there by name.

    Raises:
        DatasetError: If it is no glob.
    """
    root = Path(pattern.anchor)
    parts = list(pattern.parts[1:])
    # A folder may well be called "data [v2]".
    while (root / parts[0]).is_dir():
        root /= parts.pop(0)
    try:
        matched = [path for path in root.glob("/".join(parts)) if path.is_file()]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{pattern} cannot be matched: {error}") from error
    plain = [*root.resolve().parts, *(part for part in parts if not _is_glob(part))]
    names = [path.relative_to(root).as_posix() for path in matched]
    return FoundFiles(root, sorted(names, key=_by_folders), plain[-1], Counter())


def _by_folders(name: str) -> list[str]:
    return name.split("/")


def _splits_of_tables(root: Path, tables: Sequence[ImageTable]) -> list[Split | None]:
    files = [table.file for table in tables if isinstance(table, ParquetTable)]
    return splits_of_files(root, [file.relative_to(root).as_posix() for file in files])
