"""A summary in the terminal."""

from textwrap import wrap

from rich import box
from rich.table import Table
from rich.text import Text

from metakd.analysis.contest import CONTENDERS
from metakd.analysis.intervals import Interval
from metakd.analysis.summary import Rival, SettingResult, StrategyScore, Summary
from metakd.analysis.wording import signed_pp

WIDTH = 100
# Usual keys stay on one line; long ones take more lines, not the room of the numbers.
KEY_WIDTH = 18
NONE = "–"
CLEAR_GAPS = {"ahead": "ahead", "behind": "behind", "no clear gap": "none"}


def verdict_lines(summary: Summary) -> list[str]:
    """Returns the headline and its sentences, wrapped at 100 columns."""
    verdict = summary.verdict
    paragraphs = (f"{verdict.badge}. {verdict.headline}", *verdict.sentences)
    return [line for paragraph in paragraphs for line in wrap(paragraph, WIDTH)]


def settings_table(summary: Summary) -> Table:
    """Returns one row for each setting: test accuracies in %, learned minus grid in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of settings.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("setting", no_wrap=True)
    headers = (
        "n train",
        "CE",
        f"τ={summary.fixed_tau:g}",
        "grid (τ)",
        "learned (τs, τt)",
        "learned − grid",
    )
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("clear gap", no_wrap=True)
    for setting in summary.settings:
        table.add_row(*(Text(cell) for cell in _cells(setting)))
    return table


def rivals_table(summary: Summary) -> Table | None:
    """Returns one row for each strategy beside grid and default, over all settings.

    Test accuracy in %, cost in plain runs, learned minus it in points, how that is judged by
    itself, and whether it holds after Holm's correction for the number of rows. None where the
    study asks for no such strategy, or where its question has a table of all.
    """
    if not summary.rivals or summary.question in CONTENDERS:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("strategy", no_wrap=True)
    for header in ("test", "runs charged", "learned − it"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("verdict", "clear gap"):
        table.add_column(header, no_wrap=True)
    for rival in summary.rivals:
        table.add_row(*(Text(cell) for cell in rival_cells(rival)))
    return table


def rival_cells(rival: Rival) -> tuple[str, ...]:
    """Returns a rival's row: name, test, runs charged, difference, verdict, clear gap."""
    return (
        "\n".join(wrap(rival.strategy, KEY_WIDTH)),
        number(rival.test_pp),
        number(rival.runs_charged),
        difference(rival.overall.effect),
        rival.overall.accuracy_verdict,
        CLEAR_GAPS[rival.claim] if rival.p_holm is not None else NONE,
    )


def number(value: float | None) -> str:
    """Returns two decimals, or a dash for None."""
    return NONE if value is None else f"{value:.2f}"


def _cells(setting: SettingResult) -> tuple[str, ...]:
    scores = {score.strategy: score for score in setting.scores}
    return (
        "\n".join(wrap(setting.key, KEY_WIDTH)),
        str(setting.train_samples),
        accuracy(scores.get("ce")),
        accuracy(scores.get("fixed")),
        accuracy(scores.get("grid"), setting.best_tau),
        accuracy(scores.get("meta"), setting.learned_tau_s, setting.learned_tau_t),
        difference(setting.versus_main),
        CLEAR_GAPS[setting.claim] if setting.p_holm is not None else NONE,
    )


def accuracy(score: StrategyScore | None, *taus: float | None) -> str:
    """Returns "91.20", with the temperatures that are known behind it."""
    if score is None:
        return NONE
    known = ", ".join(f"{tau:.3g}" for tau in taus if tau is not None)
    return f"{score.test_pp:.2f}" + (f" ({known})" if known else "")


def difference(interval: Interval) -> str:
    """Returns "+0.15 [−0.09, +0.39]"."""
    if interval.mean_pp is None:
        return NONE
    if interval.low_pp is None or interval.high_pp is None:
        return signed_pp(interval.mean_pp)
    bounds = f"[{signed_pp(interval.low_pp)}, {signed_pp(interval.high_pp)}]"
    return f"{signed_pp(interval.mean_pp)} {bounds}"
