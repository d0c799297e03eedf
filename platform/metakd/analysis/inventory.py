"""Which trials were planned and are there, and which labels each strategy read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from metakd.analysis.places import DONE, NO_RUN, STOPPED, Cell, Row
from metakd.analysis.table import StudyTable

SHOWN_FAILURES = 50


@dataclass(frozen=True)
class Counts:
    """The smallest and the largest of some counts, over settings.

    Attributes:
        least: The smallest count of any setting.
        most: The largest.
    """

    least: int
    most: int


@dataclass(frozen=True)
class LabelUse:
    """How many labels strategies read in a seed, beside the test set; alike for all that are named.

    Held-out labels select the epoch of every run, too.

    Attributes:
        strategies: Their names.
        trained_on: Labels of the samples that train each of their students.
        chose_by: Held-out labels that choose among their runs; None where there is one run.
        learned_from: Held-out labels that their method learns from; None where it does not.
    """

    strategies: tuple[str, ...]
    trained_on: Counts
    chose_by: Counts | None
    learned_from: Counts | None


@dataclass(frozen=True)
class Failure:
    """A trial that failed: its name and the last line of its error.

    Attributes:
        name: The trial's name.
        error: The last line of its error.
    """

    name: str
    error: str


@dataclass(frozen=True)
class Inventory:
    """What was planned and what there is. Trials shared by strategies count once.

    Attributes:
        planned: Trials of all strategies, as far as they are known so far.
        finished: Those committed, those that a strategy stopped among them.
        failed: Those whose last attempt failed.
        not_run: The others.
        planned_pairs: Settings times seeds.
        complete_pairs: Pairs in which every strategy is complete that has the pair's seed.
        missing_pairs: The others.
        student_compute_s: What students computed, as measured; of failed trials what is on record.
        trial_wall_s: What trials took.
        failures: The failed trials, the first 50 by name.
        searches: Strategies times the pairs that each has.
        ended_searches: Those that have run all their trials.
        blocked_searches: Those of which a trial failed.
        is_open: Whether trials are to be run, or strategies to go on.
    """

    planned: int
    finished: int
    failed: int
    not_run: int
    planned_pairs: int
    complete_pairs: int
    missing_pairs: int
    student_compute_s: float
    trial_wall_s: float
    failures: tuple[Failure, ...] = ()
    searches: int = 0
    ended_searches: int = 0
    blocked_searches: int = 0
    is_open: bool = False


def make_inventory(table: StudyTable) -> Inventory:
    """Counts the trials of strategies, those that finished or failed, and the strategies' runs."""
    finished = [row for row in table.rows if row["status"] in (DONE, STOPPED)]
    failed = [row for row in table.rows if row["status"] not in (DONE, STOPPED)]
    planned_of = [table.planned(runs.strategy) for runs in table.strategy_runs]
    pairs = table.planned_pairs.copy() if planned_of else np.zeros(table.shape, bool)
    for runs, there in zip(table.strategy_runs, planned_of, strict=True):
        pairs &= runs.complete | ~there
    failures = sorted((_failure(row) for row in failed), key=lambda failure: failure.name)
    planned = len(table.listed)
    planned_pairs, complete_pairs = int(table.planned_pairs.sum()), int(pairs.sum())
    searches = sum(int(there.sum()) for there in planned_of)
    ended, blocked = (
        sum(
            int((getattr(runs, state) & there).sum())
            for runs, there in zip(table.strategy_runs, planned_of, strict=True)
        )
        for state in ("ended", "blocked")
    )
    return Inventory(
        planned=planned,
        finished=len(finished),
        failed=len(failed),
        not_run=planned - len(finished) - len(failed),
        planned_pairs=planned_pairs,
        complete_pairs=complete_pairs,
        missing_pairs=planned_pairs - complete_pairs,
        student_compute_s=_total(row["student_compute_s"] for row in table.rows),
        trial_wall_s=_total(row["wall_s"] for row in table.rows),
        failures=tuple(failures[:SHOWN_FAILURES]),
        searches=searches,
        ended_searches=ended,
        blocked_searches=blocked,
        is_open=len(finished) + len(failed) < planned or ended + blocked < searches,
    )


def _failure(row: Row) -> Failure:
    return Failure(str(row["name"] or row["trial_id"]), row["error"] or "no error on record")


def _total(values: Iterable[float | None]) -> float:
    return sum((value or 0.0 for value in values), start=0.0)


def label_use(table: StudyTable) -> tuple[LabelUse, ...]:
    """Returns what strategies did with labels, those together that did the same.

    Strategies whose runs do not say how many labels they learned from, as those of older versions,
    are left out.
    """
    found: dict[tuple[Counts, Counts | None, Counts | None], list[str]] = {}
    for strategy in table.strategies:
        cells = [runs for runs in _known_runs(table, strategy).values() if runs]
        if cells:
            found.setdefault(_use(cells), []).append(strategy)
    return tuple(LabelUse(tuple(strategies), *use) for use, strategies in found.items())


def _use(cells: list[list[Row]]) -> tuple[Counts, Counts | None, Counts | None]:
    trained_on = _counts(run["train_samples"] for runs in cells for run in runs)
    held_out = [run["validation_samples"] for runs in cells for run in runs if len(runs) > 1]
    learned_from = [run["validation_samples_learned"] for runs in cells for run in runs]
    return (
        trained_on,
        _counts(held_out) if held_out else None,
        _counts(learned_from) if any(learned_from) else None,
    )


def _counts(values: Iterable[int]) -> Counts:
    known = list(values)
    return Counts(min(known), max(known))


def _known_runs(table: StudyTable, strategy: str) -> Mapping[Cell, list[Row]]:
    """Returns the runs of a strategy in each setting and seed that say what they learned from."""
    runs = table.runs(strategy)
    if runs is None:
        return {}
    return {
        (setting, seed): [
            table.rows[row]
            for row in np.unique(runs.row[:, setting, seed]).tolist()
            if row != NO_RUN and table.rows[row]["validation_samples_learned"] is not None
        ]
        for setting, seed in np.argwhere((runs.row != NO_RUN).any(axis=0)).tolist()
    }
