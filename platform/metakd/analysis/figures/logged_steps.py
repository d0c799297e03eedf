"""Columns of the steps table as arrays, each line with the trial that it is of."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metakd.analysis.places import Row
from metakd.results.reader import read_steps

POINTS = 200


@dataclass(frozen=True)
class LoggedSteps:
    """Lines of the steps table in order of trial and step; every array is (lines,).

    Attributes:
        row: The trial, as a position in the given rows.
        step: Optimiser steps done.
        columns: The given columns, by name.
    """

    row: NDArray[np.intp]
    step: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]


def read_logged_steps(
    out: Path, rows: Sequence[Row], positions: Collection[int], columns: Sequence[str]
) -> LoggedSteps:
    """Reads some columns of some trials' curves; lines that lack one of them are left out.

    Args:
        out: The study's folder.
        rows: Trials.
        positions: Which of them.
        columns: Which columns, beside the step.

    Raises:
        StoreError: If a file is damaged.
    """
    table, row = read_columns(out, rows, positions, columns)
    return LoggedSteps(
        row=row,
        step=table["step"].to_numpy(),
        columns={name: table[name].to_numpy() for name in columns},
    )


def read_columns(
    out: Path, rows: Sequence[Row], positions: Collection[int], columns: Sequence[str]
) -> tuple[pa.Table, NDArray[np.intp]]:
    """Reads the same as a table of the store, with the trial of each line (lines,).

    Args:
        out: The study's folder.
        rows: Trials.
        positions: Which of them.
        columns: Which columns, beside the step.

    Raises:
        StoreError: If a file is damaged.
    """
    position = {str(rows[index]["trial_id"]): index for index in positions}
    table = read_steps(out, set(position), columns).drop_null()
    ids = table["trial_id"].dictionary_encode().combine_chunks()
    by_code = np.array([position[name] for name in ids.dictionary.to_pylist()], dtype=np.intp)
    return table, by_code[ids.indices.to_numpy()]


def starts_of_runs(*keys: NDArray[Any]) -> NDArray[np.intp]:
    """Returns where a new run of equal lines begins, all keys compared, (runs,)."""
    if not len(keys[0]):
        return np.empty(0, dtype=np.intp)
    changed = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate([[0], 1 + np.flatnonzero(changed)])


def epoch_ends(
    logged: LoggedSteps, trials: int, names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the epochs on record, and what stood at the last logged step of each.

    Args:
        logged: Lines with the columns ``epoch`` and ``names``.
        trials: How many rows ``logged.row`` points into.
        names: Which columns.

    Returns:
        Epochs (epochs,), and ``[name, trial, epoch]``, NaN where a trial has no such epoch.
    """
    epoch = logged.columns["epoch"]
    starts = starts_of_runs(logged.row, epoch)
    ends = np.append(starts[1:], len(epoch)) - 1 if len(starts) else starts
    epochs, column = np.unique(epoch[ends], return_inverse=True)
    curves = np.full((len(names), trials, len(epochs)), np.nan)
    for at, name in enumerate(names):
        curves[at, logged.row[ends], column] = logged.columns[name][ends]
    return epochs.astype(np.int64), curves


def thinned(positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns at most 200 of some positions, evenly spread, the first and the last among them."""
    if len(positions) <= POINTS:
        return positions
    kept = np.linspace(0, len(positions) - 1, POINTS).round().astype(np.intp)
    return np.take(positions, kept)
