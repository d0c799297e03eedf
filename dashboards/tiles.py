"""Settings as a table of tiles: what varies beside the augmentation below, augmentations beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from metakd.analysis.summary import SettingResult


@dataclass(frozen=True)
class Row:
    """A row of tiles; None where a setting was not run."""

    label: str
    cells: tuple[SettingResult | None, ...]


@dataclass(frozen=True)
class Tiles:
    """The tiles in the study's order.

    Attributes:
        row_name: What the rows are, in words.
        columns: Augmentations.
        rows: The rows.
    """

    row_name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


# How a part of a setting is named, and how its values are written.
PARTS = {
    "dataset": "dataset",
    "scale": "share of the training data",
    "teacher": "teacher",
    "student": "student",
}


def arrange(settings: Sequence[SettingResult]) -> Tiles:
    """Lays settings out; a row is labelled by what differs between rows, at least its scale."""
    columns = tuple(dict.fromkeys(setting.augmentation for setting in settings))
    by_place = {(_row_of(setting), setting.augmentation): setting for setting in settings}
    rows = tuple(dict.fromkeys(_row_of(setting) for setting in settings))
    varying = [
        index
        for index, part in enumerate(PARTS)
        if part == "scale" or len({row[index] for row in rows}) > 1
    ]
    return Tiles(
        row_name=", ".join(list(PARTS.values())[index] for index in varying),
        columns=columns,
        rows=tuple(
            Row(
                " · ".join(row[index] for index in varying),
                tuple(by_place.get((row, column)) for column in columns),
            )
            for row in rows
        ),
    )


def _row_of(setting: SettingResult) -> tuple[str, ...]:
    return (setting.dataset, f"{100 * setting.scale:g} %", setting.teacher, setting.student)
