"""Whether a teacher that learns to teach makes a better student, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.comparison import mean_or_none
from metakd.analysis.questions.analysis import Results
from metakd.analysis.questions.learner import LearnerAnalysis, LearnerAnswer, parts
from metakd.analysis.statistics.claims import claim, corrected_for, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix
from metakd.analysis.statistics.strata import mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import signed_pp
from metakd.results.teacher_scores import TeacherScore

# Strategies that differ in one part alone: with it, without it, and what both have beside it.
PARTS = (
    ("teacher", "metadistil", "fixed", "at fixed temperatures"),
    ("teacher", "metadistil+tau", "meta", "at learned temperatures"),
    ("temperatures", "meta", "fixed", "with a fixed teacher"),
    ("temperatures", "metadistil+tau", "metadistil", "with a learning teacher"),
    ("pilots", "metadistil", "metadistil-no-pilot", "over the student’s real steps"),
    ("quiz", "metadistil", "metadistil-own-quiz", "over quizzes on the training batch"),
)
CLAIMS = {"ahead": "gains", "behind": "loses", "no clear gap": "not shown"}
CHANGES = {"gains": "rises", "loses": "falls"}


@dataclass(frozen=True)
class LearningTeacher:
    """What became of the teacher under one strategy, at the end of training.

    "Gains" and "loses" need a p value below 5 % after Holm's correction over the strategies that
    change their teacher.

    Attributes:
        strategy: The strategy.
        test: The teacher's own test accuracy, over settings and seeds.
        change: That minus its test accuracy before, paired.
        p_holm: Two-sided t test of the change against 0, after Holm's correction; None where it has
            no interval.
        changed: "gains", "loses" or "not shown", by that.
    """

    strategy: str
    test: Interval
    change: Interval
    p_holm: float | None
    changed: str


@dataclass(frozen=True)
class Teaching(LearnerAnswer):
    """A study of a teacher that learns to teach.

    (MetaDistil): it is moved by its student's loss on a quiz after a pilot step.

    Attributes:
        before_pp: The teacher's own test accuracy before, mean over settings; None where unknown.
        teachers: What became of it, by strategy in the study's order.
        teachers_tested: Over how many strategies that is corrected (Holm).
    """

    before_pp: float | None
    teachers: tuple[LearningTeacher, ...]
    teachers_tested: int


class LearningToTeach(LearnerAnalysis):
    """A teacher that learns to teach against one that does not."""

    answer_type = Teaching
    nothing_learned = "This study ran no teacher that learns to teach, so it compares none."
    nothing_to_compare = "This study ran nothing to compare a teacher that learns to teach with."

    def answer(self, results: Results, level: float) -> Teaching:
        """Returns what each part of the method does, and what became of the teacher."""
        table = results.table
        learned = results.reached.get(results.pair.learner)
        before = _before_pp(table, results.teachers)
        found, teachers = parts(table, results.reached, PARTS), _after(table, before)
        return Teaching(
            test_pp=mean_or_none(100 * learned.test_last) if learned else None,
            parts=found,
            parts_tested=corrected_for(part.p_holm for part in found),
            before_pp=mean_or_none(before),
            teachers=teachers,
            teachers_tested=corrected_for(teacher.p_holm for teacher in teachers),
        )

    def further_sentences(self, answer: LearnerAnswer, learner: str) -> Sequence[str | None]:
        """Returns what became of the teacher's own accuracy."""
        teachers = answer.teachers if isinstance(answer, Teaching) else ()
        return [_teacher_sentence(teachers, learner)]


def _after(table: StudyTable, before: Matrix) -> tuple[LearningTeacher, ...]:
    """Returns what became of the teacher by strategy, corrected for their number (Holm)."""
    after = {name: found for name, found in _after_pp(table).items() if np.isfinite(found).any()}
    changes = [found - before for found in after.values()]
    corrected = holm([mean_p_value(change, table.strata) for change in changes])
    return tuple(
        LearningTeacher(
            strategy=name,
            test=mean_interval(found, table.strata),
            change=mean_interval(change, table.strata),
            p_holm=p_holm,
            changed=CLAIMS[claim(mean_interval(change, table.strata).mean_pp, p_holm)],
        )
        for (name, found), change, p_holm in zip(after.items(), changes, corrected, strict=True)
    )


def _before_pp(table: StudyTable, teachers: Sequence[TeacherScore]) -> Matrix:
    """Returns the test accuracy of each setting's teacher, ``[setting, 1]``, NaN where unknown."""
    known = {(score.dataset, score.name): 100 * score.test_acc for score in teachers}
    places = [(setting["dataset"], str(setting["teacher"])) for setting in table.settings]
    return np.array([[known.get(place, np.nan)] for place in places])


def _after_pp(table: StudyTable) -> dict[str, Matrix]:
    """Returns the same of the teachers that runs changed, by strategy, ``[setting, seed]``."""
    after = [row.get("teacher_test_acc_last") for row in table.rows]
    percent = np.array([np.nan if value is None else 100 * value for value in (*after, None)])
    # Where there is no run, the last of these is taken.
    return {runs.strategy: percent[runs.best_row()] for runs in table.strategy_runs}


def _teacher_sentence(teachers: Sequence[LearningTeacher], learner: str) -> str | None:
    """Says what became of a teacher that learned to teach, of its own accuracy."""
    found = next((each for each in teachers if each.strategy == learner), None)
    if found is None or found.test.mean_pp is None:
        return None
    after, change = found.test.mean_pp, found.change
    if change.mean_pp is None or change.pairs != found.test.pairs:
        return f"At the end the teacher itself reaches {after:.2f} % on test."
    interval, corrected = change.method, ""
    if change.low_pp is not None and change.high_pp is not None:
        interval = f"95 % interval {signed_pp(change.low_pp)} to {signed_pp(change.high_pp)}"
        tested = corrected_for(each.p_holm for each in teachers)
        if tested > 1:
            corrected = f", corrected for {tested} strategies (Holm)"
    by = f"{signed_pp(change.mean_pp)} points ({interval}){corrected}"
    before, own = after - change.mean_pp, "The teacher’s own test accuracy"
    if found.changed in CHANGES:
        return f"{own} {CHANGES[found.changed]} from {before:.2f} % to {after:.2f} %: {by}."
    return f"{own} is not shown to change: {before:.2f} % before, {after:.2f} % after: {by}."


LEARNING_TO_TEACH = LearningToTeach()
