"""How accuracy responds to a fixed temperature, and where the learned one ended."""

from dashboards.figures.figure import Figure, Trace, base_layout
from dashboards.figures.panels import Panel, lay_out
from dashboards.numbers import between, plain, tau
from dashboards.theme import LOOKS
from metakd.analysis.curves import ResponseCurve
from metakd.analysis.summary import Summary


def responses_title(curves: tuple[ResponseCurve, ...]) -> str:
    """Says over what range the best fixed temperature moves from setting to setting."""
    best = sorted({curve.best_tau for curve in curves if curve.best_tau is not None})
    if not best:
        return "Accuracy against a fixed temperature"
    if len(best) == 1:
        where = "everywhere" if len(curves) > 1 else "here"
        return f"Of the grid, τ = {best[0]:g} is best on validation {where}"
    return f"The best fixed temperature moves from {best[0]:g} to {best[-1]:g} between settings"


def responses_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None without a grid of two temperatures."""
    curves = tuple(curve for curve in summary.responses if len(curve.taus) > 1)
    if not curves:
        return None
    panels, layout, height = lay_out(
        summary.settings,
        [curve.key for curve in curves],
        x={
            "name": "temperature τ",
            "type": "log",
            "tickvals": list(summary.temperatures),
            "ticktext": [f"{value:g}" for value in summary.temperatures],
            "showgrid": False,
        },
        y={"name": "test, %"},
    )
    by_key = {curve.key: curve for curve in curves}
    traces = [
        trace
        for index, panel in enumerate(panels)
        for trace in _traces(by_key[panel.key], panel, named=index == 0)
    ]
    return Figure(
        id="responses",
        title=responses_title(curves),
        subtitle="Mean test accuracy at each fixed temperature with its 95 % band. The diamond is "
        "the learned student temperature at the end of training; the ring is validation's choice.",
        traces=tuple(traces),
        layout=base_layout(**layout),
        height_px=height,
        columns=("setting", "τ", "test, %", "95 % interval"),
        rows=tuple(
            (curve.key, tau(t), plain(mean), between(low, high).replace("+", ""))
            for curve in curves
            for t, mean, low, high in zip(
                curve.taus, curve.mean_pp, curve.low_pp, curve.high_pp, strict=True
            )
        )
        + tuple(
            (curve.key, f"learned {tau(curve.learned_tau_s)}", plain(curve.learned_pp), "–")
            for curve in curves
            if curve.learned_pp is not None
        ),
        foot="Bands are of each mean by itself, over seeds; differences between strategies are "
        "paired and far sharper (figure 1).",
    )


def _traces(curve: ResponseCurve, panel: Panel, named: bool) -> list[Trace]:
    place = {"xaxis": panel.x, "yaxis": panel.y, "type": "scatter"}
    grid, learned = LOOKS["grid"], LOOKS["meta"]
    traces: list[Trace] = []
    banded = [
        (t, low, high)
        for t, low, high in zip(curve.taus, curve.low_pp, curve.high_pp, strict=True)
        if low is not None and high is not None
    ]
    if banded:
        there, lows, highs = zip(*banded, strict=True)
        traces.append(
            {
                **place,
                "mode": "lines",
                "x": [*there, *reversed(there)],
                "y": [*highs, *reversed(lows)],
                "fill": "toself",
                "fillcolor": "@grid-soft",
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    traces.append(
        {
            **place,
            "mode": "lines+markers",
            "name": "fixed temperature",
            "legendgroup": "grid",
            "showlegend": named,
            "x": list(curve.taus),
            "y": list(curve.mean_pp),
            "marker": {
                "color": grid.colour,
                "size": [11 if t == curve.best_tau else 6 for t in curve.taus],
                "symbol": ["circle-open" if t == curve.best_tau else "circle" for t in curve.taus],
            },
            "line": {"color": grid.colour, "width": 2},
            "hovertemplate": "τ = %{x:g}: %{y:.2f} %<extra></extra>",
        }
    )
    if curve.learned_pp is not None and curve.learned_tau_s is not None:
        traces.append(
            {
                **place,
                "mode": "markers",
                "name": "learned, at its final τ_s",
                "legendgroup": "meta",
                "showlegend": named,
                "x": [curve.learned_tau_s],
                "y": [curve.learned_pp],
                "marker": {"color": learned.colour, "size": 11, "symbol": learned.symbol},
                "hovertemplate": "learned τ_s = %{x:.2f}: %{y:.2f} %<extra></extra>",
            }
        )
    return traces
