"""How strategies hold up along teachers, or along augmentations."""

from collections.abc import Iterator, Sequence

from metakd.analysis.along import Along, along
from metakd.analysis.answers import LevelGap
from metakd.analysis.bands import accuracy_band
from metakd.analysis.curves import DegradationCurve
from metakd.analysis.findings import LevelChange
from metakd.analysis.grid import Grid
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.rows import Matrix
from metakd.analysis.table import StudyTable

ALONG = ("augmentation", "teacher")


def degradation_curves(
    table: StudyTable, grid: Grid | None, gaps: Sequence[LevelGap] = ()
) -> tuple[DegradationCurve, ...]:
    """Returns curves along each factor of which the study has two levels or more.

    One for each strategy with results and each combination of what is held, in the study's order.

    Args:
        table: The study.
        grid: Its grid.
        gaps: Those along its factors; levels are in their order, or else in the study's.
    """
    reached = reached_by_strategy(table, grid)
    return tuple(
        curve
        for factor in ALONG
        for name, result in reached.items()
        for curve in _curves(_ordered(along(table, factor), gaps), name, result.test_last)
    )


def level_changes(curves: Sequence[DegradationCurve]) -> tuple[LevelChange, ...]:
    """Returns the range of each strategy's changes along each factor, of those that are known."""
    known: dict[tuple[str, str], list[float]] = {}
    for curve in curves:
        if curve.change_pp is not None:
            known.setdefault((curve.factor, curve.strategy), []).append(curve.change_pp)
    return tuple(LevelChange(*place, min(found), max(found)) for place, found in known.items())


def _ordered(settings: Along, gaps: Sequence[LevelGap]) -> Along:
    gap = next((gap for gap in gaps if gap.factor == settings.factor), None)
    if gap is None:
        return settings
    names = [str(level) for level in settings.levels]
    return settings.ordered([names.index(level.name) for level in gap.levels])


def _curves(settings: Along, strategy: str, test: Matrix) -> Iterator[DegradationCurve]:
    if len(settings.levels) < 2:
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
            levels=tuple(str(level) for level in settings.levels),
            mean_pp=means,
            low_pp=tuple(low for _, low, _ in bands),
            high_pp=tuple(high for _, _, high in bands),
            change_pp=None if first is None or last is None else last - first,
        )
