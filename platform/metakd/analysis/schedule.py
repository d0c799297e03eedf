"""The schedule of looks that a study declared before its first trial, and what its seeds cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.looks import Schedule
from metakd.analysis.statistics.planning import Groups
from metakd.analysis.statistics.strata import GroupMeans
from metakd.analysis.table import StudyTable
from metakd.results.look_records import LookRecord
from metakd.results.study import StoreError, StudyRecord


@dataclass(frozen=True)
class DeclaredSchedule:
    """A study's schedule, with what its settings cost.

    Attributes:
        looks: Margin, pilot and looks.
        seed_costs: What one seed of each group of settings costs, in student-step equivalents, in
            the order in which the settings name the groups: of the strategies that go on after the
            pilot.
    """

    looks: Schedule
    seed_costs: tuple[float, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns it as plain JSON values."""
        return {
            "margin_pp": self.looks.margin_pp,
            "pilot_seeds": self.looks.pilot_seeds,
            "pilots": list(self.looks.pilots),
            "alpha": self.looks.alpha,
            "seed_costs": list(self.seed_costs),
        }

    @classmethod
    def of(cls, record: StudyRecord) -> "DeclaredSchedule | None":
        """Returns the schedule of a study; None where it takes one look at its end.

        Raises:
            StoreError: If it cannot be read.
        """
        declared = record.schedule
        if declared is None:
            return None
        try:
            looks = Schedule(
                margin_pp=float(declared["margin_pp"]),
                pilot_seeds=int(declared["pilot_seeds"]),
                pilots=tuple(float(pilots) for pilots in declared["pilots"]),
                alpha=float(declared["alpha"]),
            )
            return cls(looks, tuple(float(cost) for cost in declared["seed_costs"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"the schedule of study {record.study!r} cannot be read ({error}): put study.json "
                "back from a copy, or run the study again in another --out"
            ) from error


def groups_of(declared: DeclaredSchedule, found: GroupMeans, table: StudyTable) -> Groups:
    """Returns what is known of all groups of a study's settings, in the order of their numbers.

    A group without two pairs has no variance, and no weight: it gets no further seeds.
    """
    of_setting = np.asarray(group_of_setting(table))
    planned = table.planned_pairs.sum(axis=1)
    number = int(of_setting.max()) + 1
    variances, weights = np.full(number, np.nan), np.zeros(number)
    here = list(found.groups)
    variances[here], weights[here] = found.variances, found.weights
    counts = np.array([planned[of_setting == group].max() for group in range(number)])
    return Groups(
        weights,
        np.asarray(declared.seed_costs),
        variances,
        counts.astype(np.int64),
        found.unit_pp,
    )


def interval_of_look(look: LookRecord) -> Interval:
    """Returns the interval of a look as it was taken."""
    return Interval(look.mean_pp, look.low_pp, look.high_pp, look.pairs, look.method, look.level)


def counts_by_group(by_setting: Sequence[int], table: StudyTable) -> NDArray[np.int64]:
    """Returns the seeds of each group of settings, in the order of their numbers.

    Args:
        by_setting: Seeds of each setting.
        table: The study.
    """
    of_setting = np.asarray(group_of_setting(table))
    values = np.asarray(by_setting, dtype=np.int64)
    return np.array([values[of_setting == g].max() for g in range(int(of_setting.max()) + 1)])


def group_of_setting(table: StudyTable) -> tuple[int, ...]:
    """Returns the number of each setting's group; one group where settings share their seeds."""
    return (0,) * len(table.settings) if table.strata is None else table.strata.groups
