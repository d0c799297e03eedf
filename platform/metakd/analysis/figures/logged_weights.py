"""The weights of several teachers as runs logged them, as arrays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from metakd.analysis.figures.logged_steps import read_columns
from metakd.analysis.places import Row
from metakd.analysis.statistics.intervals import Matrix

# What is weighed, and groups of samples; classes follow the three that are always there.
PARTS = ("logits", "features")
OVERALL, RIGHT, WRONG = "all", "right", "wrong"
GROUPS = (OVERALL, RIGHT, WRONG)
CLASS = "class "
UNKNOWN = -1
# Before all but the end of training is dropped, 200 epochs of 100 classes take 10 MiB a run.
RUNS_AT_ONCE = 100
# Which share of the epochs is the end of training.
LAST_SHARE = 0.1


@dataclass(frozen=True)
class LoggedWeights:
    """One line for each run, epoch, part and group of samples; every array has (lines,).

    Attributes:
        row: The run, as a position in the given rows.
        epoch: Its epoch.
        part: What is weighed, as a position in ``PARTS``.
        group: Among which samples: a position in ``GROUPS``, or behind them the class.
        samples: How many these are.
        weights: The mean weight of each teacher (lines, K), NaN beyond a run's own K.
    """

    row: NDArray[np.intp]
    epoch: NDArray[np.int64]
    part: NDArray[np.intp]
    group: NDArray[np.intp]
    samples: NDArray[np.float64]
    weights: Matrix

    def of(self, lines: NDArray[np.bool_]) -> "LoggedWeights":
        """Returns some of the lines."""
        return LoggedWeights(
            row=self.row[lines],
            epoch=self.epoch[lines],
            part=self.part[lines],
            group=self.group[lines],
            samples=self.samples[lines],
            weights=self.weights[lines],
        )


def read_weights(out: Path, rows: Sequence[Row], positions: Collection[int]) -> LoggedWeights:
    """Reads what some runs gave their teachers; of classes the end of training alone.

    Args:
        out: The study's folder.
        rows: Trials.
        positions: Which of them, at least one; those that logged no weights give no lines.

    Raises:
        StoreError: If a file is damaged.
    """
    ordered = sorted(positions)
    parts = [
        _read(out, rows, ordered[start : start + RUNS_AT_ONCE])
        for start in range(0, len(ordered), RUNS_AT_ONCE)
    ]
    most = max(part.weights.shape[1] for part in parts)
    names = ("row", "epoch", "part", "group", "samples")
    return LoggedWeights(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        weights=np.concatenate([_widened(part.weights, most) for part in parts]),
    )


def _read(out: Path, rows: Sequence[Row], positions: Collection[int]) -> LoggedWeights:
    table, row = read_columns(out, rows, positions, ("epoch", "teacher_weights"))
    lists = table["teacher_weights"].combine_chunks()
    line = pc.list_parent_indices(lists).to_numpy()
    entries = pc.list_flatten(lists)
    logged = LoggedWeights(
        row=row[line],
        epoch=table["epoch"].to_numpy().astype(np.int64)[line],
        part=_coded(pc.struct_field(entries, "of"), _part),
        group=_coded(pc.struct_field(entries, "among"), _group),
        samples=pc.struct_field(entries, "samples").to_numpy(zero_copy_only=False).astype(float),
        weights=_padded(pc.struct_field(entries, "weights")),
    )
    known = (logged.part != UNKNOWN) & (logged.group != UNKNOWN)
    is_class = logged.group >= len(GROUPS)
    return logged.of(known & (~is_class | at_the_end(logged.row, logged.epoch)))


def _widened(weights: Matrix, most: int) -> Matrix:
    lacking = most - weights.shape[1]
    return np.pad(weights, ((0, 0), (0, lacking)), constant_values=np.nan)


def at_the_end(row: NDArray[np.intp], epoch: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns which lines are of the last tenth of their run's epochs, at least its last one."""
    last = np.zeros(int(row.max(initial=-1)) + 1, np.int64)
    np.maximum.at(last, row, epoch)
    return np.asarray(epoch > last[row] - _last_epochs(last)[row])


def last_epochs(logged: LoggedWeights) -> int:
    """Returns how many epochs the end of training has, in the longest run."""
    return int(_last_epochs(logged.epoch.max(initial=0)))


def _last_epochs(last: Any) -> Any:  # noqa: ANN401 - a number or an array of them
    return np.maximum(1, np.ceil(LAST_SHARE * (last + 1))).astype(np.int64)


def _part(name: str) -> int:
    return PARTS.index(name) if name in PARTS else UNKNOWN


def _group(name: str) -> int:
    if name in GROUPS:
        return GROUPS.index(name)
    label = name.removeprefix(CLASS)
    return len(GROUPS) + int(label) if name != label and label.isdecimal() else UNKNOWN


def _coded(names: pa.Array, code: Any) -> NDArray[np.intp]:  # noqa: ANN401 - a function of a name
    encoded = names.dictionary_encode()
    codes = np.array([code(name) for name in encoded.dictionary.to_pylist()], np.intp)
    return np.asarray(codes[encoded.indices.to_numpy()])


def _padded(weights: pa.Array) -> Matrix:
    """Returns lists of weights as rows, NaN behind the shorter ones."""
    lengths = pc.list_value_length(weights).to_numpy(zero_copy_only=False).astype(np.intp)
    padded = np.full((len(lengths), int(lengths.max(initial=0))), np.nan)
    place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    padded[np.repeat(np.arange(len(lengths)), lengths), place] = pc.list_flatten(weights).to_numpy()
    return padded
