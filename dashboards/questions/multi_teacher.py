"""Several teachers at once: do learned weights beat their mean, and each teacher alone?"""

from dataclasses import dataclass

from markupsafe import Markup
from rich.table import Table

from metakd.analysis.comparison import main_comparison
from metakd.analysis.places import SINGLE
from metakd.analysis.questions.multi_teacher import Ensemble, SingleTeacher
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import NONE, effect, plain
from metakd.dashboards.questions.elements import Opening, difference_key, headline_comparison
from metakd.dashboards.questions.learner import (
    LearnerTable,
    baselines_plot,
    key_figures,
    part_rows,
    settings_table,
    strategies_table,
)
from metakd.dashboards.svg import interval_bar, reach, swatch
from metakd.dashboards.terminal import new_table, wrapped
from metakd.dashboards.theme import badge_tone, teacher_styles


@dataclass(frozen=True)
class TeacherRow:
    """One teacher alone, the learner's difference to its student drawn."""

    teacher: SingleTeacher
    mark: Markup
    bar: Markup


@dataclass(frozen=True)
class TeachersTable(LearnerTable):
    """What helps, and each teacher alone.

    Attributes:
        teachers: A row for each.
        has_many_ensembles: Whether rows have to name their ensemble.
    """

    teachers: tuple[TeacherRow, ...]
    has_many_ensembles: bool


def opening(summary: Summary) -> Opening:
    """Returns how far ahead the learner is of all others, what helps, and each teacher alone."""
    ensemble = summary.answer
    if not isinstance(ensemble, Ensemble):
        return Opening()
    main = headline_comparison(summary)
    single = main_comparison(summary.baselines, SINGLE)
    further = [single] if single is not None and main.baseline != SINGLE else []
    return Opening(
        tone=badge_tone(main),
        drawing=baselines_plot(summary),
        keys=key_figures(summary, *(difference_key(each, summary.question) for each in further)),
        sections=("baselines", "questions/multi_teacher", "more"),
        page="multi_teacher",
        chosen=", the best single teacher and the selected epoch,",
        table=_table(summary, ensemble),
    )


def tables(summary: Summary) -> list[Table]:
    """Returns the terminal's tables that have rows: strategies, single teachers, settings."""
    ensemble = summary.answer
    if not isinstance(ensemble, Ensemble):
        return []
    found = (
        strategies_table(summary, ensemble),
        single_teachers_table(summary, ensemble),
        settings_table(summary),
    )
    return [table for table in found if table.row_count]


def single_teachers_table(summary: Summary, ensemble: Ensemble) -> Table:
    """Returns for each teacher its own test accuracy and its student's, with their intervals."""
    many = _has_many(ensemble)
    numbers = ("parameters", "its test", "student alone", "chosen", f"{summary.learner} − it")
    rows = [
        (
            wrapped(f"{teacher.name} of {teacher.ensemble}" if many else teacher.name),
            NONE if teacher.parameters is None else f"{teacher.parameters:,}",
            plain(teacher.own_test_pp),
            effect(teacher.student).replace("+", ""),
            NONE if teacher.chosen is None else f"{100 * teacher.chosen:.0f} %",
            effect(teacher.learned_minus),
        )
        for teacher in ensemble.teachers
    ]
    return new_table("teacher", numbers, rows)


def _table(summary: Summary, ensemble: Ensemble) -> TeachersTable:
    margin_pp, styles = summary.margin_pp, teacher_styles(summary)
    span = reach((teacher.learned_minus for teacher in ensemble.teachers), margin_pp)
    return TeachersTable(
        parts=part_rows(ensemble, margin_pp),
        teachers=tuple(
            TeacherRow(
                teacher,
                swatch(styles[teacher.name]),
                interval_bar(teacher.learned_minus, margin_pp, span),
            )
            for teacher in ensemble.teachers
        ),
        has_many_ensembles=_has_many(ensemble),
    )


def _has_many(ensemble: Ensemble) -> bool:
    return len({teacher.ensemble for teacher in ensemble.teachers}) > 1
