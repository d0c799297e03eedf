"""The one comparison that a study is about: its differences, setting by setting and seed by seed.

Whatever else a study compares is secondary, and corrected for its number (Holm).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.along import along
from metakd.analysis.answers import LevelGap
from metakd.analysis.comparison import minus_pp
from metakd.analysis.grid import Grid
from metakd.analysis.pair import Pair
from metakd.analysis.questions import FACTORS, START_RANGE, TRANSFER, asked_gap
from metakd.analysis.questions.gap import held_strata
from metakd.analysis.questions.start_range import saved_pp
from metakd.analysis.questions.transfer import learned_minus_reused
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.rows import Matrix
from metakd.analysis.strata import Strata
from metakd.analysis.table import StudyTable
from metakd.strategies import label_of


@dataclass(frozen=True)
class Primary:
    """The differences that a study's headline is about, in points.

    Attributes:
        label: What is subtracted from what.
        differences: ``[row, seed]``, NaN where a pair is missing; a row is a setting, or what the
            settings of a gap have in common.
        strata: Which rows are independent of each other; None where all share their seeds.
        choices: From how many contrasts this one was chosen on validation: its interval is
            corrected for that (Bonferroni).
    """

    label: str
    differences: Matrix
    strata: Strata | None
    choices: int = 1


def primary_of(
    question: str,
    table: StudyTable,
    grid: Grid | None,
    pair: Pair,
    gaps: Sequence[LevelGap],
) -> Primary:
    """Returns a study's primary comparison.

    Args:
        question: What it asks.
        table: Its trials.
        grid: Its grid.
        pair: Whose differences those of the settings are.
        gaps: What it found along a factor.
    """
    if question in FACTORS:
        return _drop(FACTORS[question], table, asked_gap(question, gaps))
    if question == TRANSFER:
        return Primary("learned − tuned elsewhere", *learned_minus_reused(table, grid))
    if question == START_RANGE:
        label = "cost of the wrong fixed temperature − of the wrong start"
        return Primary(label, saved_pp(table, grid), table.strata)
    reached = reached_by_strategy(table, grid)
    baseline = pair.baseline
    if (pair.learner, baseline) == ("meta", "grid") and "grid" not in reached:
        baseline = "fixed"
    names = [label_of(name, question) for name in (pair.learner, baseline)]
    differences = minus_pp(table, reached, pair.learner, baseline)
    return Primary(" − ".join(names), differences, table.strata)


def _drop(factor: str, table: StudyTable, gap: LevelGap | None) -> Primary:
    label = f"at the default temperature, the best {factor} before the last − the last"
    if gap is None:
        return Primary(label, np.full((1, table.shape[1]), np.nan), None)
    cells = [[np.nan if v is None else v for v in row] for row in gap.strategies[0].cells_pp]
    strata = held_strata(table, along(table, factor))
    return Primary(label, np.array(cells, dtype=float), strata, len(gap.levels) - 1)
