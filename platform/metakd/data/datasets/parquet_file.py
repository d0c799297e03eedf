"""One Parquet file of images: its columns found, its rows decoded.

An image column ``img`` or ``image`` of {bytes, path}, an integer column ``label`` or
``fine_label``, and class names in the schema's metadata under ``huggingface``.
"""

import io
import json
from concurrent.futures import Executor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from metakd.data.datasets.image_dataset import DatasetError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
ROWS_AT_ONCE = 64
"""A thread's share: tiny images cost less to decode than to hand to a thread one by one."""

Image8 = NDArray[np.uint8]


class DecodedFile(NamedTuple):
    """The rows of a file; ``class_names`` is None where the file does not name them."""

    file: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] | None


def decode_file(file: Path, pool: Executor) -> DecodedFile:
    """Decodes all images of a file, on the threads of ``pool``.

    Raises:
        DatasetError: If the file is not Parquet, lacks a column, or a row cannot be used.
    """
    try:
        with pq.ParquetFile(file) as table:
            return _decode_table(file, table, pool)
    except pa.ArrowException as error:
        raise DatasetError(f"{file} is not a readable Parquet file: {error}") from error


def _decode_table(file: Path, table: pq.ParquetFile, pool: Executor) -> DecodedFile:
    schema = table.schema_arrow
    image_column = _find_column(file, schema, IMAGE_COLUMNS)
    label_column = _find_column(file, schema, LABEL_COLUMNS)
    _check_types(file, schema, image_column, label_column)
    class_names = _class_names(schema, label_column)
    batches = list(table.iter_batches(ROWS_AT_ONCE, columns=[image_column, label_column]))
    encoded = [batch.column(image_column).field("bytes").to_pylist() for batch in batches]
    first_rows = np.cumsum([0, *map(len, batches)])
    decoded = pool.map(partial(_decode_rows, file), first_rows, encoded)
    images = list(chain.from_iterable(decoded))
    labels = [label for batch in batches for label in batch.column(label_column).to_pylist()]
    if not images:
        raise DatasetError(f"{file} has no rows")
    return DecodedFile(
        file, _stack(file, images), _check_labels(file, labels, class_names), class_names
    )


def _find_column(file: Path, schema: pa.Schema, expected: tuple[str, ...]) -> str:
    for name in expected:
        if name in schema.names:
            return name
    raise DatasetError(
        f"{file} has no column {' or '.join(expected)}: its columns are {', '.join(schema.names)}"
    )


def _check_types(file: Path, schema: pa.Schema, image_column: str, label_column: str) -> None:
    image_type, label_type = schema.field(image_column).type, schema.field(label_column).type
    if not pa.types.is_struct(image_type) or image_type.get_field_index("bytes") < 0:
        raise DatasetError(
            f"{file}: column {image_column} must be a struct with a field bytes, it is {image_type}"
        )
    if not pa.types.is_integer(label_type):
        raise DatasetError(f"{file}: column {label_column} must be integer, it is {label_type}")


def _class_names(schema: pa.Schema, label_column: str) -> tuple[str, ...] | None:
    about: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = about.get("info", {}).get("features", {})
    names = features.get(label_column, {}).get("names")
    return None if names is None else tuple(names)


def _decode_rows(file: Path, first_row: int, encoded: list[bytes | None]) -> list[Image8]:
    return [_decode_image(file, first_row + row, data) for row, data in enumerate(encoded)]


def _decode_image(file: Path, row: int, data: bytes | None) -> Image8:
    if data is None:
        raise DatasetError(f"{file}, row {row}: the image has no bytes")
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{file}, row {row}: the image cannot be decoded: {error}") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _stack(file: Path, images: list[Image8]) -> NDArray[np.uint8]:
    for row, image in enumerate(images):
        if image.shape != images[0].shape:
            raise DatasetError(
                f"all images must have one shape, but {file} has {images[0].shape} in row 0 "
                f"and {image.shape} in row {row} (channels, height, width)"
            )
    return np.stack(images)


def _check_labels(
    file: Path, labels: list[int | None], class_names: tuple[str, ...] | None
) -> NDArray[np.int64]:
    end = np.inf if class_names is None else len(class_names)
    for row, label in enumerate(labels):
        if label is None or not 0 <= label < end:
            raise DatasetError(f"{file}, row {row}: the label must be in [0, {end}), it is {label}")
    return np.array(labels, dtype=np.int64)
