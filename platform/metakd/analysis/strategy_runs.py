"""What each strategy ran in every setting and seed, segment by segment, and what that cost.

Nothing depends on a strategy's name: what it ran is in the table of segments, and its trials are
rows like all others, also where another strategy shares them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.places import COSTS, DONE, FAILED, NO_RUN, Cell, Places, Row
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.statistics.selection import UNKNOWN, picked
from metakd.results.study import StoreError

SCORES = ("val_acc_last", "test_acc_last", "val_acc_selected", "test_acc_selected")
# Of a run that has its scores.
ENDS = (*SCORES, "tau_s_last", "tau_t_last")
MEASURED = (*ENDS, *COSTS, "wall_s")


@dataclass(frozen=True)
class StrategyRuns:
    """One strategy's runs; a matrix is ``[segment, setting, seed]`` unless it says otherwise.

    A segment is a run, or epochs of one; segments stand in the order in which the strategy ran
    them. Accuracies are fractions, NaN unless the segment ends a whole run that is done. Costs are
    student-step equivalents and seconds of the segment's epochs, NaN where unknown; a failed
    segment costs all that it left on record, or else what as many epochs of the strategy cost in
    the median, in its setting, or in the study where the setting has none.

    Attributes:
        strategy: Its name.
        row: The segment's trial, as a position in ``StudyTable.rows``; −1 where there is none.
        from_epoch: Epochs that came before and were paid already.
        until_epoch: Epochs of the run after it; 0 where there is no segment.
        has_failed: Whether its trial failed.
        wall_s: Seconds that its trial took, whole.
        ended: Where no segment will follow and all trials are there, ``[setting, seed]``.
        blocked: Where a trial failed, so that it cannot end, likewise.
        complete: Where it ended with a run that has scores, likewise.
    """

    strategy: str
    row: NDArray[np.intp]
    from_epoch: NDArray[np.int64]
    until_epoch: NDArray[np.int64]
    has_failed: NDArray[np.bool_]
    val_acc_last: Matrix
    test_acc_last: Matrix
    val_acc_selected: Matrix
    test_acc_selected: Matrix
    tau_s_last: Matrix
    tau_t_last: Matrix
    step_equivalents: Matrix
    student_compute_s: Matrix
    wall_s: Matrix
    ended: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    complete: NDArray[np.bool_]

    @property
    def has_scores(self) -> NDArray[np.bool_]:
        """Where a segment ends a run that has all its scores, ``[segment, setting, seed]``."""
        return np.asarray(np.isfinite([getattr(self, name) for name in SCORES]).all(axis=0))

    @property
    def epochs(self) -> NDArray[np.int64]:
        """How many epochs each segment takes, ``[segment, setting, seed]``."""
        return self.until_epoch - self.from_epoch

    @property
    def is_one_run(self) -> bool:
        """Whether it has a single whole run wherever it has anything."""
        return len(self.row) == 1 and not self.from_epoch.any()

    def cells(self) -> list[Cell]:
        """Returns the settings and seeds in which it is complete."""
        return [(setting, seed) for setting, seed in np.argwhere(self.complete).tolist()]

    def best(self, name: str) -> Matrix:
        """Returns a value of the run that validation chooses, ``[setting, seed]``.

        Args:
            name: One of ``ENDS``; of values at the selected epoch validation there chooses, of
                others validation at the last one.

        Returns:
            NaN where it is not complete.
        """
        found = picked(getattr(self, name), self._chosen("_selected" in name))
        return np.where(self.complete, found, np.nan)

    def best_row(self) -> NDArray[np.intp]:
        """Returns the run that validation chooses at the last epoch, ``[setting, seed]``.

        Returns:
            Positions in the rows, −1 where it is not complete.
        """
        if not len(self.row):
            return np.full(self.complete.shape, NO_RUN)
        chosen = self._chosen(selected_epoch=False)
        rows = np.take_along_axis(self.row, np.maximum(chosen, 0)[None], axis=0)[0]
        return np.where(self.complete & (chosen != UNKNOWN), rows, NO_RUN)

    def best_test_of_first(self, segments: NDArray[np.intp]) -> Matrix:
        """Returns the test accuracy of validation's best among the first segments.

        Args:
            segments: How many of them, ``[setting, seed]``.

        Returns:
            At the last epoch, ``[setting, seed]``, NaN where no run was done by then.
        """
        is_early = np.arange(len(self.row))[:, None, None] < segments
        validation = np.where(is_early, self.val_acc_last, np.nan)
        return picked(self.test_acc_last, _first_best(validation))

    def total(self, currency: str) -> Matrix:
        """Returns what all segments cost, ``[setting, seed]``, NaN where it is not complete.

        Segments that failed elsewhere are shared among those that did not.
        """
        spent = np.where(self.until_epoch > 0, getattr(self, currency), 0.0).sum(axis=0)
        return np.where(self.complete, spent, np.nan) * self.failure_surcharge(currency)

    def failure_surcharge(self, currency: str) -> float:
        """Returns what was spent on all segments over what was spent on those that did not fail.

        To have a result where a run failed it has to be run again: 1 or more.

        Args:
            currency: One of ``COSTS``.
        """
        cost = getattr(self, currency)
        useful = float(np.nansum(cost[~self.has_failed]))
        return float(np.nansum(cost)) / useful if useful > 0 else 1.0

    def padded(self, segments: int) -> "StrategyRuns":
        """Returns the same with so many segments, the last ones empty, if it has fewer."""
        more = segments - len(self.row)
        if more <= 0:
            return self
        empty: dict[str, Any] = {
            "row": NO_RUN,
            "from_epoch": 0,
            "until_epoch": 0,
            "has_failed": False,
        }
        empty |= dict.fromkeys(MEASURED, np.nan)
        width = ((0, more), (0, 0), (0, 0))
        padded: dict[str, Any] = {
            name: np.pad(getattr(self, name), width, constant_values=value)
            for name, value in empty.items()
        }
        return replace(self, **padded)

    def within(self, cells: NDArray[np.bool_]) -> "StrategyRuns":
        """Returns the same with nothing outside some settings and seeds, ``[setting, seed]``."""
        measured: dict[str, Any] = {
            name: np.where(cells, getattr(self, name), np.nan) for name in MEASURED
        }
        return replace(
            self,
            **measured,
            row=np.where(cells, self.row, NO_RUN),
            from_epoch=np.where(cells, self.from_epoch, 0),
            until_epoch=np.where(cells, self.until_epoch, 0),
            has_failed=self.has_failed & cells,
            ended=self.ended & cells,
            blocked=self.blocked & cells,
            complete=self.complete & cells,
        )

    def _chosen(self, selected_epoch: bool) -> NDArray[np.intp]:
        return _first_best(self.val_acc_selected if selected_epoch else self.val_acc_last)


def _first_best(validation: Matrix) -> NDArray[np.intp]:
    """Returns the first of the best, ``[setting, seed]``; ``UNKNOWN`` where nothing is known."""
    if not len(validation):
        return np.full(validation.shape[1:], UNKNOWN)
    known = np.where(np.isfinite(validation), validation, -np.inf)
    return np.where(np.isfinite(validation).any(axis=0), known.argmax(axis=0), UNKNOWN)


def arrange_runs(
    strategies: Sequence[str],
    segments: Iterable[Row],
    rows: Sequence[Row],
    places: Places,
    shape: Cell,
) -> tuple[StrategyRuns, ...]:
    """Arranges what strategies ran.

    Args:
        strategies: Their names, in the study's order.
        segments: Rows of the table of segments, in any order; those of others are passed over.
        rows: The study's trials.
        places: Where settings and seeds stand.
        shape: How many of them.

    Raises:
        StoreError: If two segments of one strategy stand at one place.
    """
    position = {str(row["trial_id"]): index for index, row in enumerate(rows)}
    placed: dict[str, dict[tuple[int, int, int], Row]] = {name: {} for name in strategies}
    for segment in segments:
        if segment["strategy"] not in placed:
            continue
        for cell in places.cells(segment):
            at = (int(segment["position"]), *cell)
            # Without a teacher it may be listed once for each teacher that it stands beside.
            if placed[segment["strategy"]].setdefault(at, segment) != segment:
                other = placed[segment["strategy"]][at]
                raise StoreError(
                    f"trials {other['trial_id']} and {segment['trial_id']} stand for the same "
                    f"run, position {at[0]} of strategy {segment['strategy']!r} in one setting and "
                    "seed: delete searches.parquet and run the study again"
                )
    return tuple(_arranged(name, found, rows, position, shape) for name, found in placed.items())


def _arranged(
    strategy: str,
    segments: Mapping[tuple[int, int, int], Row],
    rows: Sequence[Row],
    position: Mapping[str, int],
    shape: Cell,
) -> StrategyRuns:
    all_of_it = (1 + max((at for at, _, _ in segments), default=-1), *shape)
    row = np.full(all_of_it, NO_RUN)
    from_epoch, until_epoch = (np.zeros(all_of_it, np.int64) for _ in range(2))
    is_there, has_failed, lacks_scores = (np.zeros(all_of_it, bool) for _ in range(3))
    may_follow = np.zeros(shape, bool)
    measured = {name: np.full(all_of_it, np.nan) for name in MEASURED}
    for at, segment in segments.items():
        index = position.get(str(segment["trial_id"]), NO_RUN)
        trial: Row = {} if index == NO_RUN else rows[index]
        start, end = int(segment["from_epoch"]), int(segment["until_epoch"])
        epochs = trial.get("epochs") or end
        is_there[at], row[at], from_epoch[at], until_epoch[at] = True, index, start, end
        has_failed[at] = trial.get("status") == FAILED
        may_follow[at[1:]] |= not segment["is_complete"]
        # A failed run is charged all that it left on record.
        share = 1.0 if has_failed[at] else (end - start) / epochs if epochs else 0.0
        for name in COSTS:
            measured[name][at] = share * _number(trial.get(name))
        if trial.get("status") == DONE:
            measured["wall_s"][at] = _number(trial.get("wall_s"))
            if end >= epochs:
                lacks_scores[at] = any(trial.get(name) is None for name in SCORES)
                for name in ENDS if not lacks_scores[at] else ():
                    measured[name][at] = _number(trial.get(name))
    blocked = np.asarray(has_failed.any(axis=0))
    is_whole = (row != NO_RUN) | ~is_there
    ended = is_there.any(axis=0) & is_whole.all(axis=0) & ~may_follow & ~blocked
    found = StrategyRuns(
        strategy=strategy,
        row=row,
        from_epoch=from_epoch,
        until_epoch=until_epoch,
        has_failed=has_failed,
        ended=ended,
        blocked=blocked,
        complete=np.zeros(shape, bool),
        **measured,
    )
    complete = ended & found.has_scores.any(axis=0) & ~lacks_scores.any(axis=0)
    charged: dict[str, Any] = {name: _charged(getattr(found, name), found) for name in COSTS}
    return replace(found, complete=complete, **charged)


def _charged(cost: Matrix, runs: StrategyRuns) -> Matrix:
    """Fills in what failed segments cost that left no record of it."""
    unknown = runs.has_failed & ~np.isfinite(cost)
    if not unknown.any():
        return cost
    known = ~runs.has_failed & (runs.epochs > 0) & np.isfinite(cost)
    by_epoch = np.where(known, cost / np.maximum(runs.epochs, 1), np.nan)
    charged = cost.copy()
    for setting in np.flatnonzero(unknown.any(axis=(0, 2))):
        here = by_epoch[:, setting]
        source = here if np.isfinite(here).any() else by_epoch
        if np.isfinite(source).any():
            at = unknown[:, setting]
            charged[:, setting][at] = runs.epochs[:, setting][at] * np.nanmedian(source)
    return charged


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
