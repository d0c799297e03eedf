"""One Parquet file of images: its columns found, its rows decoded.

An image column of {bytes, path}, by default ``img`` or ``image``; an integer column, by default
``label`` or ``fine_label``; and class names in the schema's metadata under ``huggingface``.
"""

import io
import json
from concurrent.futures import Executor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from metakd.data.catalogue import DatasetError, DatasetOptions

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label")
ROWS_AT_ONCE = 64
"""A thread's share: tiny images cost less to decode than to hand to a thread one by one."""

Image8 = NDArray[np.uint8]


class DecodedFile(NamedTuple):
    """The rows of a file whose images could be decoded, and what is wrong with the others.

    ``images`` are (C, H, W), all of one shape; ``class_names`` is None where the file does not name
    them; ``faults`` are sentences that name file and row.
    """

    file: Path
    images: list[Image8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...] | None
    faults: list[str]


def decode_file(file: Path, pool: Executor, options: DatasetOptions) -> DecodedFile:
    """Decodes all images of a file, on the threads of ``pool``.

    Raises:
        DatasetError: If the file is not Parquet, has no rows, lacks a column, has a label out of
            range or images of several shapes.
    """
    try:
        with pq.ParquetFile(file) as table:
            return _decode_table(file, table, pool, options)
    except pa.ArrowException as error:
        raise DatasetError(f"{file} is not a readable Parquet file: {error}") from error


def _decode_table(
    file: Path, table: pq.ParquetFile, pool: Executor, options: DatasetOptions
) -> DecodedFile:
    schema = table.schema_arrow
    image_column = _find_column(file, schema, options.image_column, IMAGE_COLUMNS)
    label_column = _find_column(file, schema, options.label_column, LABEL_COLUMNS)
    _check_types(file, schema, image_column, label_column)
    class_names = _class_names(schema, label_column)
    batches = list(table.iter_batches(ROWS_AT_ONCE, columns=[image_column, label_column]))
    encoded = [batch.column(image_column).field("bytes").to_pylist() for batch in batches]
    decoded = list(chain.from_iterable(pool.map(_decode_rows, encoded)))
    if not decoded:
        raise DatasetError(f"{file} has no rows")
    values = [label for batch in batches for label in batch.column(label_column).to_pylist()]
    labels = _check_labels(file, values, class_names)
    images = {row: image for row, image in enumerate(decoded) if not isinstance(image, str)}
    _check_shapes(file, images)
    return DecodedFile(
        file,
        images=list(images.values()),
        labels=labels[list(images)],
        class_names=class_names,
        faults=[
            f"{file}, row {row}: {fault}"
            for row, fault in enumerate(decoded)
            if isinstance(fault, str)
        ],
    )


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


def _decode_rows(encoded: list[bytes | None]) -> list[Image8 | str]:
    return [_decode_image(data) for data in encoded]


def _decode_image(data: bytes | None) -> Image8 | str:
    """Returns the pixels (C, H, W), or says why there are none."""
    if data is None:
        return "the image has no bytes"
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"the image cannot be decoded: {error}"
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _check_shapes(file: Path, images: dict[int, Image8]) -> None:
    rows = list(images)
    for row in rows:
        if images[row].shape != images[rows[0]].shape:
            raise DatasetError(
                f"all images must have one shape, but {file} has {images[rows[0]].shape} in row "
                f"{rows[0]} and {images[row].shape} in row {row} (channels, height, width)"
            )


def _check_labels(
    file: Path, labels: list[int | None], class_names: tuple[str, ...] | None
) -> NDArray[np.int64]:
    end = np.inf if class_names is None else len(class_names)
    for row, label in enumerate(labels):
        if label is None or not 0 <= label < end:
            raise DatasetError(f"{file}, row {row}: the label must be in [0, {end}), it is {label}")
    return np.array(labels, dtype=np.int64)
