"""The four numbers under the verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

from dashboards.contest_words import contest_words
from dashboards.numbers import NONE, between, level, signed
from dashboards.tones import factor
from metakd.analysis.comparison import no_data
from metakd.analysis.contest import CONTENDERS, SINGLE
from metakd.analysis.contest_answers import LearningTeacher
from metakd.analysis.intervals import Interval
from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Comparison, Summary
from metakd.analysis.verdict_contest import main_comparison

RIVALS = {"full_grid": "the full grid", "no_search": "no search"}


@dataclass(frozen=True)
class KeyFigure:
    """A number with its unit, what it is, and a line that explains it."""

    label: str
    number: str
    unit: str
    note: str


def key_figures(summary: Summary) -> tuple[KeyFigure, ...]:
    """Returns difference, compute, settings by their claim, and what a reused temperature costs."""
    main = deciding(summary)
    return _difference(main, ""), compute_key(main), _settings(summary), _reuse(summary)


def contest_key_figures(summary: Summary) -> tuple[KeyFigure, ...]:
    """Returns the difference to the main rival, compute, settings, and what else is asked.

    That is the difference to the best single teacher, or what became of a teacher that learned.
    """
    main = deciding(summary)
    found = [_difference(main, summary.question)]
    single = main_comparison(summary.rivals, SINGLE)
    if single is not None and main.rival != SINGLE:
        found.append(_difference(single, summary.question))
    teachers = summary.teaching.teachers if summary.teaching else ()
    found += [_own(each) for each in teachers if each.strategy == summary.protagonist]
    return *found, compute_key(main, summary.question), _settings(summary)


def deciding(summary: Summary) -> Comparison:
    """Returns the comparison that the verdict is about, as the verdict chooses it."""
    if summary.question in CONTENDERS:
        main = main_comparison(summary.rivals, summary.main_rival)
        return main or no_data(summary.main_rival, summary.main_rival)
    by_rival = {comparison.rival: comparison for comparison in summary.comparisons}
    known = [by_rival[name] for name in RIVALS if by_rival[name].accuracy_verdict != "no data"]
    return known[0] if known else by_rival["full_grid"]


def _difference(main: Comparison, question: str) -> KeyFigure:
    effect = main.effect
    if effect.mean_pp is None:
        note = "no complete pair of a learned and a rival run"
    elif effect.low_pp is None:
        note = f"no interval: {effect.method}"
    else:
        note = f"{level(effect)} interval {between(effect.low_pp, effect.high_pp)}"
    unit = "points" if effect.mean_pp is not None else ""
    return KeyFigure(f"Against {_rival(main, question)}", signed(effect.mean_pp), unit, note)


def _own(teacher: LearningTeacher) -> KeyFigure:
    change = teacher.change
    if change.mean_pp is None:
        note = "unknown before"
    elif change.low_pp is None:
        note = f"no interval: {change.method}"
    else:
        note = (
            f"from before to after, {level(change)} interval "
            f"{between(change.low_pp, change.high_pp)}"
        )
    unit = "points" if change.mean_pp is not None else ""
    return KeyFigure("The teacher’s own accuracy", signed(change.mean_pp), unit, note)


def interval_key(label: str, effect: Interval, notes: Iterable[str] = ()) -> KeyFigure:
    """Returns an effect with its interval, and what else is to be noted."""
    shown = [note for note in notes if note]
    if effect.mean_pp is None:
        return KeyFigure(label, NONE, "", effect.method)
    bounds = (
        "no interval"
        if effect.low_pp is None
        else f"{level(effect)} interval "
        # Not to be broken in the middle.
        + between(effect.low_pp, effect.high_pp).replace(" ", "\u00a0")
    )
    return KeyFigure(label, signed(effect.mean_pp), "points", "; ".join([bounds, *shown]))


def compute_key(main: Comparison, question: str = "") -> KeyFigure:
    """Returns what learning costs against a rival."""
    ratios = {"in student steps": main.cost_ratio_steps, "in seconds": main.cost_ratio_seconds}
    one_run = "One run" if main.rival in RIVALS else at_start(_rival(main, question))
    rival = "The grid" if main.rival == "full_grid" else one_run
    known = [f"{factor(ratio)} {what}" for what, ratio in ratios.items() if ratio is not None]
    note = f"{rival} costs {' and '.join(known)}" if known else "no measured cost"
    match main.cost_verdict:
        case "cheaper":
            return KeyFigure("Compute", factor(main.cost_factor), "less", note)
        case "dearer":
            return KeyFigure("Compute", factor(main.cost_factor), "more", note)
        case "same":
            return KeyFigure("Compute", "Same", "", note)
        case "mixed":
            return KeyFigure("Compute", "Mixed", "", note)
        case _:
            return KeyFigure("Compute", NONE, "", note)


def _rival(main: Comparison, question: str) -> str:
    return RIVALS.get(main.rival) or strategy_name(main.rival, question)


def _settings(summary: Summary) -> KeyFigure:
    counts, words = summary.counts, contest_words(summary)
    if not counts.paired:
        note = f"none has a {words.learned} and a {words.rival} result yet"
        return KeyFigure("Settings", NONE, "", note)
    return KeyFigure(
        "Settings",
        f"{counts.ahead} · {counts.no_clear_gap} · {counts.behind}",
        "",
        f"{words.learned} ahead · no clear gap · {words.rival} ahead",
    )


def _reuse(summary: Summary) -> KeyFigure:
    label, transfer, reuse = "If τ is reused elsewhere", summary.transfer, summary.reuse
    if transfer is None or transfer.mean_pp is None or reuse is None:
        return KeyFigure(label, NONE, "", "needs a grid in two settings or more")
    note = f"average over all moves; the worst {signed(-reuse.moves[0].worst_pp)}"
    return KeyFigure(label, signed(-transfer.mean_pp), "points", note)
