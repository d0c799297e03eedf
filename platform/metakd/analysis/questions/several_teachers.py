"""What a study of several teachers answers beside its comparisons."""

from collections.abc import Sequence

import numpy as np

from metakd.analysis.baselines import mean_or_none, runs_charged
from metakd.analysis.comparison import paired_differences_pp
from metakd.analysis.grid import Grid
from metakd.analysis.learner_answers import Ensemble, SingleTeacher
from metakd.analysis.own_accuracy import own_accuracy
from metakd.analysis.pair import SINGLE, Pair
from metakd.analysis.questions.learner import parts
from metakd.analysis.reached import Reached, reached_by_strategy
from metakd.analysis.rows import NO_RUN, Matrix
from metakd.analysis.strata import mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable
from metakd.analysis.teacher_names import member_labels, members
from metakd.results.teachers import TeacherScore

# Strategies that differ in one part alone: with it, and without it.
PARTS = (
    ("weights", "mmkd", "mean_features"),
    ("weights", "mmkd-logits", "mean_losses"),
    ("features", "mmkd", "mmkd-logits"),
    ("features", "mean_features", "mean_losses"),
    ("temperatures", "mmkd-tau", "mean_losses"),
    ("temperatures", "mmkd+tau", "mmkd"),
)


def several_teachers(
    table: StudyTable, grid: Grid | None, pair: Pair, teachers: Sequence[TeacherScore]
) -> Ensemble:
    """Returns what each part of the method does, and what each teacher does alone.

    Args:
        table: The study.
        grid: Its grid.
        pair: Whose differences they are.
        teachers: How good the teachers are.
    """
    reached = reached_by_strategy(table, grid)
    learned = reached.get(pair.learner)
    single = table.runs(SINGLE)
    return Ensemble(
        test_pp=mean_or_none(100 * learned.test_last) if learned else None,
        runs_charged=runs_charged(table, learned),
        parts=parts(table, reached, PARTS),
        teachers=() if single is None else tuple(_alone(table, single, learned, teachers)),
    )


def _alone(
    table: StudyTable, runs: StrategyRuns, learned: Reached | None, scores: Sequence[TeacherScore]
) -> list[SingleTeacher]:
    asked = [setting["teacher"] for setting in table.settings]
    found = []
    for ensemble in dict.fromkeys(teacher for teacher in asked if teacher is not None):
        where = [at for at, teacher in enumerate(asked) if teacher == ensemble]
        datasets = {table.settings[at]["dataset"] for at in where}
        strata = None if table.strata is None else table.strata.of(where)
        test, is_chosen = _students(table, runs, where, members(ensemble))
        for k, name in enumerate(member_labels(ensemble)):
            ahead = np.full(test[k].shape, np.nan)
            if learned is not None:
                ahead = paired_differences_pp(learned.test_last[where], test[k])
            known = np.isfinite(is_chosen[k])
            own = own_accuracy(name, datasets, scores)
            found.append(
                SingleTeacher(
                    ensemble=ensemble,
                    name=name,
                    parameters=None if own is None else own.parameters,
                    own_val_pp=None if own is None else own.val_pp,
                    own_test_pp=None if own is None else own.test_pp,
                    student=mean_interval(100 * test[k], strata),
                    learned_minus=mean_interval(ahead, strata),
                    chosen=float(is_chosen[k][known].mean()) if known.any() else None,
                )
            )
    return found


def _students(
    table: StudyTable, runs: StrategyRuns, where: Sequence[int], models: Sequence[str]
) -> tuple[Matrix, Matrix]:
    """Returns test accuracies of each teacher's student, and whether validation chose it.

    Returns:
        Both ``[teacher, setting, seed]`` of the settings ``where``, NaN where unknown.
    """
    test = np.full((len(models), len(where), table.shape[1]), np.nan)
    is_chosen = test.copy()
    chosen = runs.best_row()[where]
    # Its segments are the teachers, in order.
    for k, model in enumerate(models[: len(runs.row)]):
        is_of_it = np.array([*(row["teacher"] == model for row in table.rows), False])
        at = runs.row[k, where]
        test[k] = np.where(is_of_it[at], runs.test_acc_last[k, where], np.nan)
        is_chosen[k] = np.where(chosen != NO_RUN, chosen == at, np.nan)
    return test, is_chosen
