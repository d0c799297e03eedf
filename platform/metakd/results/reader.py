"""Reads the store, whatever version of the schema wrote its files and however they are packed."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset as ds

from metakd.results.schema import STEPS, TRIALS
from metakd.results.study import StoreError, read_study

__all__ = ["finished_trials", "read_steps", "read_study", "read_trials"]

# A file of this name holds many trials; every other file is named by its only trial.
COMPACTED = "part-*.parquet"


def finished_trials(out: Path) -> set[str]:
    """Returns the ids of all committed trials, from the names of their files.

    Only compacted files, ``trials/part-*.parquet``, have to be opened.
    """
    compacted = set((out / "trials").glob(COMPACTED))
    names = {path.stem for path in (out / "trials").glob("*.parquet") if path not in compacted}
    return names | packed_trials(out)


def packed_trials(out: Path) -> set[str]:
    """Returns the ids of the trials in compacted files."""
    compacted = sorted((out / "trials").glob(COMPACTED))
    return set(_read(compacted, TRIALS, None)["trial_id"].to_pylist())


def read_trials(out: Path, trial_ids: Collection[str] | None = None) -> pa.Table:
    """Reads trials, one row each with the columns of ``schema.TRIALS``, by id.

    Those that failed, and have not been committed since, are among them: their status says so.

    Args:
        out: The study's folder.
        trial_ids: Which trials; None reads all. Trials that are not there are left out.

    Raises:
        StoreError: If a file is torn or is not of this store.
    """
    committed = _read(_files(out / "trials", trial_ids), TRIALS, trial_ids)
    failed = _read(_files(out / "failed", trial_ids), TRIALS, trial_ids)
    since = pa.compute.is_in(failed["trial_id"], committed["trial_id"])
    both = pa.concat_tables([committed, failed.filter(pa.compute.invert(since))])
    return both.sort_by("trial_id")


def read_steps(
    out: Path,
    trial_ids: Collection[str] | None = None,
    columns: Collection[str] | None = None,
) -> pa.Table:
    """Reads the curves of trials, with the columns of ``schema.STEPS``, by id and step.

    Args:
        out: The study's folder.
        trial_ids: Which trials; None reads all.
        columns: Which columns, beside ``trial_id`` and ``step``; None reads all.

    Raises:
        StoreError: If a file is torn or is not of this store.
    """
    wanted = {"trial_id", "step", *(STEPS.names if columns is None else columns)}
    schema = pa.schema([field for field in STEPS if field.name in wanted])
    table = _read(_files(out / "steps", trial_ids), schema, trial_ids)
    return table.sort_by([("trial_id", "ascending"), ("step", "ascending")])


def _files(folder: Path, trial_ids: Collection[str] | None) -> list[Path]:
    if trial_ids is None:
        return sorted(folder.glob("*.parquet"))
    named = (folder / f"{trial_id}.parquet" for trial_id in set(trial_ids))
    return sorted({*filter(Path.is_file, named), *folder.glob(COMPACTED)})


def _read(files: Sequence[Path], schema: pa.Schema, trial_ids: Collection[str] | None) -> pa.Table:
    if not files:
        return schema.empty_table()
    try:
        table = _load(files, schema)
    except (pa.ArrowException, OSError) as error:
        damaged = _first_damaged(files, schema)
        raise StoreError(
            f"{damaged} is damaged or not of this store: delete it and run the study again"
        ) from error
    if trial_ids is not None:
        table = table.filter(ds.field("trial_id").isin(sorted(trial_ids)))
    return table.sort_by("trial_id")


def _load(files: Sequence[Path], schema: pa.Schema) -> pa.Table:
    dataset = ds.dataset([str(path) for path in files], schema=schema, format="parquet")
    table = dataset.to_table()
    if table["trial_id"].null_count:
        raise pa.ArrowInvalid("rows without trial_id: not a file of this store")
    return table


def _first_damaged(files: Sequence[Path], schema: pa.Schema) -> Path:
    for path in files:
        try:
            _load([path], schema)
        except (pa.ArrowException, OSError):
            return path
    return files[0].parent
