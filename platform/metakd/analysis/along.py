"""Settings along one factor, all else held, and teachers in the order of their accuracy."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.places import FACTORS
from metakd.analysis.statistics.intervals import Matrix
from metakd.analysis.statistics.strata import Strata
from metakd.analysis.table import StudyTable
from metakd.analysis.teachers import own_accuracy
from metakd.analysis.wording import scale_in_words
from metakd.results.teacher_scores import TeacherScore

NO_SETTING = -1


@dataclass(frozen=True)
class Level:
    """One teacher, or one augmentation.

    Attributes:
        name: As settings have it.
        parameters: Of a teacher; None where unknown.
        val_pp: Of a teacher: its own validation accuracy, mean over the study's datasets; None
            where unknown.
        test_pp: Its own test accuracy, likewise.
    """

    name: str
    parameters: int | None = None
    val_pp: float | None = None
    test_pp: float | None = None


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

    def strata(self, table: StudyTable) -> Strata | None:
        """Returns which combinations of what is held are independent of each other."""
        if table.strata is None:
            return None
        # All levels of a combination share their seeds.
        return table.strata.of([int(rows[rows != NO_SETTING][0]) for rows in self.rows.T])

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


def by_own_accuracy(
    settings: Along, teachers: Sequence[TeacherScore]
) -> tuple[tuple[Level, ...], str, Along]:
    """Puts teachers in the order of their validation accuracy, where that of all is known.

    Args:
        settings: Along any factor.
        teachers: How accurate teachers are.

    Returns:
        The levels, "teacher accuracy" or "study" for their order, and the settings in that order.
    """
    levels = [_level(level, settings, teachers) for level in settings.levels]
    accuracies = [level.val_pp for level in levels if level.val_pp is not None]
    if len(accuracies) < len(levels):
        return tuple(levels), "study", settings
    order = sorted(range(len(levels)), key=lambda index: round(accuracies[index], 9))
    return tuple(levels[i] for i in order), "teacher accuracy", settings.ordered(order)


def _level(level: str | None, settings: Along, teachers: Sequence[TeacherScore]) -> Level:
    name = str(level)
    own = own_accuracy(name, settings.datasets, teachers) if settings.factor == "teacher" else None
    return Level(name) if own is None else Level(name, own.parameters, own.val_pp, own.test_pp)
