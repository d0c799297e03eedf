"""The tables of a study with a protagonist of its own: what helps, and its teachers."""

from dataclasses import dataclass

from markupsafe import Markup

from dashboards.looks import looks_in
from dashboards.svg import interval_bar, reach, swatch
from dashboards.teacher_looks import teacher_looks
from metakd.analysis.contest_answers import LearningTeacher, Part, SingleTeacher
from metakd.analysis.summary import Summary
from metakd.analysis.verdict_contest import COMPANY, PARTS


@dataclass(frozen=True)
class PartRow:
    """What one part of the method does, its interval drawn."""

    part: Part
    name: str
    company: str
    bar: Markup


@dataclass(frozen=True)
class TeacherRow:
    """One teacher alone, the protagonist's difference to its student drawn."""

    teacher: SingleTeacher
    mark: Markup
    bar: Markup


@dataclass(frozen=True)
class LearningRow:
    """What became of the teacher under one strategy, its change drawn."""

    teacher: LearningTeacher
    name: str
    mark: Markup
    bar: Markup


@dataclass(frozen=True)
class ContestTables:
    """Rows of the tables.

    Attributes:
        parts: What helps.
        teachers: Each of several teachers alone.
        has_many_ensembles: Whether rows have to say of which ensemble they are.
        learning: What became of a teacher that learned.
    """

    parts: tuple[PartRow, ...]
    teachers: tuple[TeacherRow, ...]
    has_many_ensembles: bool
    learning: tuple[LearningRow, ...]


def contest_tables(summary: Summary) -> ContestTables | None:
    """Returns the rows of a study's tables; None of one without a protagonist of its own."""
    answer = summary.ensemble or summary.teaching
    if answer is None:
        return None
    margin_pp = summary.margin_pp
    alone = summary.ensemble.teachers if summary.ensemble else ()
    learning = summary.teaching.teachers if summary.teaching else ()
    looks, looks_of_teachers = looks_in(summary), teacher_looks(summary)
    parts_reach = reach((part.effect for part in answer.parts), margin_pp)
    alone_reach = reach((each.learned_minus for each in alone), margin_pp)
    learning_reach = reach((each.change for each in learning), margin_pp)
    return ContestTables(
        parts=tuple(
            PartRow(
                part,
                PARTS[part.part],
                COMPANY[part.part, part.lacking],
                interval_bar(part.effect, margin_pp, parts_reach),
            )
            for part in answer.parts
        ),
        teachers=tuple(
            TeacherRow(
                each,
                swatch(looks_of_teachers[each.name]),
                interval_bar(each.learned_minus, margin_pp, alone_reach),
            )
            for each in alone
        ),
        has_many_ensembles=len({each.ensemble for each in alone}) > 1,
        learning=tuple(
            LearningRow(
                each,
                looks[each.strategy].name,
                swatch(looks[each.strategy]),
                interval_bar(each.change, margin_pp, learning_reach),
            )
            for each in learning
        ),
    )
