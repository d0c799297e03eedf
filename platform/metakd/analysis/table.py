"""From the store's rows to score matrices.

Every matrix of this layer has the shape ``[setting, seed]``, NaN where there is no data; a grid
puts its temperatures before, ``[tau, setting, seed]``.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.results.reader import read_trials
from metakd.results.study import Setting, StoreError, StudyRecord

Matrix = NDArray[np.float64]
Row = Mapping[str, Any]

DONE = "done"


@dataclass(frozen=True)
class Runs:
    """What one kind of run reached and cost; every field is a matrix, ``[setting, seed]``.

    Accuracies are fractions; costs are student-step equivalents and seconds. A failed run has its
    cost and no scores.
    """

    val_acc_last: Matrix
    test_acc_last: Matrix
    val_acc_selected: Matrix
    test_acc_selected: Matrix
    tau_s_last: Matrix
    tau_t_last: Matrix
    step_equivalents: Matrix
    student_compute_s: Matrix

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Where a run has all its scores, ``[setting, seed]``."""
        scores = (
            self.val_acc_last,
            self.test_acc_last,
            self.val_acc_selected,
            self.test_acc_selected,
        )
        return np.asarray(np.isfinite(scores).all(axis=0))


COSTS = ("step_equivalents", "student_compute_s")


@dataclass(frozen=True)
class StudyTable:
    """A study's planned trials, ordered.

    Attributes:
        settings: Rows of every matrix.
        keys: Their short labels.
        seeds: Columns of every matrix.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.
        strategies: Those that the study asks for.
        margin_pp: What counts as equal: the study's margin, at least one test sample.
        train_samples: Size of the training subset, by setting; 0 while nothing has run.
        rows: The trials' rows, finished and failed.
        ce: Runs without a teacher; None when the study has no such strategy. So for the others.
        fixed: Runs at the default temperature.
        grid: Runs at each temperature, ``[tau, setting, seed]``.
        meta: Runs that learned their temperatures.
    """

    settings: tuple[Setting, ...]
    keys: tuple[str, ...]
    seeds: tuple[int, ...]
    temperatures: tuple[float, ...]
    fixed_tau: float
    strategies: tuple[str, ...]
    margin_pp: float
    train_samples: tuple[int, ...]
    rows: tuple[Row, ...]
    ce: Runs | None
    fixed: Runs | None
    grid: Runs | None
    meta: Runs | None

    @property
    def shape(self) -> tuple[int, int]:
        """How many settings and seeds."""
        return len(self.settings), len(self.seeds)


def read_table(out: Path, record: StudyRecord) -> StudyTable:
    """Reads the planned trials of a study.

    Raises:
        StoreError: If the study's spec lacks what analysis reads, or a file is damaged.
    """
    rows = {row["trial_id"]: row for row in read_trials(out, record.planned_trials).to_pylist()}
    return make_table(record, tuple(rows.values()))


def make_table(record: StudyRecord, rows: tuple[Row, ...]) -> StudyTable:
    """Arranges the rows of planned trials, in any order.

    Raises:
        StoreError: If the study's spec lacks what analysis reads, or two rows stand for one run.
    """
    try:
        temperatures = tuple(sorted(float(tau) for tau in record.spec["temperatures"]))
        fixed_tau = float(record.spec["fixed_tau"])
        strategies = tuple(record.spec["strategies"])
        margin_pp = float(record.spec["margin_pp"])
    except KeyError as missing:
        raise StoreError(f"the spec of study {record.study!r} lacks {missing}") from missing

    def runs(strategy: str, method: str, tau: float | None = None) -> Runs | None:
        if strategy not in strategies:
            return None
        return _arrange(record, [row for row in rows if _is(row, method, tau)])

    at_tau = [runs("grid", "kd", tau) for tau in temperatures]
    return StudyTable(
        settings=record.settings,
        keys=setting_keys(record.settings),
        seeds=record.seeds,
        temperatures=temperatures,
        fixed_tau=fixed_tau,
        strategies=strategies,
        margin_pp=max(margin_pp, _one_test_sample_pp(rows)),
        train_samples=_train_samples(record, rows),
        rows=rows,
        ce=runs("ce", "ce"),
        fixed=runs("fixed", "kd", fixed_tau),
        grid=_stack([run for run in at_tau if run is not None]),
        meta=runs("meta", "mkd"),
    )


def setting_keys(settings: tuple[Setting, ...]) -> tuple[str, ...]:
    """Labels settings by scale, augmentation, and whatever else differs between them."""
    names = ("dataset", "teacher", "student")
    others = [name for name in names if len({dict(setting).get(name) for setting in settings}) > 1]
    return tuple(
        " · ".join(
            [f"{100 * setting['scale']:.3g} %", setting["augmentation"]]
            + [str(dict(setting)[name]) for name in others]
        )
        for setting in settings
    )


def _is(row: Row, method: str, tau: float | None) -> bool:
    return row["method"] == method and (
        tau is None or row["tau_s_init"] == row["tau_t_init"] == tau
    )


def _arrange(record: StudyRecord, rows: Iterable[Row]) -> Runs:
    shape = len(record.settings), len(record.seeds)
    matrices = {field.name: np.full(shape, np.nan) for field in fields(Runs)}
    taken: dict[tuple[int, int], str] = {}
    for row in rows:
        for cell in cells(record, row):
            if cell in taken:
                raise StoreError(
                    f"trials {taken[cell]} and {row['trial_id']} stand for the same run: "
                    "a study may not plan both"
                )
            taken[cell] = row["trial_id"]
            for name, matrix in matrices.items():
                if row[name] is not None and (row["status"] == DONE or name in COSTS):
                    matrix[cell] = row[name]
    return Runs(**matrices)


def cells(record: StudyRecord, row: Row) -> list[tuple[int, int]]:
    """Where a run stands; one without a teacher stands beside every teacher."""
    return [
        (index, record.seeds.index(row["seed"]))
        for index, setting in enumerate(record.settings)
        if row["seed"] in record.seeds
        and all(
            row[name] == value or (name == "teacher" and row[name] is None)
            for name, value in setting.items()
        )
    ]


def _stack(runs: list[Runs]) -> Runs | None:
    if not runs:
        return None
    return Runs(
        **{
            field.name: np.stack([getattr(run, field.name) for run in runs])
            for field in fields(Runs)
        }
    )


def _train_samples(record: StudyRecord, rows: Iterable[Row]) -> tuple[int, ...]:
    sizes = [0] * len(record.settings)
    for row in rows:
        for setting, _ in cells(record, row):
            sizes[setting] = max(sizes[setting], row["train_samples"] or 0)
    return tuple(sizes)


def _one_test_sample_pp(rows: Iterable[Row]) -> float:
    sizes = [row["test_samples"] for row in rows if row["test_samples"]]
    return 100 / min(sizes) if sizes else -math.inf
