"""A study's settings along one factor, all else held."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.rows import FACTORS, Matrix
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import scale_in_words

NO_SETTING = -1


@dataclass(frozen=True)
class Along:
    """Where the settings of each level are.

    Attributes:
        factor: One of ``FACTORS``.
        levels: Its values, in the study's order.
        held: Combinations of all that is held, in words: the scale, and what else varies.
        datasets: The dataset of each combination.
        rows: Positions in the study's settings, ``[level, held]``; −1 where there is none.
    """

    factor: str
    levels: tuple[Any, ...]
    held: tuple[str, ...]
    datasets: tuple[str, ...]
    rows: NDArray[np.intp]

    def stacked(self, matrix: Matrix) -> Matrix:
        """Returns values ``[setting, seed]`` as ``[level, held, seed]``, NaN without a setting."""
        return np.where((self.rows == NO_SETTING)[..., None], np.nan, matrix[self.rows])

    def ordered(self, order: list[int]) -> "Along":
        """Returns the same with its levels in another order."""
        levels = tuple(self.levels[index] for index in order)
        return Along(self.factor, levels, self.held, self.datasets, self.rows[order])


def along(table: StudyTable, factor: str) -> Along:
    """Arranges settings along a factor.

    Args:
        table: The study.
        factor: One of ``FACTORS``.
    """
    settings = [dict[str, Any](setting) for setting in table.settings]
    levels = tuple(dict.fromkeys(setting[factor] for setting in settings))
    others = [name for name in FACTORS if name != factor]
    varying = {name for name in others if len({setting[name] for setting in settings}) > 1}
    groups: dict[tuple[Any, ...], dict[Any, int]] = defaultdict(dict)
    for index, setting in enumerate(settings):
        groups[tuple(setting[name] for name in others)][setting[factor]] = index
    return Along(
        factor=factor,
        levels=levels,
        held=tuple(
            ", ".join(
                scale_in_words(value) if name == "scale" else str(value)
                for name, value in zip(others, values, strict=True)
                if name == "scale" or name in varying
            )
            for values in groups
        ),
        datasets=tuple(str(values[others.index("dataset")]) for values in groups),
        rows=np.array(
            [[rows.get(level, NO_SETTING) for rows in groups.values()] for level in levels]
        ),
    )
