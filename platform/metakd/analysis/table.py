"""From the store's rows to score matrices.

Every matrix of this layer has the shape ``[setting, seed]``, NaN where there is no data; a grid
puts its temperatures before, ``[tau, setting, seed]``.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.arms import Arm, arrange_arms
from metakd.analysis.failed_cost import charge_failed
from metakd.analysis.places import Cell, Places
from metakd.analysis.rows import COSTS, DONE, FACTORS, NO_RUN, PLANNED_STRATEGIES, Matrix, Row
from metakd.analysis.strata import Strata
from metakd.results.reader import read_trials
from metakd.results.searches import read_searches
from metakd.results.seeds import stream_groups, stream_key
from metakd.results.study import Setting, StoreError, StudyRecord

__all__ = [
    "COSTS",
    "DONE",
    "FACTORS",
    "NO_RUN",
    "Matrix",
    "Row",
    "Runs",
    "StudyTable",
    "make_table",
    "read_table",
    "setting_keys",
]


@dataclass(frozen=True)
class Runs:
    """What one kind of run reached and cost; every field is a matrix, ``[setting, seed]``.

    Accuracies are fractions; costs are student-step equivalents and seconds. A failed run has no
    scores; it has the cost that it left on record, or else that of a whole run (``failed_cost``).
    ``row`` is the run's position in ``StudyTable.rows``, −1 where there is no run.
    """

    row: NDArray[np.intp]
    val_acc_last: Matrix
    test_acc_last: Matrix
    val_acc_selected: Matrix
    test_acc_selected: Matrix
    tau_s_last: Matrix
    tau_t_last: Matrix
    step_equivalents: Matrix
    student_compute_s: Matrix
    wall_s: Matrix

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


MEASURED = tuple(field.name for field in fields(Runs) if field.name != "row")
# What is read of each trial.
COLUMNS = (
    *("trial_id", "name", "status", "error", "method", "seed", "device"),
    *("ended", "versions_json", "git_commit"),
    *(*FACTORS, "train_samples", "validation_samples", "test_samples"),
    "validation_samples_learned",
    *("tau_s_init", "tau_t_init", "epochs", "teacher_test_acc_last", *MEASURED),
)


@dataclass(frozen=True)
class StudyTable:
    """A study's trials, those that were planned and those that searches asked for, ordered.

    Attributes:
        settings: Rows of every matrix.
        keys: Their short labels.
        seeds: Columns of every matrix.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.
        strategies: Those that the study asks for.
        margin_pp: What counts as equal: the study's margin, at least one test sample.
        train_samples: Size of the training subset, by setting; 0 while nothing has run.
        held_out_samples: How many samples are held out, likewise; 0 where runs do not say what
            their methods learned from, too.
        rows: The trials' rows, finished, stopped and failed, by id.
        ce: Runs without a teacher; None when the study has no such strategy. So for the others.
        fixed: Runs at the default temperature.
        grid: Runs at each temperature, ``[tau, setting, seed]``.
        meta: Runs that learned their temperatures.
        arms: All other strategies that the study asks for, in its order.
        asked: Ids of the trials that these asked for.
        strata: Which settings are independent of each other; None where all share their seeds.
        planned_pairs: Which seeds each setting has, ``[setting, seed]``.
    """

    settings: tuple[Setting, ...]
    keys: tuple[str, ...]
    seeds: tuple[int, ...]
    temperatures: tuple[float, ...]
    fixed_tau: float
    strategies: tuple[str, ...]
    margin_pp: float
    train_samples: tuple[int, ...]
    held_out_samples: tuple[int, ...]
    rows: tuple[Row, ...]
    ce: Runs | None
    fixed: Runs | None
    grid: Runs | None
    meta: Runs | None
    arms: tuple[Arm, ...]
    asked: frozenset[str]
    strata: Strata | None
    planned_pairs: NDArray[np.bool_]

    @property
    def planned(self) -> dict[str, Runs]:
        """Runs of the strategies that a plan knows, by name; without those that were not asked."""
        runs = {"ce": self.ce, "fixed": self.fixed, "grid": self.grid, "meta": self.meta}
        return {name: found for name, found in runs.items() if found is not None}

    @property
    def shape(self) -> tuple[int, int]:
        """How many settings and seeds."""
        return len(self.settings), len(self.seeds)


def read_table(out: Path, record: StudyRecord) -> StudyTable:
    """Reads the trials of a study, planned or asked for by a search.

    Raises:
        StoreError: If the study's spec lacks what analysis reads, or a file is damaged.
    """
    searches = read_searches(out).to_pylist()
    ids = {*record.planned_trials, *(search["trial_id"] for search in searches)}
    trials = read_trials(out, ids, COLUMNS).to_pylist()
    return make_table(record, tuple({row["trial_id"]: row for row in trials}.values()), searches)


def make_table(
    record: StudyRecord, rows: tuple[Row, ...], searches: Sequence[Row] = ()
) -> StudyTable:
    """Arranges the rows of trials, in any order.

    The four strategies that a plan knows are arranged from the planned trials alone, all others
    from what their searches asked for alone.

    Args:
        record: The study.
        rows: Its trials.
        searches: What strategies ran; rows of those that the study does not ask for do not count.

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
    except (TypeError, ValueError) as error:
        raise StoreError(f"the spec of study {record.study!r} cannot be read: {error}") from error

    lacking = {name for setting in record.settings for name in FACTORS if name not in setting}
    if lacking:
        raise StoreError(f"a setting of study {record.study!r} lacks {min(lacking)!r}")

    others = tuple(name for name in strategies if name not in PLANNED_STRATEGIES)
    searches = [search for search in searches if search["strategy"] in others]
    asked = frozenset(str(search["trial_id"]) for search in searches)
    planned = set(record.planned_trials)
    rows = tuple(
        sorted(
            (row for row in rows if row["trial_id"] in planned or row["trial_id"] in asked),
            key=lambda row: str(row["trial_id"]),
        )
    )
    places = Places(record)
    shape = len(record.settings), len(record.seeds)
    in_plan = {index: row for index, row in enumerate(rows) if row["trial_id"] in planned}

    def runs(strategy: str, method: str, tau: float | None = None) -> Runs | None:
        if strategy not in strategies:
            return None
        kind = {index: row for index, row in in_plan.items() if _is(row, method, tau)}
        return _arrange(kind, places, shape)

    arms = arrange_arms(others, searches, rows, places, shape)
    by_setting = _by_setting(rows, places, arms, len(record.settings))
    at_tau = [runs("grid", "kd", tau) for tau in temperatures]
    failed = np.array([row["status"] != DONE for row in rows], dtype=bool)
    return StudyTable(
        settings=record.settings,
        keys=setting_keys(record.settings),
        seeds=record.seeds,
        temperatures=temperatures,
        fixed_tau=fixed_tau,
        strategies=strategies,
        margin_pp=max(margin_pp, _one_test_sample_pp(rows)),
        train_samples=tuple(
            max((row["train_samples"] or 0 for row in found), default=0) for found in by_setting
        ),
        held_out_samples=tuple(
            max((_held_out(row) for row in found), default=0) for found in by_setting
        ),
        rows=rows,
        ce=_charged(runs("ce", "ce"), failed),
        fixed=_charged(runs("fixed", "kd", fixed_tau), failed),
        grid=_charged(_stack([run for run in at_tau if run is not None]), failed),
        meta=_charged(runs("meta", "mkd"), failed),
        arms=arms,
        asked=asked,
        strata=_strata(record, _one_test_sample_pp(rows)),
        planned_pairs=_planned_pairs(record),
    )


