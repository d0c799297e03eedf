"""Whether learned weights of several teachers beat their mean, and what each does alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.comparison import mean_or_none, paired_differences_pp
from metakd.analysis.places import NO_RUN, SINGLE
from metakd.analysis.questions.analysis import Results
from metakd.analysis.questions.learner import LearnerAnalysis, LearnerAnswer, parts
from metakd.analysis.reached import Reached
from metakd.analysis.statistics.claims import corrected_for
from metakd.analysis.statistics.intervals import Interval, Matrix
from metakd.analysis.statistics.strata import mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable
from metakd.analysis.teachers import member_labels, members, own_accuracy
from metakd.results.teacher_scores import TeacherScore

# Strategies that differ in one part alone: with it, without it, and what both have beside it.
PARTS = (
    ("weights", "mmkd", "mean_features", "with features"),
    ("weights", "mmkd-logits", "mean_losses", "without features"),
    ("features", "mmkd", "mmkd-logits", "at learned weights"),
    ("features", "mean_features", "mean_losses", "at equal weights"),
    ("temperatures", "mmkd-tau", "mean_losses", "at equal weights"),
    ("temperatures", "mmkd+tau", "mmkd", "at learned weights"),
)


@dataclass(frozen=True)
class SingleTeacher:
    """One of several teachers, and the student that it teaches alone.

    Attributes:
        ensemble: The teachers as settings name them, for example "A+B+C".
        name: Its model, with a number where the model stands there again.
        parameters: How many numbers it learned; None where unknown.
        own_val_pp: Its own validation accuracy, mean over the study's datasets; None where unknown.
        own_test_pp: Its own test accuracy, likewise.
        student: Test accuracy of its student at the last epoch, over settings and seeds.
        learned_minus: The learner minus that, paired.
        chosen: Share of pairs in which validation chooses its student; None without a pair.
    """

    ensemble: str
    name: str
    parameters: int | None
    own_val_pp: float | None
    own_test_pp: float | None
    student: Interval
    learned_minus: Interval
    chosen: float | None


@dataclass(frozen=True)
class Ensemble(LearnerAnswer):
    """A study of several teachers at once, ``A+B+C`` in ``teacher``.

    ``single`` trains the student of each teacher alone, and validation chooses among them: all of
    its runs are charged.

    Attributes:
        teachers: Each teacher by itself, by ensemble in the study's order.
    """

    teachers: tuple[SingleTeacher, ...]


class MultiTeacher(LearnerAnalysis):
    """Learned weights of several teachers against their mean."""

    answer_type = Ensemble
    nothing_learned = "This study learned nothing of its teachers, so it compares nothing learned."
    nothing_to_compare = "This study ran nothing to compare learned weights of teachers with."

    def answer(self, results: Results, level: float) -> Ensemble:
        """Returns what each part of the method does, and what each teacher does alone."""
        table = results.table
        learned, single = results.reached.get(results.pair.learner), table.runs(SINGLE)
        found = parts(table, results.reached, PARTS)
        return Ensemble(
            test_pp=mean_or_none(100 * learned.test_last) if learned else None,
            parts=found,
            parts_tested=corrected_for(part.p_holm for part in found),
            teachers=()
            if single is None
            else tuple(_alone(table, single, learned, results.teachers)),
        )


def _alone(
    table: StudyTable, runs: StrategyRuns, learned: Reached | None, scores: Sequence[TeacherScore]
) -> list[SingleTeacher]:
    ensembles = [setting["teacher"] for setting in table.settings]
    found = []
    for ensemble in dict.fromkeys(teacher for teacher in ensembles if teacher is not None):
        where = [at for at, teacher in enumerate(ensembles) if teacher == ensemble]
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


MULTI_TEACHER = MultiTeacher()
