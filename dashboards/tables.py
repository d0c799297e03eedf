"""A study's results as tables: CSV for other programs, LaTeX (booktabs) for papers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow.csv

from metakd.analysis.comparison import Comparison
from metakd.analysis.settings import SettingResult
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start
from metakd.atomic import new_file
from metakd.dashboards.formats import NONE, effect, plain
from metakd.results.reader import read_trials
from metakd.results.searches import SETTING
from metakd.strategies import label_of

LATEX = {
    **{sign: f"\\{sign}" for sign in "#$%&_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"τ": r"$\tau$", "α": r"$\alpha$", "−": "$-$", "±": r"$\pm$", "×": r"$\times$"},
    **{"·": r"$\cdot$", "→": r"$\to$", "–": "--"},
}

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """One table; a cell without a value is None.

    Attributes:
        name: Of its file.
        head: Names of its columns.
        rows: A cell for each column.
        caption: What stands below it in a paper.
    """

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


def export_tables(
    out: Path, summary: Summary, folder: Path, format: Literal["csv", "latex"]
) -> list[Path]:
    """Writes a study's tables, and returns the files.

    Args:
        out: The study's folder.
        summary: What the study found.
        folder: Where to write; made if it is not there.
        format: "csv": numbers as they are, of every trial, too. "latex": rounded, for papers.

    Raises:
        StoreError: If the trials cannot be read.
    """
    if format == "latex":
        papers = (results_table(summary), differences_table(summary))
        contents = {f"{table.name}.tex": latex_of(table).encode() for table in papers}
    else:
        tables = (scores(summary), differences(summary))
        contents = {f"{table.name}.csv": csv_of(table).encode() for table in tables}
        trials = io.BytesIO()
        pyarrow.csv.write_csv(read_trials(out), trials)
        contents["trials.csv"] = trials.getvalue()
    for name, content in contents.items():
        with new_file(folder / name) as draft:
            draft.write_bytes(content)
    return [folder / name for name in contents]


def scores(summary: Summary) -> Table:
    """Returns what each strategy reached in each setting: a row each, accuracies in %."""
    columns = ("strategy", "seeds", "test_pp", "test_selected_pp", "sem_pp", "runs")
    rows = tuple(
        (
            *(getattr(setting, name) for name in SETTING),
            *(getattr(score, name) for name in columns),
        )
        for setting in summary.settings
        for score in setting.scores
    )
    return Table("scores", (*SETTING, *columns), rows)


def differences(summary: Summary) -> Table:
    """Returns the learner minus each other strategy, in points, as a whole and by setting."""
    head = ("of", "minus", "setting", "mean_pp", "low_pp", "high_pp", "level", "p_holm", "verdict")
    of = summary.learner
    compared: list[tuple[str, Comparison, float | None]] = [
        (each.baseline, each, None) for each in summary.comparisons
    ]
    compared += [(each.strategy, each.overall, each.p_holm) for each in summary.baselines]
    overall = [
        (of, name, None, *_ends(each.effect), p_holm, each.accuracy_verdict)
        for name, each, p_holm in compared
    ]
    by_setting = [
        (of, summary.baseline, each.key, *_ends(each.versus_baseline), each.p_holm, each.verdict)
        for each in summary.settings
    ]
    return Table("differences", head, (*overall, *by_setting))


def results_table(summary: Summary) -> Table:
    """Returns settings by strategies: test accuracy in %, ± its standard error over seeds."""
    found = {score.strategy for setting in summary.settings for score in setting.scores}
    shown = tuple(name for name in summary.strategies if name in found)
    rows = [
        (setting.key, *(_score(setting, strategy) for strategy in shown))
        for setting in summary.settings
    ]
    if len(rows) > 1:
        # Of a search, the last of its points is its whole budget.
        mean_pp = {point.strategy: point.test_pp for point in summary.costs}
        rows.append(("mean", *(plain(mean_pp.get(strategy)) for strategy in shown)))
    caption = "Test accuracy in % at the last epoch, mean ± standard error over seeds. " + "".join(
        summary.basics.sentences[:1]
    )
    head = ("setting", *(label_of(name, summary.question) for name in shown))
    return Table("results", head, tuple(rows), caption)


def differences_table(summary: Summary) -> Table:
    """Returns the learner minus each other strategy over all settings, as the report has it."""
    compared = [(each.label, each) for each in summary.comparisons]
    compared += [
        (at_start(label_of(each.strategy, summary.question)), each.overall)
        for each in summary.baselines
    ]
    rows = tuple((name, effect(each.effect), each.accuracy_verdict) for name, each in compared)
    learner = at_start(label_of(summary.learner, summary.question))
    caption = (
        f"{learner} minus each other strategy in points of test accuracy, paired by setting and "
        f"seed, over {len(summary.settings)} settings; margin ±{summary.margin_pp:.2f}. "
        f"{summary.verdict.headline}"
    )
    return Table("comparisons", (f"{learner} minus", "points", "verdict"), rows, caption)


def csv_of(table: Table) -> str:
    """Returns a table as CSV, empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows(table.rows)
    return text.getvalue()


def latex_of(table: Table) -> str:
    """Returns a table as LaTeX; it needs the package booktabs."""
    columns = "l" + "r" * (len(table.head) - 1)
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _latex_row(table.head),
        r"\midrule",
        *map(_latex_row, table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{_latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: Sequence[Cell]) -> str:
    return " & ".join(_latex(NONE if cell is None else str(cell)) for cell in cells) + r" \\"


def _latex(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)


def _ends(interval: Interval) -> tuple[Cell, ...]:
    return interval.mean_pp, interval.low_pp, interval.high_pp, interval.level


def _score(setting: SettingResult, strategy: str) -> str | None:
    score = next((score for score in setting.scores if score.strategy == strategy), None)
    if score is None:
        return None
    return plain(score.test_pp) + ("" if score.sem_pp is None else f" ± {plain(score.sem_pp)}")
