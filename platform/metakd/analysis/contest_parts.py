"""What the parts of a method do, told by strategies that differ in one of them alone."""

from collections.abc import Mapping, Sequence

from metakd.analysis.claims import claim, holm, mean_p_value
from metakd.analysis.comparison import minus_pp
from metakd.analysis.contest_answers import Part
from metakd.analysis.reached import Reached
from metakd.analysis.strata import mean_interval
from metakd.analysis.table import StudyTable


def parts(
    table: StudyTable, reached: Mapping[str, Reached], asked: Sequence[tuple[str, str, str]]
) -> tuple[Part, ...]:
    """Returns what each part does, corrected for their number (Holm).

    Args:
        table: The study.
        reached: What its strategies have reached.
        asked: A part, the strategy that has it, and the one that lacks it and is else the same;
            those of strategies that the study does not ask for are passed over.
    """
    there = [part for part in asked if part[1] in reached and part[2] in reached]
    differences = [minus_pp(table, reached, having, lacking) for _, having, lacking in there]
    p_values = [mean_p_value(values, table.strata) for values in differences]
    effects = [mean_interval(values, table.strata) for values in differences]
    return tuple(
        Part(*part, effect, p_value, p_holm, claim(effect.mean_pp, p_holm))
        for part, effect, p_value, p_holm in zip(
            there, effects, p_values, holm(p_values), strict=True
        )
    )
