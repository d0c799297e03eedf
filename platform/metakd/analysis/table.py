"""From the store's rows to score matrices.

Every matrix of this layer has the shape ``[setting, seed]``, NaN where there is no data; where a
strategy has several segments, as a grid has temperatures, these stand before:
``[segment, setting, seed]``.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.places import FACTORS, NO_RUN, Places, Row
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.statistics.strata import Strata
from metakd.analysis.strategy_runs import MEASURED, StrategyRuns, arrange_runs
from metakd.results.reader import read_trials
from metakd.results.searches import planned_segments, read_searches
from metakd.results.seeds import stream_groups, stream_key
from metakd.results.study import Setting, StoreError, StudyRecord

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
    """A study's trials, ordered by the strategies that ran them.

    Attributes:
        settings: Rows of every matrix.
        keys: Their short labels.
        seeds: Columns of every matrix.
        temperatures: The grid, ascending.
        fixed_tau: The default temperature.
        strategies: The study's strategies, in its order.
        margin_pp: What counts as equal: the study's margin, at least one test sample.
        train_samples: Size of the training subset, by setting; 0 while nothing has run.
        held_out_samples: How many samples are held out, likewise; 0 where runs do not say what
            their methods learned from, too.
        rows: The trials' rows, finished, stopped and failed, by id.
        strategy_runs: What each of these ran, in their order.
        listed: Ids of the trials that these ran or will run.
        strata: Which settings are independent of each other; None where all share their seeds.
        planned_pairs: Which seeds each setting has, ``[setting, seed]``.
        stopped: Strategies that have the study's first seeds alone ...
        seeds_of_stopped: ... and how many.
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
    strategy_runs: tuple[StrategyRuns, ...]
    listed: frozenset[str]
    strata: Strata | None
    planned_pairs: NDArray[np.bool_]
    stopped: frozenset[str] = frozenset()
    seeds_of_stopped: int = 0

    def planned(self, *strategies: str) -> NDArray[np.bool_]:
        """Returns which seeds of each setting all of some strategies have, ``[setting, seed]``."""
        if self.stopped.isdisjoint(strategies):
            return self.planned_pairs
        return self.planned_pairs & (np.arange(self.shape[1]) < self.seeds_of_stopped)

    def runs(self, strategy: str) -> StrategyRuns | None:
        """Returns what a strategy ran; None where the study has no such strategy."""
        return next((runs for runs in self.strategy_runs if runs.strategy == strategy), None)

    def first_seeds(self, counts: Sequence[int]) -> "StudyTable":
        """Returns the study with the first seeds of each setting alone; later ones are not planned.

        Args:
            counts: How many seeds of each setting, in the order of the settings.
        """
        within = np.arange(self.shape[1]) < np.asarray(counts)[:, None]
        return replace(
            self,
            strategy_runs=tuple(runs.within(within) for runs in self.strategy_runs),
            planned_pairs=self.planned_pairs & within,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """How many settings and seeds."""
        return len(self.settings), len(self.seeds)


def read_table(out: Path, record: StudyRecord) -> StudyTable:
    """Reads the trials that a study's strategies ran.

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

    Args:
        record: The study.
        rows: Its trials.
        searches: The segments of strategies; those that the study does not have do not count.

    Raises:
        StoreError: If the study's spec lacks what analysis reads, or two trials stand for one run.
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

    segments = [search for search in searches if search["strategy"] in strategies]
    segments += planned_segments(record, rows, {search["strategy"] for search in segments})
    listed = frozenset([*record.planned_trials, *(str(each["trial_id"]) for each in segments)])
    rows = tuple(
        sorted(
            (row for row in rows if row["trial_id"] in listed),
            key=lambda row: str(row["trial_id"]),
        )
    )
    places = Places(record)
    shape = len(record.settings), len(record.seeds)
    strategy_runs = arrange_runs(strategies, segments, rows, places, shape)
    by_setting = _by_setting(rows, places, strategy_runs, len(record.settings))
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
        strategy_runs=strategy_runs,
        listed=listed,
        strata=_strata(record, _one_test_sample_pp(rows)),
        planned_pairs=_planned_pairs(record),
        stopped=frozenset(strategies).difference(record.spec.get("continued") or strategies),
        seeds_of_stopped=int(record.spec.get("seeds", len(record.seeds))),
    )


def _strata(record: StudyRecord, unit_pp: float) -> Strata | None:
    """Returns which settings share their seeds; None where all do, as in stores of before."""
    streams = record.spec.get("seed_streams", "shared")
    if streams == "shared":
        return None
    question = QUESTIONS.get(str(record.spec.get("question", "")))
    within = question.shares_seeds_over if question else ()
    keys = [
        stream_key(within, streams, s["dataset"], s["scale"], s["augmentation"])
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


def _by_setting(
    rows: Sequence[Row], places: Places, strategy_runs: Iterable[StrategyRuns], settings: int
) -> list[list[Row]]:
    found: list[list[Row]] = [[] for _ in range(settings)]
    for row in rows:
        for setting, _ in places.cells(row):
            found[setting].append(row)
    # A run of one teacher is found through the setting of several for which it was run.
    for runs in strategy_runs:
        for setting in range(settings):
            at = runs.row[:, setting]
            found[setting] += [rows[index] for index in np.unique(at[at != NO_RUN]).tolist()]
    return found


def _held_out(row: Row) -> int:
    # Older versions had further labels for look-aheads, so that one number is not all of them.
    return 0 if row["validation_samples_learned"] is None else row["validation_samples"] or 0


def _one_test_sample_pp(rows: Iterable[Row]) -> float:
    sizes = [row["test_samples"] for row in rows if row["test_samples"]]
    return 100 / min(sizes) if sizes else -math.inf
