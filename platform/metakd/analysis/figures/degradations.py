"""How strategies hold up along teachers, or along augmentations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metakd.analysis.along import Along, Level, along, by_own_accuracy
from metakd.analysis.grid import Grid
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.statistics.intervals import Matrix, accuracy_band
from metakd.analysis.table import StudyTable
from metakd.results.teacher_scores import TeacherScore

ALONG = ("augmentation", "teacher")


@dataclass(frozen=True)
class DegradationCurve:
    """Test accuracy of one strategy along teachers of rising size, or stronger augmentations.

    Attributes:
        factor: "teacher" or "augmentation".
        held: What is held, in words, for example "100 % of the data".
        strategy: The strategy.
        levels: Names along the factor.
        own_pp: Of teachers: their own validation accuracy, mean over the study's datasets, by
            level; None where unknown.
        order: "teacher accuracy": levels by ``own_pp``; or "study": as the study has them.
        mean_pp: Mean test accuracy by level; None where there is no run.
        low_pp: Lower end of the mean's 95 % t interval over seeds; None below 3 seeds.
        high_pp: Upper end, likewise.
        change_pp: The last level's mean minus the first one's; None if either is unknown.
    """

    factor: str
    held: str
    strategy: str
    levels: tuple[str, ...]
    own_pp: tuple[float | None, ...]
    order: str
    mean_pp: tuple[float | None, ...]
    low_pp: tuple[float | None, ...]
    high_pp: tuple[float | None, ...]
    change_pp: float | None


@dataclass(frozen=True)
class LevelChange:
    """How a strategy's accuracy changes from a factor's first level to its last.

    Attributes:
        factor: "teacher" or "augmentation".
        strategy: The strategy.
        low_pp: The least change of any panel (``DegradationCurve.change_pp``).
        high_pp: The greatest.
    """

    factor: str
    strategy: str
    low_pp: float
    high_pp: float


def degradation_curves(
    table: StudyTable, grid: Grid | None, teachers: Sequence[TeacherScore] = ()
) -> tuple[DegradationCurve, ...]:
    """Returns curves along each factor of which the study has two levels or more.

    One for each strategy with results and each combination of what is held, in the study's order;
    teachers by their own accuracy where that of all is known.

    Args:
        table: The study.
        grid: Its grid.
        teachers: How accurate its teachers are.
    """
    reached = reached_by_strategy(table, grid)
    found = [by_own_accuracy(along(table, factor), teachers) for factor in ALONG]
    return tuple(
        curve
        for levels, order, settings in found
        for name, result in reached.items()
        for curve in _curves(levels, order, settings, name, result.test_last)
    )


def level_changes(curves: Sequence[DegradationCurve]) -> tuple[LevelChange, ...]:
    """Returns the range of each strategy's changes along each factor, of those that are known."""
    known: dict[tuple[str, str], list[float]] = {}
    for curve in curves:
        if curve.change_pp is not None:
            known.setdefault((curve.factor, curve.strategy), []).append(curve.change_pp)
    return tuple(LevelChange(*place, min(found), max(found)) for place, found in known.items())


def _curves(
    levels: Sequence[Level], order: str, settings: Along, strategy: str, test: Matrix
) -> Iterator[DegradationCurve]:
    if len(levels) < 2:
        return
    stacked = settings.stacked(test)
    for index, held in enumerate(settings.held):
        bands = [accuracy_band(accuracies) for accuracies in stacked[:, index]]
        if all(mean is None for mean, _, _ in bands):
            continue
        means = tuple(mean for mean, _, _ in bands)
        first, last = means[0], means[-1]
        yield DegradationCurve(
            factor=settings.factor,
            held=held,
            strategy=strategy,
            levels=tuple(level.name for level in levels),
            own_pp=tuple(level.val_pp for level in levels),
            order=order,
            mean_pp=means,
            low_pp=tuple(low for _, low, _ in bands),
            high_pp=tuple(high for _, _, high in bands),
            change_pp=None if first is None or last is None else last - first,
        )
