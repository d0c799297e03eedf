"""How strategies hold up along teachers, or along augmentations."""

from collections.abc import Iterator

from metakd.analysis.accuracy_band import accuracy_band
from metakd.analysis.along import Along, along
from metakd.analysis.curves import DegradationCurve
from metakd.analysis.grid import Grid
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.table import Matrix, StudyTable

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
        for curve in _curves(along(table, factor), name, result.test_last)
    )


def _curves(settings: Along, strategy: str, test: Matrix) -> Iterator[DegradationCurve]:
    if len(settings.levels) < 2:
        return
    stacked = settings.stacked(test)
    for index, held in enumerate(settings.held):
        bands = [accuracy_band(accuracies) for accuracies in stacked[:, index]]
        if all(mean is None for mean, _, _ in bands):
            continue
        yield DegradationCurve(
            factor=settings.factor,
            held=held,
            strategy=strategy,
            levels=tuple(str(level) for level in settings.levels),
            mean_pp=tuple(mean for mean, _, _ in bands),
            low_pp=tuple(low for _, low, _ in bands),
            high_pp=tuple(high for _, _, high in bands),
        )
