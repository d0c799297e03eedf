"""What a report and the terminal open with, by the study's question: one module a question."""

from collections.abc import Callable
from typing import NamedTuple

from rich.table import Table

from metakd.analysis.summary import Summary
from metakd.dashboards.questions import (
    gap,
    grid_vs_meta,
    learning_to_teach,
    multi_teacher,
    start_range,
    transfer,
)
from metakd.dashboards.questions.elements import Opening
from metakd.dashboards.terminal import usual_tables


class Page(NamedTuple):
    """How one question is shown.

    Attributes:
        opening: Returns what its report opens with.
        tables: Returns the tables in the terminal.
        figures: The figures that come before all others.
    """

    opening: Callable[[Summary], Opening]
    tables: Callable[[Summary], list[Table]] = usual_tables
    figures: tuple[str, ...] = ()


PAGES: dict[str, Page] = {
    "grid_vs_meta": Page(grid_vs_meta.opening),
    "teacher_gap": Page(gap.opening, gap.tables, ("teachers",)),
    "augmentation_gap": Page(gap.opening, gap.tables, ("augmentations",)),
    "transfer": Page(transfer.opening, transfer.tables, ("transfer",)),
    "start_range": Page(start_range.opening, figures=("starts",)),
    "multi_teacher": Page(
        multi_teacher.opening,
        multi_teacher.tables,
        ("differences", "weights", "outcomes", "classes"),
    ),
    "learning_to_teach": Page(
        learning_to_teach.opening,
        learning_to_teach.tables,
        ("differences", "teaching", "quizzes"),
    ),
}


def opening(summary: Summary) -> Opening:
    """Returns what the report of a study opens with."""
    return _page(summary).opening(summary)


def tables(summary: Summary) -> list[Table]:
    """Returns the tables of a study in the terminal."""
    return _page(summary).tables(summary)


def first_figures(summary: Summary) -> tuple[str, ...]:
    """Returns the figures that answer a study's question."""
    return _page(summary).figures


def _page(summary: Summary) -> Page:
    return PAGES.get(summary.question, PAGES["grid_vs_meta"])
