"""Rows of the store, and where they stand in matrices ``[setting, seed]``."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from metakd.results.seeds import seed_number
from metakd.results.study import StudyRecord

Row = Mapping[str, Any]
# "stopped": by a strategy, before the recipe's last epoch; such a trial has no test scores.
DONE, STOPPED, FAILED = "done", "stopped", "failed"
NO_RUN = -1
COSTS = ("step_equivalents", "student_compute_s")
SINGLE = "single"
"""The strategy that is each of several teachers by itself."""
FACTORS = ("dataset", "scale", "augmentation", "teacher", "student")
Cell = tuple[int, int]


class Places:
    """Finds the cells ``(setting, seed)`` of a study's matrices that a trial fills.

    Args:
        record: The study.
    """

    def __init__(self, record: StudyRecord) -> None:
        self._seeds = {seed: column for column, seed in enumerate(record.seeds)}
        self._settings: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for index, setting in enumerate(record.settings):
            # A run without a teacher stands beside every teacher.
            for teacher in {setting["teacher"], None}:
                self._settings[_key(setting, teacher)].append(index)

    def cells(self, row: Mapping[str, Any]) -> list[Cell]:
        """Returns the cells of a trial's row, none if the study has no such setting or seed."""
        column = self._seeds.get(seed_number(row["seed"]))
        if column is None:
            return []
        return [(index, column) for index in self._settings.get(_key(row, row["teacher"]), ())]


def _key(setting: Mapping[str, Any], teacher: str | None) -> tuple[Any, ...]:
    return (
        setting["dataset"], setting["scale"], setting["augmentation"], setting["student"], teacher,
    )  # fmt: skip
