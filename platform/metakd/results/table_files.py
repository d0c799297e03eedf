"""Tables as Parquet files: packed as was measured best, read whatever version wrote them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from metakd.results.study import SCHEMA_VERSION, StoreError

ROWS_OF_A_GROUP = 131_072
# A dataset holds on to what it knows of each of its files: 150 KB for all columns of trials.
FILES_AT_ONCE = 500


def load_table(
    files: Sequence[Path], schema: pa.Schema, trial_ids: Collection[str] | None = None
) -> pa.Table:
    """Reads files into one table, in their order.

    Args:
        files: The files.
        schema: The columns to read; null where a file lacks one.
        trial_ids: Rows of which trials; None reads all.

    Raises:
        FileNotFoundError: If a file is gone.
        StoreError: If a file is torn or is not of this store.
    """
    if not files:
        return schema.empty_table()
    try:
        return pa.concat_tables(
            _load(files[start : start + FILES_AT_ONCE], schema, trial_ids)
            for start in range(0, len(files), FILES_AT_ONCE)
        )
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(_first_damaged(files, schema)) from error


def count_rows(path: Path) -> int:
    """Returns how many rows a file has.

    Raises:
        FileNotFoundError: If it is gone.
        StoreError: If it is torn.
    """
    try:
        rows: int = pq.read_metadata(path).num_rows
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    return rows


def rows_as_table(name: str, rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Returns rows as a table of the store; a column that a row lacks is null there.

    Args:
        name: What the store calls the table.
        rows: Values by column.
        schema: The table's columns.

    Raises:
        StoreError: If a column is unknown, or a value that every row needs is missing.
    """
    unknown = {column for row in rows for column in row} - set(schema.names)
    if unknown:
        raise StoreError(f"{name} has no column {min(unknown)!r}: add it to metakd.results.schema")
    for field in schema:
        if not field.nullable and any(row.get(field.name) is None for row in rows):
            raise StoreError(f"every row of {name} needs {field.name!r}, got one without")
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def write_table(table: pa.Table, path: Path) -> None:
    """Writes a table: zstd, floats split into bytes, sorted ids as dictionaries."""
    pq.write_table(
        table.replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)}),
        path,
        row_group_size=ROWS_OF_A_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=[f.name for f in table.schema if pa.types.is_string(f.type)],
        column_encoding=_encodings(table.schema),
    )


def _load(files: Sequence[Path], schema: pa.Schema, trial_ids: Collection[str] | None) -> pa.Table:
    encoded = {field.name for field in schema if pa.types.is_dictionary(field.type)}
    # It brings pandas with it, a second of CPU; writing alone needs neither.
    import pyarrow.dataset as ds

    dataset = ds.dataset(
        [str(path) for path in files],
        schema=schema,
        format=ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=encoded)),
    )
    only = (
        None
        if trial_ids is None
        else ds.field("trial_id").isin(pa.array(sorted(trial_ids), pa.string()))
    )
    table = dataset.to_table(filter=only)
    if table["trial_id"].null_count:
        raise pa.ArrowInvalid("rows without trial_id: not a file of this store")
    return table


def _damaged(path: Path) -> StoreError:
    # A trial without its curve still counts, and would not be repeated.
    its_rows = path.parent.parent / "trials" / path.name
    both = f"it and {its_rows}" if path.parent.name == "steps" else "it"
    return StoreError(
        f"{path} is damaged or not of this store: delete {both} and run the study again, which "
        "repeats the trials that it held"
    )


def _first_damaged(files: Sequence[Path], schema: pa.Schema) -> Path:
    for path in files:
        try:
            _load([path], schema, None)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError):
            return path
    return files[0].parent


def _encodings(schema: pa.Schema) -> dict[str, str]:
    floats = {f.name: "BYTE_STREAM_SPLIT" for f in schema if pa.types.is_floating(f.type)}
    return floats | {f.name: "DELTA_BINARY_PACKED" for f in schema if f.name == "step"}
