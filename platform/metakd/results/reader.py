"""Reads the store, whatever version of the schema wrote its files and however they are packed."""

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from metakd.results.files import Part, StoreFiles, list_files
from metakd.results.schema import ENCODED_ID, ENCODED_STEPS, TRIALS
from metakd.results.study import StoreError, read_study
from metakd.results.table_files import load_table

__all__ = [
    "finished_trials",
    "packed_trials",
    "read_steps",
    "read_study",
    "read_trials",
]

ATTEMPTS = 20
BETWEEN_ATTEMPTS_S = 0.1

T = TypeVar("T")


def finished_trials(out: Path) -> set[str]:
    """Returns the ids of all committed trials, from the names of their files.

    Only compacted files, ``trials/part-*.parquet``, have to be opened.

    Raises:
        StoreError: If one of them is torn or is not of this store.
    """
    return _settled(out, lambda files: set(files.own) | _packed(out, files))


def packed_trials(out: Path) -> set[str]:
    """Returns the ids of the trials that lie in compacted files, also those committed since.

    Raises:
        StoreError: If such a file is torn or is not of this store.
    """
    return _settled(out, lambda files: _packed(out, files))


def read_trials(
    out: Path,
    trial_ids: Collection[str] | None = None,
    columns: Collection[str] | None = None,
) -> pa.Table:
    """Reads trials, one row each with the columns of ``schema.TRIALS``, by id.

    Those that failed, and have not been committed since, are among them: their status says so.

    Args:
        out: The study's folder.
        trial_ids: Which trials; None reads all. Trials that are not there are left out.
        columns: Which columns, beside ``trial_id``; None reads all.

    Raises:
        StoreError: If a file is torn or is not of this store.
    """
    wanted = None if trial_ids is None else frozenset(trial_ids)
    schema = _chosen(TRIALS, {"trial_id"}, columns)
    # Failures before the rest: a trial that is committed meanwhile is then in both, not in none.
    failed = _settled(out, lambda files: load_table(_failed(out, wanted), schema))
    committed = _settled(out, lambda files: _tables(out, "trials", files, wanted, schema))
    since = pa.compute.is_in(failed["trial_id"], committed["trial_id"])
    both = pa.concat_tables([committed, failed.filter(pa.compute.invert(since))])
    return both.sort_by("trial_id")


def read_steps(
    out: Path,
    trial_ids: Collection[str] | None = None,
    columns: Collection[str] | None = None,
) -> pa.Table:
    """Reads the curves of committed trials, with the columns of ``schema.STEPS``, by id and step.

    Ten million rows are read in about two seconds once they are compacted. ``trial_id`` comes
    dictionary-encoded, its dictionary in order of the ids: a trial's rows lie together, and the
    codes ascend from row to row.

    Args:
        out: The study's folder.
        trial_ids: Which trials; None reads all.
        columns: Which columns, beside ``trial_id`` and ``step``; None reads all.

    Raises:
        StoreError: If a file is torn or is not of this store.
    """
    schema = _chosen(ENCODED_STEPS, {"trial_id", "step"}, columns)
    wanted = None if trial_ids is None else frozenset(trial_ids)
    found = _settled(out, lambda files: _tables(out, "steps", files, wanted, schema))
    return by_trial_and_step(found)


def trials_of(out: Path, part: Part) -> list[str]:
    """Returns the ids of the trials in a part."""
    schema = pa.schema([TRIALS.field("trial_id")])
    ids: list[str] = load_table([out / "trials" / part.name], schema)["trial_id"].to_pylist()
    return ids


def load_part(
    out: Path, name: str, part: Part, schema: pa.Schema, trial_ids: Sequence[str]
) -> pa.Table:
    """Reads some trials of a part; of a part whose curves were removed there are none."""
    file = out / name / part.name
    if name == "steps" and not file.exists() and (out / "trials" / part.name).exists():
        return schema.empty_table()
    return load_table([file], schema, trial_ids)


def by_trial_and_step(steps: pa.Table) -> pa.Table:
    """Orders rows of curves; cheap where the rows of each trial are in order already.

    Args:
        steps: ``trial_id``, dictionary-encoded, ``step`` and other columns.
    """
    if not steps.num_rows:
        return steps
    ids = pa.concat_arrays(steps["trial_id"].unify_dictionaries().chunks)
    by_id = pa.compute.sort_indices(ids.dictionary)
    rank = np.empty(len(by_id), np.int32)
    rank[by_id.to_numpy()] = np.arange(len(by_id), dtype=np.int32)
    codes = rank[ids.indices.to_numpy()]
    order = _order(codes, steps["step"].to_numpy())
    if order is not None:
        steps, codes = steps.take(pa.array(order)), codes[order]
    # The dictionary keeps the trials that have rows, no others.
    starts = _starts_of_runs(codes)
    present = ids.dictionary.take(by_id).take(pa.array(codes[starts]))
    encoded = np.repeat(np.arange(len(starts), dtype=np.int32), _lengths(starts, len(codes)))
    return steps.set_column(0, ENCODED_ID, pa.DictionaryArray.from_arrays(encoded, present))


def _order(codes: NDArray[np.int32], step: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Returns the order by trial and step; None where it is that already."""
    if not np.all((codes[1:] != codes[:-1]) | (step[1:] >= step[:-1])):
        return np.lexsort((step, codes))
    # Runs of one trial are moved as a whole: there are few of them.
    starts = _starts_of_runs(codes)
    runs = np.argsort(codes[starts], kind="stable")
    if np.all(np.diff(runs) == 1):
        return None
    lengths = _lengths(starts, len(codes))[runs]
    ends = np.cumsum(lengths)
    order = np.repeat(starts[runs] - ends + lengths, lengths)
    order += np.arange(len(codes))
    return order


def _starts_of_runs(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])


def _lengths(starts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    return np.diff(starts, append=total)


def _settled(out: Path, read: Callable[[StoreFiles], T]) -> T:
    """Reads what a listing names; again where compaction moved it before it was read."""
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):
            return read(list_files(out))
        # Network file systems go on listing a file for seconds after it is gone.
        time.sleep(BETWEEN_ATTEMPTS_S)
    raise StoreError(f"files of {out} vanish while they are read: try again")


def _packed(out: Path, files: StoreFiles) -> set[str]:
    return {trial_id for part in files.parts for trial_id in trials_of(out, part)}


def _failed(out: Path, wanted: Collection[str] | None) -> list[Path]:
    if wanted is None:
        return sorted((out / "failed").glob("*.parquet"))
    named = (out / "failed" / f"{trial_id}.parquet" for trial_id in sorted(wanted))
    return [path for path in named if path.is_file()]


def _chosen(schema: pa.Schema, always: set[str], columns: Collection[str] | None) -> pa.Schema:
    names = always.union(schema.names if columns is None else columns)
    return pa.schema([field for field in schema if field.name in names])


def _tables(
    out: Path, name: str, files: StoreFiles, wanted: Collection[str] | None, schema: pa.Schema
) -> pa.Table:
    """Reads one of the two tables, each trial from where its newest commit lies."""
    newer = set(files.own if name == "trials" else files.own_curves)
    own = sorted(newer if wanted is None else newer.intersection(wanted))
    tables = [load_table([out / name / f"{trial_id}.parquet" for trial_id in own], schema)]
    for part in reversed(files.parts):
        there = trials_of(out, part)
        chosen = [i for i in there if i not in newer and (wanted is None or i in wanted)]
        newer.update(there)
        if chosen:
            tables.append(load_part(out, name, part, schema, chosen))
    # What one compaction packed is in order, the oldest part first.
    return pa.concat_tables(reversed(tables))
