"""How many labels each strategy read, and for what."""

from collections.abc import Iterable, Mapping

import numpy as np

from metakd.analysis.places import Cell
from metakd.analysis.rows import NO_RUN, Row
from metakd.analysis.summary import Counts, LabelUse
from metakd.analysis.table import StudyTable


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
