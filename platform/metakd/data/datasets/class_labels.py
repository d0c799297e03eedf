"""From a column of labels, of whatever type, to classes 0 to K − 1 and their names."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError

NO_LABEL = -1

HIGHEST = 1_000_000
"""A number above it is rather an identifier than a class, where the file names no classes."""


class LabelColumn(NamedTuple):
    """The labels of a table: ``values[codes[row]]`` is that of a row.

    A code is ``NO_LABEL`` where a row has none: the label is null, empty, or negative, as the Hub
    has it where labels are hidden. ``missing`` says what stands there in the first such row, and
    ``remedy`` how the table is left out.
    """

    table: str
    remedy: str
    values: list[int | str]
    codes: NDArray[np.int64]
    missing: str

    @property
    def is_hidden(self) -> bool:
        """Whether no row has a label."""
        return len(self.codes) > 0 and bool((self.codes == NO_LABEL).all())


def read_labels(table: str, name: str, column: pa.ChunkedArray, remedy: str) -> LabelColumn:
    """Reads labels that are whole numbers of any type, strings, booleans or categories of these.

    Args:
        table: The table's name, for errors.
        name: The column's name, for errors.
        column: One label a row.
        remedy: How the table is left out, for errors.

    Raises:
        DatasetError: If they are of another type.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if not any(is_kind(kind) for is_kind in _KINDS):
        raise DatasetError(
            f"{table}: column {name} must hold one class a row, as integers, strings or booleans; "
            f"it is {kind}"
        )
    encoded = column.combine_chunks().dictionary_encode()
    of_row = encoded.indices.fill_null(NO_LABEL).to_numpy(zero_copy_only=False).astype(np.int64)
    listed = encoded.dictionary.to_pylist()
    classes = [_class_of(table, name, value) for value in listed]
    has_label = np.array([value is not None for value in classes], dtype=bool)
    # One more for rows of null: index −1 finds it.
    code_of = np.append(np.where(has_label, np.cumsum(has_label) - 1, NO_LABEL), NO_LABEL)
    codes = code_of[of_row]
    first = next(iter(of_row[codes == NO_LABEL]), NO_LABEL)
    return LabelColumn(
        table,
        remedy,
        values=[value for value in classes if value is not None],
        codes=codes,
        missing=repr(None if first == NO_LABEL else listed[first]),
    )


def number_classes(
    columns: Sequence[LabelColumn], names: tuple[str, ...] | None
) -> tuple[list[NDArray[np.int64]], tuple[str, ...]]:
    """Returns the classes of each table's rows, in [0, K), and the K names.

    Args:
        columns: The labels of all tables.
        names: The names, where the tables have them: labels are places among them. Without names
            the labels themselves are the names, in their order.

    Raises:
        DatasetError: If a row has no label, or none of these names, or some are numbers and some
            are strings.
    """
    for column in columns:
        _check_labelled(column)
    if names is None:
        found = {value for column in columns for value in column.values}
        if len({type(value) for value in found}) > 1:
            raise DatasetError(
                f"some labels around {columns[0].table} are numbers and some are strings: "
                f"{', '.join(sorted(map(repr, found))[:6])}"
            )
        numbers = [value for value in found if isinstance(value, int)]
        if numbers and max(numbers) > HIGHEST:
            raise DatasetError(
                f"labels around {columns[0].table} go up to {max(numbers)}, with "
                f"{len(numbers)} different ones: they look like identifiers; if they are classes, "
                "store them as strings or from 0 on, otherwise name another column by "
                "--label-column"
            )
        place = {value: number for number, value in enumerate(sorted(found))}
        names = tuple(str(value) for value in place)
    else:
        place = {number: number for number in range(len(names))}
        place |= {name: number for number, name in enumerate(names)}
        for column in columns:
            _check_named(column, place, names)
    labels = [
        np.array([place[value] for value in column.values], dtype=np.int64)[column.codes]
        if len(column.codes)
        else column.codes
        for column in columns
    ]
    return labels, names


def _class_of(table: str, name: str, value: Any) -> int | str | None:  # noqa: ANN401 - any label
    """Returns the value as a whole number or a string; None where it stands for no label."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if not math.isfinite(value) or value != int(value):
        raise DatasetError(
            f"{table}: column {name} must hold one class a row, it has the number {value}"
        )
    return int(value) if value >= 0 else None


def _check_labelled(column: LabelColumn) -> None:
    rows = np.flatnonzero(column.codes == NO_LABEL)
    if len(rows) > 0:
        raise DatasetError(
            f"{column.table}, row {rows[0]}: the label must be a class, it is {column.missing}: "
            f"{len(rows)} of {len(column.codes)} rows have no label: take these out, or "
            f"{column.remedy}"
        )


def _check_named(column: LabelColumn, place: dict[int | str, int], names: tuple[str, ...]) -> None:
    for code, value in enumerate(column.values):
        if value not in place:
            row = int(np.flatnonzero(column.codes == code)[0])
            raise DatasetError(
                f"{column.table}, row {row}: the label must be in [0, {len(names)}), "
                f"it is {value}: {len(names)} classes are named there"
            )


_KINDS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)
