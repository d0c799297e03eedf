"""A teacher that learns to teach: does its student gain, and what becomes of the teacher?"""

from dataclasses import dataclass

from markupsafe import Markup
from rich.table import Table

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.learning_to_teach import LearningTeacher, Teaching
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import signed
from metakd.dashboards.questions.elements import (
    KeyFigure,
    Opening,
    headline_comparison,
    interval_words,
)
from metakd.dashboards.questions.learner import (
    LearnerTable,
    baselines_plot,
    key_figures,
    part_rows,
    settings_table,
    strategies_table,
)
from metakd.dashboards.svg import interval_bar, reach, swatch
from metakd.dashboards.theme import badge_tone, styles_in


@dataclass(frozen=True)
class LearningRow:
    """What became of the teacher under one strategy, its change drawn."""

    teacher: LearningTeacher
    name: str
    mark: Markup
    bar: Markup


@dataclass(frozen=True)
class TeachingTable(LearnerTable):
    """What helps, and what became of the teacher under each strategy that changes it."""

    learning: tuple[LearningRow, ...]


def opening(summary: Summary) -> Opening:
    """Returns how far ahead the learner is of all others, what helps, and the teacher itself."""
    teaching = summary.answer
    if not isinstance(teaching, Teaching):
        return Opening()
    own = [each for each in teaching.teachers if each.strategy == summary.learner]
    return Opening(
        tone=badge_tone(headline_comparison(summary)),
        drawing=baselines_plot(summary),
        keys=key_figures(summary, *map(_own_key, own)),
        sections=("baselines", "questions/learning_to_teach", "more"),
        page="learning_to_teach",
        chosen=", such as the selected epoch,",
        table=_table(summary, teaching),
    )


def tables(summary: Summary) -> list[Table]:
    """Returns the terminal's tables that have rows: strategies, settings."""
    teaching = summary.answer
    if not isinstance(teaching, Teaching):
        return []
    own = own_accuracies(summary, teaching)
    found = (strategies_table(summary, teaching, own), settings_table(summary))
    return [table for table in found if table.row_count]


def own_accuracies(summary: Summary, teaching: Teaching) -> dict[str, float | None]:
    """Returns the teacher's own test accuracy in % after training, by strategy that has one."""
    changed = {teacher.strategy: teacher.test.mean_pp for teacher in teaching.teachers}
    learners = QUESTIONS[summary.question].learners
    return {
        name: changed.get(name) if name in learners else teaching.before_pp
        for name in summary.strategies
        if name != "ce"
    }


def _own_key(teacher: LearningTeacher) -> KeyFigure:
    change = teacher.change
    if change.mean_pp is None:
        note = "unknown before"
    elif change.low_pp is None:
        note = f"no interval: {change.method}"
    else:
        note = f"from before to after, {interval_words(change)}"
    unit = "points" if change.mean_pp is not None else ""
    return KeyFigure("The teacher’s own accuracy", signed(change.mean_pp), unit, note)


def _table(summary: Summary, teaching: Teaching) -> TeachingTable:
    margin_pp, styles = summary.margin_pp, styles_in(summary)
    span = reach((teacher.change for teacher in teaching.teachers), margin_pp)
    return TeachingTable(
        parts=part_rows(teaching, margin_pp),
        learning=tuple(
            LearningRow(
                teacher,
                styles[teacher.strategy].name,
                swatch(styles[teacher.strategy]),
                interval_bar(teacher.change, margin_pp, span),
            )
            for teacher in teaching.teachers
        ),
    )
