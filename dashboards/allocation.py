"""Which setting got how many seeds, and why, as a small table."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.figures.figure import shortened
from dashboards.numbers import plain
from metakd.analysis.decision import Allocation, Deciding
from metakd.analysis.wording import counted


@dataclass(frozen=True)
class AllocationTable:
    """The seeds of every setting.

    Attributes:
        title: The finding.
        heads: Of the columns of seeds: each look, and the block after it.
        rows: Setting, spread, cost in percent, and its seeds.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, str, tuple[int, ...]], ...]


def allocation_table(deciding: Deciding | None) -> AllocationTable | None:
    """Returns the table; None before the first look."""
    if deciding is None or not deciding.allocation:
        return None
    heads = [f"look {look.number}" for look in deciding.looks]
    if len(deciding.allocation[0].seeds) > len(heads):
        heads.append(f"look {deciding.declared[len(heads)].number}, to come")
    return AllocationTable(
        title=_title(deciding.allocation),
        heads=tuple(heads),
        rows=tuple(
            (each.key, plain(each.sd_pp), f"{100 * each.cost:.2g} %", each.seeds)
            for each in deciding.allocation
        ),
    )


def _title(allocation: Sequence[Allocation]) -> str:
    most = max(allocation, key=lambda each: each.seeds[-1])
    least = min(allocation, key=lambda each: each.seeds[-1])
    if most.seeds[-1] == least.seeds[-1]:
        return f"Every setting has {counted(most.seeds[-1], 'seed')}"
    return (
        f"Seeds went where they narrow the interval most for their cost: {most.seeds[-1]} to "
        f"{shortened(most.key)}, {least.seeds[-1]} to {shortened(least.key)}"
    )
