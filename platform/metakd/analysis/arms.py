"""What strategies beside the four that a plan knows ran, in which order, and what that cost.

Such a strategy is an *arm* of the study. Nothing depends on its name: what it ran is in the table
of searches, leg by leg, and its trials are rows like all others, also where another strategy
shares them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.places import Cell, Places
from metakd.analysis.rows import COSTS, DONE, FAILED, NO_RUN, Matrix, Row
from metakd.results.study import StoreError

SCORES = ("val_acc_last", "test_acc_last", "val_acc_selected", "test_acc_selected")


@dataclass(frozen=True)
class Leg:
    """A part of a run that a strategy asked for.

    Attributes:
        row: Its trial, as a position in ``StudyTable.rows``; −1 while it is not there.
        from_epoch: Epochs that came before and were paid already.
        until_epoch: Epochs of the run after it.
        has_failed: Whether its trial failed.
        scores: ``SCORES`` as fractions, if it ran to the recipe's last epoch; else None.
        step_equivalents: Its cost in student-step equivalents, NaN where unknown.
        student_compute_s: The same in measured seconds.
    """

    row: int
    from_epoch: int
    until_epoch: int
    has_failed: bool
    scores: Mapping[str, float] | None
    step_equivalents: float
    student_compute_s: float

    @property
    def epochs(self) -> int:
        """How many epochs it takes."""
        return self.until_epoch - self.from_epoch


@dataclass(frozen=True)
class Arm:
    """One strategy's searches.

    Attributes:
        strategy: Its name.
        legs: What it asked for in a setting and seed, in order.
        ended: Where it asks no more and all its trials are there, ``[setting, seed]``.
        blocked: Where a trial of it failed, so that it cannot end, likewise.
        complete: Where it ended with a run that has scores, likewise.
    """

    strategy: str
    legs: Mapping[Cell, tuple[Leg, ...]]
    ended: NDArray[np.bool_]
    blocked: NDArray[np.bool_]
    complete: NDArray[np.bool_]

    def found(self, cell: Cell, legs: int | None = None) -> Mapping[str, float] | None:
        """Returns what its runs have found after so many legs, or after all.

        Validation at the last epoch chooses the run that is read at its last epoch, and validation
        at the selected epoch the run that is read there; of equals the one that was asked first.

        Returns:
            "test_acc_last" and "test_acc_selected", fractions; None while no run is done.
        """
        done = [leg.scores for leg in self.legs.get(cell, ())[:legs] if leg.scores is not None]
        if not done:
            return None
        return {
            f"test_acc_{at}": max(done, key=lambda scores: scores[f"val_acc_{at}"])[
                f"test_acc_{at}"
            ]
            for at in ("last", "selected")
        }

    def run(self, cell: Cell) -> int:
        """Returns the run that validation chose at the last epoch, as a position in the rows.

        Raises:
            ValueError: If no run is done.
        """
        done = [leg for leg in self.legs.get(cell, ()) if leg.scores is not None]
        return max(done, key=lambda leg: (leg.scores or {})["val_acc_last"]).row

    def costs(self, cell: Cell, currency: str) -> NDArray[np.float64]:
        """Returns what each leg of a setting and seed costs, in one of ``COSTS`` (legs,)."""
        return np.array([getattr(leg, currency) for leg in self.legs.get(cell, ())], np.float64)

    def total(self, currency: str) -> Matrix:
        """Returns what all legs cost, ``[setting, seed]``, NaN where it is not complete.

        Legs that failed elsewhere are shared among those that did not.
        """
        total = np.full(self.complete.shape, np.nan)
        for cell in self.cells():
            total[cell] = self.costs(cell, currency).sum()
        return total * self.failure_surcharge(currency)

    def cells(self) -> list[Cell]:
        """Returns the settings and seeds in which it is complete."""
        return [(setting, seed) for setting, seed in np.argwhere(self.complete).tolist()]

    def failure_surcharge(self, currency: str) -> float:
        """Returns what was spent on all legs over what was spent on those that did not fail."""
        legs = [leg for found in self.legs.values() for leg in found]
        spent = float(np.nansum([getattr(leg, currency) for leg in legs]))
        useful = float(np.nansum([getattr(leg, currency) for leg in legs if not leg.has_failed]))
        return spent / useful if useful > 0 else 1.0


def arrange_arms(
    strategies: Sequence[str],
    searches: Iterable[Row],
    rows: Sequence[Row],
    places: Places,
    shape: Cell,
) -> tuple[Arm, ...]:
    """Orders what strategies asked for.

    Args:
        strategies: Their names, in the study's order.
        searches: Rows of the table of searches, in any order; those of others are passed over.
        rows: The study's trials.
        places: Where settings and seeds stand.
        shape: How many of them.

    Raises:
        StoreError: If two legs of one search have the same position.
    """
    position = {str(row["trial_id"]): index for index, row in enumerate(rows)}
    asked: dict[str, dict[Cell, dict[int, Row]]] = {name: {} for name in strategies}
    for search in searches:
        if search["strategy"] not in asked:
            continue
        for cell in places.cells(search):
            in_order = asked[search["strategy"]].setdefault(cell, {})
            # Without a teacher it may be listed once for each teacher that it stands beside.
            if in_order.setdefault(search["position"], search) != search:
                raise StoreError(
                    f"strategy {search['strategy']!r} has two legs at position "
                    f"{search['position']} of one search: delete searches.parquet and run the "
                    "study again"
                )
    return tuple(
        _arm(
            name,
            {cell: [found[at] for at in sorted(found)] for cell, found in by_cell.items()},
            rows,
            position,
            shape,
        )
        for name, by_cell in asked.items()
    )


def _arm(
    strategy: str,
    searches: Mapping[Cell, Sequence[Row]],
    rows: Sequence[Row],
    position: Mapping[str, int],
    shape: Cell,
) -> Arm:
    ended, blocked, complete = (np.zeros(shape, bool) for _ in range(3))
    legs = {}
    for cell, found in searches.items():
        legs[cell] = tuple(_leg(search, rows, position) for search in found)
        blocked[cell] = any(leg.has_failed for leg in legs[cell])
        ended[cell] = (
            all(search["is_complete"] for search in found)
            and all(leg.row != NO_RUN for leg in legs[cell])
            and not blocked[cell]
        )
        complete[cell] = ended[cell] and any(leg.scores is not None for leg in legs[cell])
    return Arm(strategy, _charged(legs), ended, blocked, complete)


def _leg(search: Row, rows: Sequence[Row], position: Mapping[str, int]) -> Leg:
    index = position.get(str(search["trial_id"]), NO_RUN)
    row: Row = {} if index == NO_RUN else rows[index]
    has_failed = row.get("status") == FAILED
    start, end = int(search["from_epoch"]), int(search["until_epoch"])
    epochs = row.get("epochs") or end
    # A failed run is charged all that it left on record.
    share = 1.0 if has_failed else (end - start) / epochs if epochs else 0.0
    scores = {name: row.get(name) for name in SCORES}
    is_whole = row.get("status") == DONE and end >= epochs
    return Leg(
        row=index,
        from_epoch=start,
        until_epoch=end,
        has_failed=has_failed,
        scores=_known(scores) if is_whole else None,
        step_equivalents=share * _number(row.get("step_equivalents")),
        student_compute_s=share * _number(row.get("student_compute_s")),
    )


def _known(scores: Mapping[str, Any]) -> dict[str, float] | None:
    known = {name: float(value) for name, value in scores.items() if value is not None}
    return known if len(known) == len(SCORES) else None


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _charged(legs: Mapping[Cell, tuple[Leg, ...]]) -> dict[Cell, tuple[Leg, ...]]:
    """Charges failed legs that left no record: what as many epochs of the arm cost in the median.

    In the setting, or in the study where the setting has none, as ``failed_cost`` does for runs.
    """
    if not any(leg.has_failed for found in legs.values() for leg in found):
        return dict(legs)
    settings = {setting for setting, _ in legs}
    steps, seconds = ({at: _epoch_cost(legs, name, at) for at in settings} for name in COSTS)

    def charged(leg: Leg, setting: int) -> Leg:
        if not leg.has_failed:
            return leg
        return replace(
            leg,
            step_equivalents=_or(leg.step_equivalents, leg.epochs * steps[setting]),
            student_compute_s=_or(leg.student_compute_s, leg.epochs * seconds[setting]),
        )

    return {cell: tuple(charged(leg, cell[0]) for leg in found) for cell, found in legs.items()}


def _or(recorded: float, charge: float) -> float:
    return charge if np.isnan(recorded) else recorded


def _epoch_cost(legs: Mapping[Cell, tuple[Leg, ...]], currency: str, setting: int) -> float:
    def known(cells: Iterable[Cell]) -> list[float]:
        costs = [
            getattr(leg, currency) / leg.epochs
            for cell in cells
            for leg in legs[cell]
            if leg.epochs and not leg.has_failed
        ]
        return [cost for cost in costs if np.isfinite(cost)]

    found = known(cell for cell in legs if cell[0] == setting) or known(legs)
    return float(np.median(found)) if found else np.nan
