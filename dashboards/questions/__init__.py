"""What a report and the terminal open with, by the study's question: one module a question."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from rich.table import Table

from dashboards.questions import (
    gap,
    grid_vs_meta,
    learning_to_teach,
    several_teachers,
    start_range,
    transfer,
)
from dashboards.questions.elements import Opening
from dashboards.terminal import usual_tables
from metakd.analysis.summary import Summary


class Question(NamedTuple):
    """How one question is answered.

    Attributes:
        opening: Returns what its report opens with.
        tables: Returns the tables in the terminal.
        figures: The figures that come before all others.
    """

    opening: Callable[[Summary], Opening]
    tables: Callable[[Summary], list[Table]] = usual_tables
    figures: tuple[str, ...] = ()


QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "grid_vs_meta": Question(grid_vs_meta.opening),
        "teacher_gap": Question(gap.opening, gap.tables, ("teachers",)),
        "augmentation_gap": Question(gap.opening, gap.tables, ("augmentations",)),
        "transfer": Question(transfer.opening, transfer.tables, ("transfer",)),
        "start_range": Question(start_range.opening, figures=("starts",)),
        "multi_teacher": Question(
            several_teachers.opening,
            several_teachers.tables,
            ("differences", "weights", "outcomes", "classes"),
        ),
        "learning_to_teach": Question(
            learning_to_teach.opening,
            learning_to_teach.tables,
            ("differences", "teaching", "quizzes"),
        ),
    }
)


def opening(summary: Summary) -> Opening:
    """Returns what the report of a study opens with."""
    return _question(summary).opening(summary)


def tables(summary: Summary) -> list[Table]:
    """Returns the tables of a study in the terminal."""
    return _question(summary).tables(summary)


def first_figures(summary: Summary) -> tuple[str, ...]:
    """Returns the figures that answer a study's question."""
    return _question(summary).figures


def _question(summary: Summary) -> Question:
    return QUESTIONS.get(summary.question, QUESTIONS["grid_vs_meta"])
