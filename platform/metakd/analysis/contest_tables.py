"""The tables in the terminal that answer a study with a protagonist of its own."""

from collections.abc import Iterable, Mapping
from textwrap import wrap

from rich import box
from rich.table import Table
from rich.text import Text

from metakd.analysis.contest import CONTENDERS, SINGLE
from metakd.analysis.contest_answers import ContestAnswer, Ensemble, Teaching
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
SHOWN = ("ce", SINGLE, "meta")
HEADERS = {
    "ce": "CE",
    SINGLE: "best single",
    "mean_losses": "mean losses",
    "fixed": "fixed",
    "meta": "learned τ",
}


def tables_of_contest(summary: Summary) -> tuple[Table, ...]:
    """Returns one row a strategy, then one a single teacher, then one a setting.

    None without rows, and none at all of a question without a protagonist of its own.
    """
    answer = summary.ensemble or summary.teaching
    if answer is None:
        return ()
    own = {} if summary.teaching is None else own_accuracies(summary, summary.teaching)
    found = [strategies_table(summary, answer, own)]
    if summary.ensemble is not None:
        found.append(single_teachers_table(summary, summary.ensemble))
    found.append(settings_of_contest_table(summary))
    return tuple(table for table in found if table.row_count)


def own_accuracies(summary: Summary, teaching: Teaching) -> dict[str, float | None]:
    """Returns the teacher's own test accuracy in % after training, by strategy that has one."""
    changed = {teacher.strategy: teacher.test.mean_pp for teacher in teaching.teachers}
    learners = CONTENDERS[summary.question].learners
    return {
        name: changed.get(name) if name in learners else teaching.before_pp
        for name in summary.strategies
        if name != "ce"
    }


def strategies_table(
    summary: Summary, answer: ContestAnswer, own: Mapping[str, float | None]
) -> Table:
    """Returns test accuracy in %, cost in plain runs and the protagonist minus each in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of strategies.

    Args:
        summary: The study.
        answer: What it answers beside its comparisons.
        own: The teacher's own test accuracy by strategy, if that is a question.
    """
    teacher = ("its teacher",) if own else ()
    headers = ("test", *teacher, "runs charged", f"{summary.protagonist} − it")
    table = _table("strategy", *headers)
    for header in ("verdict", "clear gap"):
        table.add_column(header, no_wrap=True)
    rows = [rival_cells(rival) for rival in summary.rivals]
    if summary.protagonist in summary.strategies:
        reached = (number(answer.test_pp), number(answer.runs_charged))
        rows.insert(0, (summary.protagonist, *reached, "", "", ""))
    names = [summary.protagonist, *(rival.strategy for rival in summary.rivals)][-len(rows) :]
    for name, (first, test, *rest) in zip(names, rows, strict=True):
        _add(table, (first, test, *(number(own.get(name)) for _ in teacher), *rest))
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


def settings_of_contest_table(summary: Summary) -> Table:
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
