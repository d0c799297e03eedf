"""The tables of a study of several teachers: what helps, and each teacher alone."""

from dataclasses import dataclass

from markupsafe import Markup

from dashboards.svg import interval_bar, reach, swatch
from dashboards.teacher_looks import teacher_looks
from metakd.analysis.ensemble_answers import Ensemble, Part, SingleTeacher
from metakd.analysis.summary import Summary
from metakd.analysis.verdict_teachers import COMPANY, PARTS


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
class TeachersAnswer:
    """Rows of both tables.

    Attributes:
        parts: What helps.
        teachers: Each teacher alone.
        has_many_ensembles: Whether rows have to say of which ensemble they are.
    """

    parts: tuple[PartRow, ...]
    teachers: tuple[TeacherRow, ...]
    has_many_ensembles: bool


def teachers_answer(summary: Summary, ensemble: Ensemble) -> TeachersAnswer:
    """Returns the rows of a study's tables."""
    margin_pp, looks = summary.margin_pp, teacher_looks(summary)
    parts_reach = reach((part.effect for part in ensemble.parts), margin_pp)
    teachers_reach = reach((each.learned_minus for each in ensemble.teachers), margin_pp)
    return TeachersAnswer(
        parts=tuple(
            PartRow(
                part,
                PARTS[part.part],
                COMPANY[part.part, part.lacking],
                interval_bar(part.effect, margin_pp, parts_reach),
            )
            for part in ensemble.parts
        ),
        teachers=tuple(
            TeacherRow(
                each,
                swatch(looks[each.name]),
                interval_bar(each.learned_minus, margin_pp, teachers_reach),
            )
            for each in ensemble.teachers
        ),
        has_many_ensembles=len({each.ensemble for each in ensemble.teachers}) > 1,
    )
