"""One table of images: its columns found, its labels read, its images decoded.

An image column of {bytes, path}, by default ``img`` or ``image``; a column of labels, by default
``label`` or ``fine_label``; and class names in the schema's metadata under ``huggingface``.
"""

import io
import json
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from PIL import Image

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.class_labels import LabelColumn, read_labels
from metakd.data.datasets.pictures import UNREADABLE, Pixels, pixels_of, squared

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
ROWS_AT_ONCE = 64
"""A thread's share: tiny images cost less to decode than to hand to a thread one by one."""


class ImageTable(Protocol):
    """A table that holds an image and a label in each row: a file, or a split of a dataset."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def remedy(self) -> str:
        """How it is left out, as an error says it."""

    def schema(self) -> pa.Schema:
        """Returns names and types of the columns, with metadata."""

    def column(self, name: str) -> pa.ChunkedArray:
        """Returns a column."""

    def encoded(self, name: str, rows: int) -> Iterator[list[bytes | None]]:
        """Yields the encoded images of a column, so many rows at once; None where one is missing.

        Args:
            name: Of the column.
            rows: How many at once; fewer in the end.
        """


class LabelledTable(NamedTuple):
    """What a table says before its images are decoded.

    ``class_names`` is None where it does not name them.
    """

    table: ImageTable
    image_column: str
    labels: LabelColumn
    class_names: tuple[str, ...] | None


class Picture(NamedTuple):
    """An image as ``pixels_of`` has it, and what it was before.

    ``shape`` is its height and width in the table.
    """

    pixels: Pixels
    is_see_through: bool
    shape: tuple[int, int]


class DecodedTable(NamedTuple):
    """The images of a table by row, and what is wrong with the others.

    ``faults`` are sentences that name table and row.
    """

    table: str
    pictures: dict[int, Picture]
    faults: list[str]

    @property
    def images(self) -> list[Pixels]:
        """The pixels of all that could be decoded."""
        return [picture.pixels for picture in self.pictures.values()]


def open_labels(table: ImageTable, options: DatasetOptions) -> LabelledTable:
    """Finds the columns of a table and reads its labels.

    Raises:
        DatasetError: If it cannot be read, has no rows, lacks a column, or has one of another type.
    """
    schema = table.schema()
    image_column = _find_column(table.name, schema, options.image_column, IMAGE_COLUMNS)
    label_column = _find_column(table.name, schema, options.label_column, LABEL_COLUMNS)
    _check_image_type(table.name, schema, image_column)
    column = table.column(label_column)
    if len(column) == 0:
        raise DatasetError(f"{table.name} has no rows")
    labels = read_labels(table.name, label_column, column, table.remedy)
    return LabelledTable(table, image_column, labels, _class_names(schema, label_column))


def decode_images(
    labelled: LabelledTable, pool: Executor, side: int | None = None, at_most: int | None = None
) -> DecodedTable:
    """Decodes the images of a table, on the threads of ``pool``.

    Args:
        labelled: The table.
        pool: Decodes and resizes.
        side: Of the squares that images of 8 bits become, in pixels; None, and for images of more
            bits: as they are.
        at_most: So many of the first rows, rounded up to ``ROWS_AT_ONCE``; None takes all.

    Raises:
        DatasetError: If the table cannot be read.
    """
    table = labelled.table
    wanted = None if at_most is None else -(-at_most // ROWS_AT_ONCE)
    encoded = islice(table.encoded(labelled.image_column, ROWS_AT_ONCE), wanted)
    decoded = list(chain.from_iterable(pool.map(partial(_decode_rows, side), encoded)))
    return DecodedTable(
        table.name,
        pictures={row: each for row, each in enumerate(decoded) if isinstance(each, Picture)},
        faults=[
            f"{table.name}, row {row}: {fault}"
            for row, fault in enumerate(decoded)
            if isinstance(fault, str)
        ],
    )


def _find_column(
    table: str, schema: pa.Schema, named: str | None, expected: tuple[str, ...]
) -> str:
    wanted = expected if named is None else (named,)
    for name in wanted:
        if name in schema.names:
            return name
    raise DatasetError(
        f"{table} has no column {' or '.join(wanted)}: its columns are {', '.join(schema.names)}; "
        "name them with --image-column and --label-column"
    )


def _check_image_type(table: str, schema: pa.Schema, image_column: str) -> None:
    kind = schema.field(image_column).type
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise DatasetError(
            f"{table}: column {image_column} must be a struct with a field bytes, it is {kind}"
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
