"""A study in the terminal: its verdict in words, and the tables that every question has."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metakd.analysis.comparison import Baseline
from metakd.analysis.settings import SettingResult, StrategyScore
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import NONE, effect, plain, runs

WIDTH = 100
# Usual keys stay on one line; long ones take more lines, not the room of the numbers.
KEY_WIDTH = 18
CLEAR_GAPS = {"ahead": "ahead", "behind": "behind", "no clear gap": "none"}


def print_verdict(console: Console, summary: Summary, tables: Iterable[Table]) -> None:
    """Prints what is to be known first, the verdict, and then the question's tables."""
    for lines in (basics_lines(summary), verdict_lines(summary)):
        console.print()
        for line in lines:
            console.print(line)
    for table in tables:
        console.print()
        console.print(table)


def basics_lines(summary: Summary) -> list[str]:
    """Returns what was studied, whether distillation helps, and warnings, at 100 columns."""
    warnings = (f"Warning: {warning}." for warning in summary.basics.warnings)
    return [
        line
        for paragraph in (*summary.basics.sentences, *warnings)
        for line in wrap(paragraph, WIDTH)
    ]


def verdict_lines(summary: Summary) -> list[str]:
    """Returns the headline and its sentences, wrapped at 100 columns."""
    verdict = summary.verdict
    paragraphs = (f"{verdict.badge}. {verdict.headline}", *verdict.sentences)
    return [line for paragraph in paragraphs for line in wrap(paragraph, WIDTH)]


def usual_tables(summary: Summary) -> list[Table]:
    """Returns the table of settings, and that of further strategies where there are any."""
    return [
        settings_table(summary),
        *([other_strategies_table(summary)] if summary.baselines else []),
    ]


def settings_table(summary: Summary) -> Table:
    """Returns one row for each setting: test accuracies in %, learned minus grid in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of settings.
    """
    numbers = (
        *("n train", "CE", f"τ={summary.fixed_tau:g}", "grid (τ)", "learned (τs, τt)"),
        "learned − grid",
    )
    return new_table("setting", numbers, map(_setting_cells, summary.settings), ["clear gap"])


def other_strategies_table(summary: Summary) -> Table:
    """Returns one row for each strategy beside grid and default, over all settings.

    Test accuracy in %, cost in plain runs, learned minus it in points, how that is judged by
    itself, and whether it holds after Holm's correction for the number of rows.
    """
    numbers = ("test", "runs charged", "learned − it")
    return new_table(
        "strategy", numbers, map(strategy_cells, summary.baselines), ["verdict", "clear gap"]
    )


def new_table(
    first: str, numbers: Iterable[str], rows: Iterable[Sequence[str]], words: Iterable[str] = ()
) -> Table:
    """Returns a table: a first column of words, columns of numbers, further columns of words.

    Args:
        first: Head of the first column.
        numbers: Heads of the columns that are aligned to the right.
        rows: A cell for each column.
        words: Heads of the last columns.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(Text(first), no_wrap=True)
    for header in numbers:
        table.add_column(Text(header), justify="right", no_wrap=True)
    for header in words:
        table.add_column(Text(header), no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def strategy_cells(baseline: Baseline) -> tuple[str, ...]:
    """Returns a strategy's row: name, test, runs, difference, verdict, clear gap."""
    return (
        wrapped(baseline.strategy),
        plain(baseline.test_pp),
        runs(baseline.overall.baseline_runs),
        effect(baseline.overall.effect),
        baseline.overall.accuracy_verdict,
        CLEAR_GAPS[baseline.claim] if baseline.p_holm is not None else NONE,
    )


def wrapped(key: str, width: int = KEY_WIDTH) -> str:
    """Returns a name, on several lines if it is long."""
    return "\n".join(wrap(key, width))


def _setting_cells(setting: SettingResult) -> tuple[str, ...]:
    scores = {score.strategy: score for score in setting.scores}
    learned = accuracy(scores.get("meta"), setting.learned_tau_s, setting.learned_tau_t)
    return (
        wrapped(setting.key),
        str(setting.train_samples),
        accuracy(scores.get("ce")),
        accuracy(scores.get("fixed")),
        accuracy(scores.get("grid"), setting.best_tau),
        learned,
        effect(setting.versus_baseline),
        clear_gap(setting),
    )


def clear_gap(setting: SettingResult) -> str:
    """Returns a setting's claim, or a dash where it has no test."""
    return CLEAR_GAPS[setting.claim] if setting.p_holm is not None else NONE


def accuracy(score: StrategyScore | None, *taus: float | None) -> str:
    """Returns "91.20", with the temperatures that are known behind it."""
    if score is None:
        return NONE
    known = ", ".join(f"{tau:.3g}" for tau in taus if tau is not None)
    return plain(score.test_pp) + (f" ({known})" if known else "")
