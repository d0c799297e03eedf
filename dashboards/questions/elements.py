"""What a report opens with: a tone, a drawing, key figures under the verdict, and a table."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from metakd.analysis.comparison import Comparison, main_comparison, no_data
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start
from metakd.dashboards.formats import NONE, between, costs, factor, level, sides_of, signed
from metakd.dashboards.theme import NEUTRAL
from metakd.strategies import label_of

BASELINES = {"full_grid": "the full grid", "no_search": "no search"}


@dataclass(frozen=True)
class KeyFigure:
    """A number with its unit, what it is, and a line that explains it."""

    label: str
    number: str
    unit: str
    note: str


@dataclass(frozen=True)
class Opening:
    """How a report opens; the defaults are of a study without data.

    Attributes:
        tone: Of the verdict's badge.
        drawing: Beside the verdict.
        keys: The numbers under it.
        sections: Templates in ``page`` between the verdict and the evidence, in order.
        page: Its own template in ``page/questions``, with its methods beside it; "" for none.
        table: What that template shows.
        chosen: What validation chooses, in words.
    """

    tone: str = NEUTRAL
    drawing: Markup | None = None
    keys: tuple[KeyFigure, ...] = ()
    sections: tuple[str, ...] = ("more", "baselines")
    page: str = ""
    table: object = None
    chosen: str = ", the grid’s best temperature and the selected epoch,"


def headline_comparison(summary: Summary) -> Comparison:
    """Returns the comparison that the verdict is about, as the verdict chooses it."""
    if not QUESTIONS[summary.question].is_about_temperatures:
        main = main_comparison(summary.baselines, summary.baseline)
        return main or no_data(summary.baseline, summary.baseline)
    found = {comparison.baseline: comparison for comparison in summary.comparisons}
    known = [found[name] for name in BASELINES if found[name].accuracy_verdict != "no data"]
    return known[0] if known else found["full_grid"]


def difference_key(comparison: Comparison, question: str = "") -> KeyFigure:
    """Returns the learner minus a baseline."""
    effect = comparison.effect
    note = "no complete pair of a learned and a baseline run"
    if effect.mean_pp is not None:
        note = f"no interval: {effect.method}" if effect.low_pp is None else interval_words(effect)
    unit = "points" if effect.mean_pp is not None else ""
    label = f"Against {_baseline(comparison, question)}"
    return KeyFigure(label, signed(effect.mean_pp), unit, note)


def interval_key(label: str, effect: Interval, notes: Iterable[str] = ()) -> KeyFigure:
    """Returns an effect with its interval, and further notes."""
    if effect.mean_pp is None:
        return KeyFigure(label, NONE, "", effect.method)
    # Not to be broken in the middle.
    bounds = "no interval" if effect.low_pp is None else interval_words(effect, space="\u00a0")
    note = "; ".join([bounds, *(note for note in notes if note)])
    return KeyFigure(label, signed(effect.mean_pp), "points", note)


def interval_words(effect: Interval, space: str = " ") -> str:
    """Returns "95 % interval [−0.09, +0.39]", with this space inside the brackets."""
    bounds = between(effect.low_pp, effect.high_pp).replace(" ", space)
    return f"{level(effect)} interval {bounds}"


def compute_key(comparison: Comparison, question: str = "") -> KeyFigure:
    """Returns what learning costs against a baseline."""
    known = costs(comparison)
    note = f"{known} of {_baseline(comparison, question)}" if known else "no measured cost"
    match comparison.cost_verdict:
        case "cheaper":
            return KeyFigure("Compute", factor(comparison.cost_factor), "less", note)
        case "dearer":
            return KeyFigure("Compute", factor(comparison.cost_factor), "more", note)
        case "same" | "mixed" as verdict:
            return KeyFigure("Compute", at_start(verdict), "", note)
        case _:
            return KeyFigure("Compute", NONE, "", note)


def settings_key(summary: Summary) -> KeyFigure:
    """Returns how many settings are ahead, without a clear gap and behind."""
    counts, sides = summary.counts, sides_of(summary)
    if not counts.paired:
        note = f"none has a {sides.learned} and a {sides.baseline} result yet"
        return KeyFigure("Settings", NONE, "", note)
    return KeyFigure(
        "Settings",
        f"{counts.ahead} · {counts.no_clear_gap} · {counts.behind}",
        "",
        f"{sides.learned} ahead · no clear gap · {sides.baseline} ahead",
    )


def _baseline(comparison: Comparison, question: str) -> str:
    return BASELINES.get(comparison.baseline) or label_of(comparison.baseline, question)
