"""What a study of a teacher that learns to teach answers beside its comparisons."""

from collections.abc import Sequence

import numpy as np

from metakd.analysis.baselines import mean_or_none, runs_charged
from metakd.analysis.grid import Grid
from metakd.analysis.learner_answers import LearningTeacher, Teaching
from metakd.analysis.pair import Pair
from metakd.analysis.questions.learner import parts
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.rows import Matrix
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.strata import mean_interval
from metakd.analysis.table import StudyTable
from metakd.results.teachers import TeacherScore

# Strategies that differ in one part alone: with it, and without it.
PARTS = (
    ("teacher", "metadistil", "fixed"),
    ("teacher", "metadistil+tau", "meta"),
    ("temperatures", "meta", "fixed"),
    ("temperatures", "metadistil+tau", "metadistil"),
    ("pilots", "metadistil", "metadistil-no-pilot"),
    ("quiz", "metadistil", "metadistil-own-quiz"),
)
CHANGES = {"ahead": "gains", "behind": "loses", "no clear gap": "not shown"}


def teaching(
    table: StudyTable, grid: Grid | None, pair: Pair, teachers: Sequence[TeacherScore]
) -> Teaching:
    """Returns what each part of the method does, and what became of the teacher.

    Args:
        table: The study.
        grid: Its grid.
        pair: Whose differences they are.
        teachers: How good the teachers were before.
    """
    reached = reached_by_strategy(table, grid)
    learned = reached.get(pair.learner)
    before = _before_pp(table, teachers)
    after = {name: found for name, found in _after_pp(table).items() if np.isfinite(found).any()}
    changes = [found - before for found in after.values()]
    corrected = holm([mean_p_value(change, table.strata) for change in changes])
    return Teaching(
        test_pp=mean_or_none(100 * learned.test_last) if learned else None,
        runs_charged=runs_charged(table, learned),
        parts=parts(table, reached, PARTS),
        before_pp=mean_or_none(before),
        teachers=tuple(
            LearningTeacher(
                strategy=name,
                test=mean_interval(found, table.strata),
                change=mean_interval(change, table.strata),
                p_holm=p_holm,
                changed=CHANGES[claim(mean_interval(change, table.strata).mean_pp, p_holm)],
            )
            for (name, found), change, p_holm in zip(after.items(), changes, corrected, strict=True)
        ),
    )


def _before_pp(table: StudyTable, teachers: Sequence[TeacherScore]) -> Matrix:
    """Returns the test accuracy of each setting's teacher, ``[setting, 1]``, NaN where unknown."""
    known = {(score.dataset, score.name): 100 * score.test_acc for score in teachers}
    asked = [(setting["dataset"], str(setting["teacher"])) for setting in table.settings]
    return np.array([[known.get(place, np.nan)] for place in asked])


def _after_pp(table: StudyTable) -> dict[str, Matrix]:
    """Returns the same of the teachers that runs changed, by strategy, ``[setting, seed]``."""
    after = [row.get("teacher_test_acc_last") for row in table.rows]
    percent = np.array([np.nan if value is None else 100 * value for value in (*after, None)])
    # Where there is no run, the last of these is taken.
    return {runs.strategy: percent[runs.best_row()] for runs in table.strategy_runs}
