"""What strategies ran in each setting and seed, in order: ``searches.parquet``.

The four strategies whose runs are known from the plan alone (``ce``, ``fixed``, ``grid``, ``meta``)
are not in it. The file follows from the trials in the store, so that a lost one is written again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from metakd.atomic import new_file
from metakd.results.schema import SEARCHES
from metakd.results.table_files import load_table, rows_as_table, write_table

SEARCHES_FILE = "searches.parquet"


def write_searches(out: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Writes what strategies have run so far; an older file is replaced.

    Args:
        out: The study's folder.
        rows: Values by column of ``schema.SEARCHES``.

    Raises:
        StoreError: If a column is unknown, or a value that every row needs is missing.
    """
    table = rows_as_table("searches", rows, SEARCHES)
    with new_file(out / SEARCHES_FILE) as draft:
        write_table(table, draft)


def read_searches(out: Path) -> pa.Table:
    """Reads what strategies have run so far, with the columns of ``schema.SEARCHES``.

    A study that asks none but the four basic strategies has no such file: no rows.

    Raises:
        StoreError: If the file is torn or is not of this store.
    """
    path = out / SEARCHES_FILE
    return load_table([path] if path.exists() else [], SEARCHES)
