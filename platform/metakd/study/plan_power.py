"""How long it would take to decide, by the variances of a store: before any run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from metakd.analysis.next_look import primary_of_table
from metakd.analysis.statistics.looks import Schedule
from metakd.analysis.statistics.planning import DRAWS, Groups, chances
from metakd.analysis.statistics.strata import FEWEST_SEEDS, Strata, group_means
from metakd.analysis.table import StudyTable, read_table, setting_keys
from metakd.machine import usable_cpus
from metakd.results.reader import read_study
from metakd.results.study import StoreError, StudyRecord
from metakd.study.blocks import seed_costs
from metakd.study.options import PILOTS
from metakd.study.plan import Plan
from metakd.study.progress import duration
from metakd.study.record import as_recorded

MARGINS_PP = (0.1, 0.2, 0.3, 0.5, 1.0)
DIFFERENCES_PP = (0.0, 0.2, 0.5, 1.0)
HALF = 0.5


@dataclass(frozen=True)
class Known:
    """What a store says of a study's groups of settings.

    Attributes:
        groups: Their variances and costs.
        matched: How many of them the store has; the others are given the mean variance.
        seconds: Of one unit of cost, on the CPUs here.
    """

    groups: Groups
    matched: int
    seconds: float


def announce_power(
    console: Console,
    plan: Plan,
    store: Path,
    pilots: Sequence[float] | None = None,
    is_asked: bool = True,
) -> None:
    """Prints when the study would be decided at some margins, if the true difference were so large.

    Args:
        console: Where to print.
        plan: The study with its pilot's seeds.
        store: A folder with results of this or of a like study.
        pilots: Compute behind each look; None takes the usual looks.
        is_asked: Whether a store that says nothing is an error.

    Raises:
        StoreError: If it is, or a file of the store is damaged.
    """
    known = known_from(plan, store)
    if known is None:
        if is_asked:
            raise StoreError(
                f"{store} has no variance of this study's comparison: it needs two pairs in a "
                "setting at least; run a pilot first"
            )
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("margin", no_wrap=True)
    for difference in DIFFERENCES_PP:
        name = "if equal" if not difference else f"if {difference:g} apart"
        table.add_column(name, justify="right", no_wrap=True)
    for margin in sorted({*MARGINS_PP, plan.spec.margin_pp}):
        schedule = Schedule(margin, max(plan.spec.seeds, FEWEST_SEEDS), tuple(pilots or PILOTS))
        cells = [_cell(schedule, known, difference) for difference in DIFFERENCES_PP]
        table.add_row(f"±{margin:g}", *cells)
    console.print(
        f"power        expected time to decide on the {usable_cpus()} CPUs here, by the variances "
        f"in {store} ({known.matched} of {len(known.groups.costs)} groups of settings), and the "
        "probability that the last look has decided"
    )
    console.print(table)


def known_from(plan: Plan, store: Path) -> Known | None:
    """Returns what a store says of a study; None where it has no group with two pairs.

    Raises:
        StoreError: If the store cannot be read.
    """
    record = read_study(store)
    table = read_table(store, record)
    variance_of = _variances(record, table, store)
    if not variance_of:
        return None
    keys = setting_keys(tuple(as_recorded(setting) for setting in plan.settings))
    number = max(plan.seed_groups) + 1
    found = np.full(number, np.nan)
    for key, group in zip(keys, plan.seed_groups, strict=True):
        found[group] = variance_of.get(key, found[group])
    matched = int(np.isfinite(found).sum())
    mean = float(np.mean(list(variance_of.values())))
    sizes = np.bincount(plan.seed_groups, minlength=number)
    costs = np.asarray(seed_costs(plan))
    groups = Groups(
        weights=sizes / sizes.sum(),
        costs=costs,
        variances=np.where(np.isfinite(found), found, mean),
        counts=np.zeros(number, dtype=np.int64),
    )
    return Known(groups, matched, _seconds(table, costs, plan, keys))


def _variances(record: StudyRecord, table: StudyTable, store: Path) -> dict[str, float]:
    """Returns the variance of the primary comparison between seeds, by setting."""
    primary = primary_of_table(record, table, store)
    rows = len(primary.differences)
    # Stores of before share their seeds: their settings by themselves say as much.
    strata = primary.strata or Strata(tuple(range(rows)), 0.0)
    means = group_means(primary.differences, strata)
    of_group = dict(zip(means.groups, means.variances.tolist(), strict=True))
    groups = table.strata.groups if table.strata is not None else range(len(table.keys))
    return {
        key: of_group[group]
        for key, group in zip(table.keys, groups, strict=True)
        if group in of_group
    }


def _seconds(
    table: StudyTable, costs: NDArray[np.float64], plan: Plan, keys: Sequence[str]
) -> float:
    """Returns the seconds of one unit of cost here, by the trials of settings that both have."""
    of_key = dict(zip(keys, plan.seed_groups, strict=True))
    seeds = dict(zip(table.keys, table.planned_pairs.sum(axis=1).tolist(), strict=True))
    spent_by_group = {
        of_key[key]: costs[of_key[key]] * seeds[key] for key in seeds if key in of_key
    }
    wall_s = sum(row["wall_s"] or 0.0 for row in table.rows)
    shared = sum(seeds[key] for key in seeds if key in of_key) / max(sum(seeds.values()), 1)
    spent = sum(spent_by_group.values()) or float(costs.mean()) * max(sum(seeds.values()), 1)
    return float(wall_s * (shared or 1.0) / spent / usable_cpus())


def _cell(schedule: Schedule, known: Known, difference: float) -> str:
    decided, compute = chances(schedule, known.groups, np.full(DRAWS, difference))
    enough = decided >= HALF
    if not enough.any():
        return f"no look ({100 * decided[-1]:.0f} %)"
    return f"{duration(compute[int(enough.argmax())] * known.seconds)} ({100 * decided[-1]:.0f} %)"