def _strata(record: StudyRecord, unit_pp: float) -> Strata | None:
    """Returns which settings share their seeds; None where all do, as in stores of before."""
    streams = record.spec.get("seed_streams", "shared")
    if streams == "shared":
        return None
    question = str(record.spec.get("question", ""))
    keys = [
        stream_key(question, streams, s["dataset"], s["scale"], s["augmentation"])
        for s in record.settings
    ]
    return Strata(stream_groups(keys), max(unit_pp, 0.0))


def _planned_pairs(record: StudyRecord) -> NDArray[np.bool_]:
    counts = record.seed_counts or (len(record.seeds),) * len(record.settings)
    return np.arange(len(record.seeds)) < np.asarray(counts)[:, None]


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


def _arrange(rows: Mapping[int, Row], places: Places, shape: Cell) -> Runs:
    matrices = {name: np.full(shape, np.nan) for name in MEASURED}
    taken = np.full(shape, NO_RUN)
    others: dict[Cell, str] = {}
    for index, row in rows.items():
        for cell in places.cells(row):
            if cell in others:
                raise StoreError(
                    f"trials {others[cell]} and {row['trial_id']} stand for the same run: "
                    "a study may not plan both"
                )
            others[cell] = row["trial_id"]
            taken[cell] = index
            for name, matrix in matrices.items():
                if row[name] is not None and (row["status"] == DONE or name in COSTS):
                    matrix[cell] = row[name]
    return Runs(row=taken, **matrices)


def _charged(runs: Runs | None, failed: NDArray[np.bool_]) -> Runs | None:
    """Fills in what failed runs are charged; ``failed`` is by row of the table."""
    if runs is None or not failed.any():
        return runs
    here = (runs.row != NO_RUN) & failed[runs.row]
    steps, seconds = (charge_failed(getattr(runs, name), runs.complete, here) for name in COSTS)
    return replace(runs, step_equivalents=steps, student_compute_s=seconds)


def _stack(runs: list[Runs]) -> Runs | None:
    if not runs:
        return None
    return Runs(
        **{
            field.name: np.stack([getattr(run, field.name) for run in runs])
            for field in fields(Runs)
        }
    )


def _by_setting(
    rows: Sequence[Row], places: Places, arms: Iterable[Arm], settings: int
) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in range(settings)]
    for row in rows:
        for setting, _ in places.cells(row):
            found[setting].append(row)
    # A run of one teacher is found through the setting of several that asked for it.
    for arm in arms:
        for (setting, _), legs in arm.legs.items():
            found[setting] += [rows[leg.row] for leg in legs if leg.row != NO_RUN]
    return found


def _held_out(row: Row) -> int:
    # Older versions had further labels for look-aheads, so that one number is not all of them.
    return 0 if row["validation_samples_learned"] is None else row["validation_samples"] or 0


def _one_test_sample_pp(rows: Iterable[Row]) -> float:
    sizes = [row["test_samples"] for row in rows if row["test_samples"]]
    return 100 / min(sizes) if sizes else -math.inf
