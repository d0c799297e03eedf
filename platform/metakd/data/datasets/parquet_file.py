"""One Parquet file of images: its columns found, its labels read, its images decoded.

An image column of {bytes, path}, by default ``img`` or ``image``; a column of labels, by default
``label`` or ``fine_label``; and class names in the schema's metadata under ``huggingface``.
"""

import io
import json
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.class_labels import LabelColumn, read_labels
from metakd.data.datasets.pictures import UNREADABLE, Pixels, pixels_of, squared

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
ROWS_AT_ONCE = 64
"""A thread's share: tiny images cost less to decode than to hand to a thread one by one."""


class LabelledFile(NamedTuple):
    """What a file says before its images are decoded.

    ``class_names`` is None where the file does not name them.
    """

    file: Path
    image_column: str
    labels: LabelColumn
    class_names: tuple[str, ...] | None


class Picture(NamedTuple):
    """An image as ``pixels_of`` has it, and what it was before.

    ``shape`` is its height and width in the file.
    """

    pixels: Pixels
    is_see_through: bool
    shape: tuple[int, int]


class DecodedFile(NamedTuple):
    """The images of a file by row, and what is wrong with the others.

    ``faults`` are sentences that name file and row.
    """

    file: Path
    pictures: dict[int, Picture]
    faults: list[str]

    @property
    def images(self) -> list[Pixels]:
        """The pixels of all that could be decoded."""
        return [picture.pixels for picture in self.pictures.values()]


def open_labels(file: Path, options: DatasetOptions) -> LabelledFile:
    """Finds the columns of a file and reads its labels.

    Raises:
        DatasetError: If the file is not Parquet, has no rows, lacks a column, or has one of another
            type.
    """
    with _readable(file) as table:
        schema = table.schema_arrow
        image_column = _find_column(file, schema, options.image_column, IMAGE_COLUMNS)
        label_column = _find_column(file, schema, options.label_column, LABEL_COLUMNS)
        _check_image_type(file, schema, image_column)
        column = table.read(columns=[label_column]).column(label_column)
        if len(column) == 0:
            raise DatasetError(f"{file} has no rows")
        labels = read_labels(file, label_column, column)
        return LabelledFile(file, image_column, labels, _class_names(schema, label_column))


def decode_images(
    labelled: LabelledFile, pool: Executor, side: int | None = None, at_most: int | None = None
) -> DecodedFile:
    """Decodes the images of a file, on the threads of ``pool``.

    Args:
        labelled: The file.
        pool: Decodes and resizes.
        side: Of the squares that images of 8 bits become, in pixels; None, and for images of more
            bits: as they are.
        at_most: So many of the first rows, rounded up to ``ROWS_AT_ONCE``; None takes all.

    Raises:
        DatasetError: If the file cannot be read.
    """
    file, column = labelled.file, labelled.image_column
    with _readable(file) as table:
        wanted = None if at_most is None else -(-at_most // ROWS_AT_ONCE)
        batches = islice(table.iter_batches(ROWS_AT_ONCE, columns=[column]), wanted)
        encoded = [batch.column(column).field("bytes").to_pylist() for batch in batches]
    decoded = list(chain.from_iterable(pool.map(partial(_decode_rows, side), encoded)))
    return DecodedFile(
        file,
        pictures={row: each for row, each in enumerate(decoded) if isinstance(each, Picture)},
        faults=[
            f"{file}, row {row}: {fault}"
            for row, fault in enumerate(decoded)
            if isinstance(fault, str)
        ],
    )


@contextmanager
def _readable(file: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(file) as table:
            yield table
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{file} is not a readable Parquet file: {reason}") from error


def _find_column(
    file: Path, schema: pa.Schema, named: str | None, expected: tuple[str, ...]
) -> str:
    wanted = expected if named is None else (named,)
    for name in wanted:
        if name in schema.names:
            return name
    raise DatasetError(
        f"{file} has no column {' or '.join(wanted)}: its columns are {', '.join(schema.names)}; "
        "name them with --image-column and --label-column"
    )


def _check_image_type(file: Path, schema: pa.Schema, image_column: str) -> None:
    kind = schema.field(image_column).type
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise DatasetError(
            f"{file}: column {image_column} must be a struct with a field bytes, it is {kind}"
        )


def _class_names(schema: pa.Schema, label_column: str) -> tuple[str, ...] | None:
    about: Any
    try:
        about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = about["info"]["features"][label_column]["names"]
    except (ValueError, LookupError, TypeError):
        return None
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def _decode_rows(side: int | None, encoded: list[bytes | None]) -> list[Picture | str]:
    return [_decode_image(data, side) for data in encoded]


def _decode_image(data: bytes | None, side: int | None) -> Picture | str:
    """Returns the picture, or says why there is none."""
    if data is None:
        return "the image has no bytes"
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels, is_see_through = pixels_of(image)
    except UNREADABLE as error:
        return f"the image cannot be decoded: {error}"
    shape = (pixels.shape[0], pixels.shape[1])
    if side is not None and pixels.dtype == np.uint8:
        pixels = squared(pixels, side)
    return Picture(pixels, is_see_through, shape)
