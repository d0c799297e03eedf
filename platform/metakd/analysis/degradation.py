"""How strategies hold up along teachers, or along augmentations."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from metakd.analysis.accuracy_band import accuracy_band
from metakd.analysis.curves import DegradationCurve
from metakd.analysis.grid import Grid
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.table import FACTORS, Matrix, StudyTable
from metakd.analysis.wording import scale_in_words

ALONG = ("augmentation", "teacher")


def degradation_curves(table: StudyTable, grid: Grid | None) -> tuple[DegradationCurve, ...]:
    """Returns curves along each factor of which the study has two levels or more.

    One for each strategy with results and each combination of what is held; levels and
    combinations in the study's order.
    """
    reached = reached_by_strategy(table, grid)
    return tuple(
        curve
        for factor in ALONG
        for name, result in reached.items()
        for curve in _along(factor, name, result.test_last, table)
    )


def _along(
    factor: str, strategy: str, test: Matrix, table: StudyTable
) -> Iterator[DegradationCurve]:
    levels = _levels(table, factor)
    if len(levels) < 2:
        return
    groups: dict[tuple[Any, ...], dict[Any, int]] = defaultdict(dict)
    held = [name for name in FACTORS if name != factor]
    for index, setting in enumerate(dict(setting) for setting in table.settings):
        groups[tuple(setting[name] for name in held)][setting[factor]] = index
    varying = {name for name in held if len(_levels(table, name)) > 1}
    for values, rows in groups.items():
        bands = [
            accuracy_band(test[rows[level]] if level in rows else np.empty(0)) for level in levels
        ]
        if all(mean is None for mean, _, _ in bands):
            continue
        words = [
            scale_in_words(value) if name == "scale" else str(value)
            for name, value in zip(held, values, strict=True)
            if name == "scale" or name in varying
        ]
        yield DegradationCurve(
            factor=factor,
            held=", ".join(words),
            strategy=strategy,
            levels=tuple(str(level) for level in levels),
            mean_pp=tuple(mean for mean, _, _ in bands),
            low_pp=tuple(low for _, low, _ in bands),
            high_pp=tuple(high for _, _, high in bands),
        )


def _levels(table: StudyTable, factor: str) -> list[Any]:
    return list(dict.fromkeys(dict(setting)[factor] for setting in table.settings))
