"""The learned temperatures while the student trains."""

import math
from collections.abc import Mapping, Sequence

from metakd.analysis.figures.responses import TauSpans
from metakd.analysis.figures.trajectories import Trajectory
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import Heading, Panel, band, columns_of, lay_out, scatter
from metakd.dashboards.figures.figure import (
    MAX_PANELS,
    Figure,
    Trace,
    evenly,
    left_out,
    points_each,
)
from metakd.dashboards.formats import tau
from metakd.dashboards.theme import own_style
from metakd.strategies import Style

PANEL_PX = 150
TICKS = tuple(2.0**power for power in range(-2, 7))
FEW_EPOCHS = 8
SIDES = {
    "tau_s": Style("student's τ<sub>s</sub>", "@meta", "circle", "solid"),
    "tau_t": Style("teacher's τ<sub>t</sub>", "@plum", "circle", "dash"),
}


def trajectories_title(spans: TauSpans) -> str:
    """Returns the title: how often the learned τ_s ends near the grid's best, or where it ends.

    Args:
        spans: Of a study with learned temperatures.
    """
    if not spans.compared:
        low, high = tau(spans.learned_low), tau(spans.learned_high)
        if low == high:
            return f"The learned student temperature ends at {low}"
        return f"Learned student temperatures end between {low} and {high}"
    within = "within a factor of two of the grid's best"
    if spans.compared == 1:
        where = within if spans.near else "more than a factor of two from the grid's best"
        return f"The learned student temperature ends {where}"
    if spans.near == spans.compared:
        return f"Learned student temperatures end {within} in all {spans.near} settings"
    return f"Learned student temperatures end {within} in {spans.near} of {spans.compared} settings"


def trajectories_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None where nothing was learned."""
    found = {t.key: t for t in summary.trajectories if t.epochs}
    settings = [setting for setting in summary.settings if setting.key in found]
    if not settings:
        return None
    shown = [settings[index] for index in evenly(len(settings), MAX_PANELS)]
    drawn = [found[setting.key] for setting in shown]
    best = {setting.key: setting.best_tau for setting in settings}
    last = max(trajectory.epochs[-1] for trajectory in drawn) + 1
    # Plotly would put names between whole epochs.
    steps = {"dtick": 1} if last < FEW_EPOCHS else {}
    panels, layout, height_px = lay_out(
        [Heading(trajectory.key) for trajectory in drawn],
        columns_of(shown),
        PANEL_PX,
        x={"name": "epoch", "showgrid": False, "range": [0, last * 1.06], **steps},
        y={
            "name": "τ (log)",
            "type": "log",
            "tickvals": list(TICKS),
            "ticktext": [f"{tick:g}" for tick in TICKS],
        },
        ranges=[_reach(drawn, best)] * len(drawn),
    )
    title = trajectories_title(summary.tau_spans)
    has_grid = any(best[trajectory.key] is not None for trajectory in drawn)
    points = points_each(len(SIDES) * len(drawn))
    most = min(points, max(len(trajectory.epochs) for trajectory in drawn))
    return Figure(
        id="trajectories",
        title=title,
        subtitle="Learned temperatures at the end of each epoch: median over seeds, shaded from "
        "the lowest to the highest seed."
        + (" The triangle is the grid's best fixed temperature." if has_grid else ""),
        description=f"{title}. Line plots of temperature over epochs on a log axis for "
        f"{counted(len(drawn), 'setting')}; medians of τ_s end between "
        f"{tau(summary.tau_spans.learned_low)} and {tau(summary.tau_spans.learned_high)}.",
        traces=tuple(
            trace
            for index, (trajectory, panel) in enumerate(zip(drawn, panels, strict=True))
            for trace in _traces(
                trajectory, panel, points, best[trajectory.key], last, index == 0, has_grid
            )
        ),
        layout=layout,
        height_px=height_px,
        columns=(
            "setting", "epochs", "τ_s at the end", "its range", "τ_t at the end", "its range",
            *(["grid's best τ"] if has_grid else []),
        ),
        rows=tuple(
            (
                t.key,
                str(t.epochs[-1] + 1),
                tau(t.tau_s_median[-1]),
                f"{tau(t.tau_s_low[-1])} to {tau(t.tau_s_high[-1])}",
                tau(t.tau_t_median[-1]),
                f"{tau(t.tau_t_low[-1])} to {tau(t.tau_t_high[-1])}",
                *([tau(best[t.key])] if has_grid else []),
            )
            for t in drawn
        ),
        foot="The shade is the range over seeds, no interval. Temperatures are kept in [0.25, 64]."
        + (f" Of {last} epochs {most} are drawn, evenly spread." if most < last else "")
        + left_out(len(drawn), len(settings), "settings", "evenly over the study"),
    )  # fmt: skip


def _traces(
    trajectory: Trajectory,
    panel: Panel,
    points: int,
    best: float | None,
    last: int,
    named: bool,
    has_grid: bool,
) -> list[Trace]:
    kept = evenly(len(trajectory.epochs), points)
    epochs = [trajectory.epochs[index] + 1 for index in kept]
    traces: list[Trace] = []
    for field, style in SIDES.items():
        median, low, high = (
            [getattr(trajectory, f"{field}_{part}")[index] for index in kept]
            for part in ("median", "low", "high")
        )
        line = scatter(
            epochs, median, style, mode="lines" if len(epochs) > 1 else "markers", width=2, size=8,
            hover="epoch %{x}: %{y:.2f}", **panel.place, name=style.name, legendgroup=field,
            showlegend=named,
        )  # fmt: skip
        traces += [*band(panel.place, epochs, low, high, style.soft), line]
    if best is not None or (named and has_grid):
        mark = scatter(
            [last * 1.035], [best], own_style("grid")._replace(symbol="triangle-left"),
            mode="markers", size=10, hover="grid's best: %{y:g}", **panel.place,
            name="grid's best fixed τ", legendgroup="best", showlegend=named, cliponaxis=False,
        )  # fmt: skip
        traces.append(mark)
    return traces


def _reach(drawn: Sequence[Trajectory], best: Mapping[str, float | None]) -> list[float]:
    seen = [
        value
        for t in drawn
        for values in (t.tau_s_low, t.tau_s_high, t.tau_t_low, t.tau_t_high)
        for value in values
    ]
    seen += [chosen for t in drawn if (chosen := best[t.key]) is not None]
    return [math.log10(min(seen)) - 0.06, math.log10(max(seen)) + 0.06]
