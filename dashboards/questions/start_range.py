"""Learned temperatures by their start: what the wrong start costs, kept and learned."""

from markupsafe import Markup

from metakd.analysis.questions.start_range import StartRange
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import NONE, runs
from metakd.dashboards.questions.elements import KeyFigure, Opening, interval_key
from metakd.dashboards.svg import Effect, intervals_plot
from metakd.dashboards.theme import BAD, GOOD, NEUTRAL

TONES = {"forgets": GOOD, "depends less": GOOD, "depends more": BAD}


def opening(summary: Summary) -> Opening:
    """Returns both costs of a wrong start, and what learning loses to the best fixed τ."""
    starts = summary.answer
    if not isinstance(starts, StartRange):
        return Opening()
    return Opening(
        tone=TONES.get(starts.verdict, NEUTRAL),
        drawing=_starts_plot(starts, summary.margin_pp),
        keys=_starts_keys(starts, summary.runs.get("meta")),
        sections=("questions/start_range", "more", "baselines"),
        page="start_range",
        table=starts,
    )


def _starts_plot(starts: StartRange, margin_pp: float) -> Markup | None:
    """Draws what the wrong start costs, kept and learned, and what learning loses."""
    return intervals_plot(
        [
            Effect("grid", "wrong fixed τ", starts.fixed_wrong),
            Effect("meta", "wrong start, learned", starts.learned_wrong),
            Effect("fixed", "best fixed − learned", starts.regret),
        ],
        margin_pp,
        zero="nothing lost",
        axis="points of test accuracy that it costs",
        about="Points of test accuracy lost",
    )


def _starts_keys(starts: StartRange, learned_runs: float | None) -> tuple[KeyFigure, ...]:
    """Returns both costs of a wrong start, what learning loses, and what a learned run takes."""
    shrunk, unit = NONE, ""
    if starts.wide_settings:
        shrunk = f"{starts.forgetting_settings} of {starts.wide_settings}"
        unit = "setting" if starts.wide_settings == 1 else "settings"
    cost = "no measured cost"
    if learned_runs is not None:
        cost = f"a learned run takes {runs(learned_runs)} fixed ones"
    return (
        interval_key("A wrong fixed temperature costs", starts.fixed_wrong),
        interval_key("A wrong start, learned, costs", starts.learned_wrong),
        interval_key("Best fixed minus learned", starts.regret, notes=("mean over starts",)),
        KeyFigure("Range shrunk to a quarter", shrunk, unit, cost),
    )
