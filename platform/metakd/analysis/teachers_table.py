"""The tables in the terminal that answer a study of several teachers."""

from collections.abc import Iterable
from textwrap import wrap

from rich import box
from rich.table import Table
from rich.text import Text

from metakd.analysis.contest import SINGLE
from metakd.analysis.ensemble_answers import Ensemble
from metakd.analysis.summary import Summary
from metakd.analysis.terminal import (
    CLEAR_GAPS,
    KEY_WIDTH,
    NONE,
    accuracy,
    difference,
    number,
    rival_cells,
)

# What else the table of settings shows of a study that ran it.
SHOWN = ("ce", SINGLE)
HEADERS = {"ce": "CE", SINGLE: "best single", "mean_losses": "mean losses"}


def tables_of_teachers(summary: Summary, ensemble: Ensemble) -> tuple[Table, ...]:
    """Returns one row a strategy, then one a teacher, then one a setting; none without rows."""
    found = (
        strategies_table(summary, ensemble),
        single_teachers_table(summary, ensemble),
        settings_of_teachers_table(summary),
    )
    return tuple(table for table in found if table.row_count)


def strategies_table(summary: Summary, ensemble: Ensemble) -> Table:
    """Returns test accuracy in %, cost in plain runs and the protagonist minus each in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of strategies.
    """
    table = _table("strategy", "test", "runs charged", f"{summary.protagonist} − it")
    for header in ("verdict", "clear gap"):
        table.add_column(header, no_wrap=True)
    if summary.protagonist in summary.strategies:
        own = (number(ensemble.test_pp), number(ensemble.runs_charged))
        _add(table, (summary.protagonist, *own, "", "", ""))
    for rival in summary.rivals:
        _add(table, rival_cells(rival))
    return table


def single_teachers_table(summary: Summary, ensemble: Ensemble) -> Table:
    """Returns for each teacher its own test accuracy and its student's, with their intervals."""
    table = _table("teacher", "parameters", "its test", "student alone", "chosen")
    table.add_column(Text(f"{summary.protagonist} − it"), justify="right", no_wrap=True)
    many = len({teacher.ensemble for teacher in ensemble.teachers}) > 1
    for teacher in ensemble.teachers:
        name = f"{teacher.name} of {teacher.ensemble}" if many else teacher.name
        cells = (
            "\n".join(wrap(name, KEY_WIDTH)),
            NONE if teacher.parameters is None else f"{teacher.parameters:,}",
            number(teacher.own_test_pp),
            difference(teacher.student).replace("+", ""),
            NONE if teacher.chosen is None else f"{100 * teacher.chosen:.0f} %",
            difference(teacher.learned_minus),
        )
        _add(table, cells)
    return table


def settings_of_teachers_table(summary: Summary) -> Table:
    """Returns test accuracies in % by setting, and the protagonist minus its main rival."""
    learner, rival = summary.protagonist, summary.main_rival
    shown = [*(n for n in SHOWN if n in summary.strategies and n != rival), rival, learner]
    names = [HEADERS.get(name, name) for name in shown]
    minus = f"{learner} − {HEADERS.get(rival, rival)}"
    table = _table("setting", "n train", *names, minus)
    table.add_column("clear gap", no_wrap=True)
    for setting in summary.settings:
        scores = {score.strategy: score for score in setting.scores}
        cells = (
            "\n".join(wrap(setting.key, KEY_WIDTH)),
            str(setting.train_samples),
            *(accuracy(scores.get(name)) for name in shown),
            difference(setting.versus_main),
            CLEAR_GAPS[setting.claim] if setting.p_holm is not None else NONE,
        )
        _add(table, cells)
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for header in numbers:
        table.add_column(Text(header), justify="right", no_wrap=True)
    return table


def _add(table: Table, cells: Iterable[str]) -> None:
    table.add_row(*(Text(cell) for cell in cells))
