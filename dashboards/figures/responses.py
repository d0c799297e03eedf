"""How accuracy responds to a fixed temperature, and where the learned one ended."""

import math
from collections.abc import Sequence

from dashboards.figures.figure import (
    AT_ZERO,
    MAX_PANELS,
    Figure,
    Layout,
    Trace,
    band,
    evenly,
    left_out,
    margin_band,
)
from dashboards.figures.panels import Heading, Panel, columns_of, lay_out
from dashboards.formats import from_to, plain, tau
from dashboards.styles import STYLES
from metakd.analysis.curves import ResponseCurve
from metakd.analysis.findings import TauSpans
from metakd.analysis.summary import SettingResult, Summary
from metakd.analysis.wording import counted

PANEL_PX = 150
MOST_NAMES = 9


def responses_title(spans: TauSpans, settings: int) -> str:
    """Says over what range validation's best fixed temperature moves between settings."""
    low, high = spans.best_low, spans.best_high
    if low is None or high is None:
        return "Accuracy against a fixed temperature"
    if low == high:
        return f"Validation chooses τ = {low:g} {'in every setting' if settings > 1 else 'here'}"
    return f"The best fixed temperature moves from {low:g} to {high:g} between settings"


def responses_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None without a grid of two temperatures and its best."""
    curves = {
        curve.key: curve
        for curve in summary.responses
        if len(curve.taus) > 1 and curve.minus_best_pp
    }
    settings = [setting for setting in summary.settings if setting.key in curves]
    if not settings:
        return None
    shown = [settings[index] for index in evenly(len(settings), MAX_PANELS)]
    drawn = [curves[setting.key] for setting in shown]
    panels, layout, height_px = lay_out(
        [Heading(curve.key) for curve in drawn],
        columns_of(shown),
        PANEL_PX,
        x=tau_axis("temperature τ", summary.temperatures),
        y={"name": "points vs ring", **AT_ZERO},
        ranges=[_reach(curve) for curve in drawn],
    )
    layout["shapes"] = [margin_band(summary.margin_pp, panel.y, panel.x) for panel in panels]
    title = responses_title(summary.tau_spans, len(settings))
    return Figure(
        id="responses",
        title=title,
        subtitle="Test accuracy at each fixed temperature, in points against the one that "
        "validation chooses (ring), with a 95 % band. The diamond is the learned student "
        "temperature at the end of training and what it reached."
        + (" Each row has its own scale." if len(shown) > 1 else ""),
        description=f"{title}. One response curve for each of {counted(len(drawn), 'setting')}, "
        "accuracy against temperature on a log axis.",
        traces=tuple(
            trace
            for index, (curve, setting, panel) in enumerate(zip(drawn, shown, panels, strict=True))
            for trace in _traces(curve, setting, panel, named=index == 0)
        ),
        layout=layout,
        height_px=height_px,
        columns=("setting", *(f"τ = {t:g}, %" for t in summary.temperatures), "learned, %"),
        rows=tuple(
            _cells(curve, setting, summary.temperatures)
            for curve, setting in zip(drawn, shown, strict=True)
        ),
        foot=f"Bands: t interval of each mean by itself, over seeds; differences between "
        "strategies are paired and far sharper (first figure). The shade around 0 is the margin "
        f"of ±{summary.margin_pp:.2f} points."
        + left_out(len(drawn), len(settings), "settings", "evenly over the study"),
    )


def tau_axis(name: str, taus: Sequence[float]) -> Layout:
    """Returns a logarithmic axis of temperatures, with those ticks whose names do not touch."""
    ticks = apart(taus)
    return {
        "name": name,
        "type": "log",
        "tickvals": ticks,
        "ticktext": [f"{value:g}" for value in ticks],
        "showgrid": False,
    }


def apart(taus: Sequence[float]) -> list[float]:
    """Returns the temperatures, in order, whose names do not touch on a log axis."""
    ordered = sorted(taus)
    kept = ordered[:1]
    for value in ordered[1:]:
        if math.log(value / kept[-1]) >= math.log(ordered[-1] / ordered[0]) / MOST_NAMES:
            kept.append(value)
    return kept


def _traces(curve: ResponseCurve, setting: SettingResult, panel: Panel, named: bool) -> list[Trace]:
    grid, learned = STYLES["grid"], STYLES["meta"]
    place: Trace = {**panel.place, "type": "scatter"}
    ends = (curve.low_minus_best_pp, curve.high_minus_best_pp)
    traces = band(panel.place, curve.taus, *ends, grid.soft)
    traces.append(
        {
            **place,
            "mode": "lines+markers",
            "name": "fixed temperature",
            "legendgroup": "grid",
            "legendrank": 1001,
            "showlegend": named,
            "x": list(curve.taus),
            "y": list(curve.minus_best_pp),
            "text": [plain(mean) for mean in curve.mean_pp],
            "marker": {"color": grid.colour, "size": 6, "symbol": grid.symbol},
            "line": {"color": grid.colour, "width": 2},
            "hovertemplate": "τ = %{x:g}: %{text} %<extra></extra>",
        }
    )
    traces.append(
        {
            **place,
            "mode": "markers",
            "name": "validation's choice",
            "legendgroup": "ring",
            "legendrank": 1002,
            "showlegend": named,
            "x": [setting.best_tau],
            "y": [0.0],
            "marker": {
                "color": grid.colour,
                "size": 13,
                "symbol": "circle-open",
                "line": {"width": 2},
            },
            "hoverinfo": "skip",
        }
    )
    if curve.learned_minus_best_pp is not None and setting.learned_tau_s is not None:
        traces.append(
            {
                **place,
                "mode": "markers",
                "name": "learned, at its final τ",
                "legendgroup": "meta",
                "showlegend": named,
                "x": [setting.learned_tau_s],
                "y": [curve.learned_minus_best_pp],
                "text": [plain(_learned_pp(setting))],
                "marker": {"color": learned.colour, "size": 11, "symbol": learned.symbol},
                "hovertemplate": "learned τ = %{x:.2f}: %{text} %<extra></extra>",
            }
        )
    return traces


def _learned_pp(setting: SettingResult) -> float | None:
    scores = (score.test_pp for score in setting.scores if score.strategy == "meta")
    return next(scores, None)


def _reach(curve: ResponseCurve) -> list[float]:
    """Returns the range of a panel: every mean, and the band as far as it stays near them."""
    means = (*curve.minus_best_pp, curve.learned_minus_best_pp)
    points = [mean for mean in means if mean is not None]
    bands = (*curve.low_minus_best_pp, *curve.high_minus_best_pp)
    ends = [end for end in bands if end is not None]
    low, high = min(points), max(points)
    pad = 0.25 * max(high - low, 0.4)
    low, high = max(min(points + ends), low - pad), min(max(points + ends), high + pad)
    return [low - pad / 3, high + pad / 3]


def _cells(curve: ResponseCurve, setting: SettingResult, taus: Sequence[float]) -> tuple[str, ...]:
    by_tau = {
        t: f"{plain(mean)} {from_to(low, high)}"
        for t, mean, low, high in zip(
            curve.taus, curve.mean_pp, curve.low_pp, curve.high_pp, strict=True
        )
    }
    reached = _learned_pp(setting)
    learned = f"{plain(reached)} at {tau(setting.learned_tau_s)}"
    return (
        curve.key,
        *(by_tau.get(t, "–") for t in taus),
        "–" if reached is None else learned,
    )
