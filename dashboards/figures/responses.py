"""Accuracy by temperature: fixed ones, where the learned one ended, and starts of learned ones."""

import math
from collections.abc import Sequence

from metakd.analysis.figures.responses import ResponseCurve, TauSpans
from metakd.analysis.questions.start_range import StartRange, StartsOfSetting
from metakd.analysis.settings import SettingResult
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import (
    Heading,
    Panel,
    band,
    columns_of,
    lay_out,
    margin_band,
    scatter,
)
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    MAX_PANELS,
    Figure,
    Layout,
    Trace,
    evenly,
    left_out,
    padded,
)
from metakd.dashboards.formats import from_to, plain, tau
from metakd.dashboards.theme import own_style
from metakd.strategies import Style

PANEL_PX = 150
MOST_NAMES = 9
STARTS_PANEL_PX = 170
LEARNED = "meta"


def responses_title(spans: TauSpans, settings: int) -> str:
    """Returns the title: the range of validation's best fixed temperature over settings."""
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
    grid, learned = own_style("grid"), own_style("meta")
    ring = {"color": grid.colour, "size": 13, "symbol": "circle-open", "line": {"width": 2}}
    ends = (curve.low_minus_best_pp, curve.high_minus_best_pp)
    traces = band(panel.place, curve.taus, *ends, grid.soft)
    traces += [
        scatter(
            curve.taus, curve.minus_best_pp, grid, mode="lines+markers", width=2, size=6,
            hover="τ = %{x:g}: %{text} %", **panel.place, name="fixed temperature",
            legendgroup="grid", legendrank=1001, showlegend=named,
            text=[plain(mean) for mean in curve.mean_pp],
        ),
        scatter(
            [setting.best_tau], [0.0], grid, mode="markers", marker=ring, **panel.place,
            name="validation's choice", legendgroup="ring", legendrank=1002, showlegend=named,
        ),
    ]  # fmt: skip
    if curve.learned_minus_best_pp is not None and setting.learned_tau_s is not None:
        traces.append(
            scatter(
                [setting.learned_tau_s], [curve.learned_minus_best_pp], learned, mode="markers",
                size=11, hover="learned τ = %{x:.2f}: %{text} %", **panel.place,
                name="learned, at its final τ", legendgroup="meta", showlegend=named,
                text=[plain(_learned_pp(setting))],
            )
        )  # fmt: skip
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


def starts_title(starts: StartRange) -> str:
    """Returns the title: what the wrong start costs, kept and learned, over all settings."""
    fixed, learned = starts.fixed_wrong.mean_pp, starts.learned_wrong.mean_pp
    if fixed is None or learned is None:
        return "Test accuracy by the temperature that a run starts at"
    return (
        f"The wrong start costs {plain(fixed)} points where it is kept, {plain(learned)} where "
        "temperatures are learned"
    )


def starts_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None without fixed and learned runs of two starts."""
    starts = summary.answer
    if not isinstance(starts, StartRange):
        return None
    by_key = {setting.key: setting for setting in starts.settings}
    settings = [setting for setting in summary.settings if setting.key in by_key]
    if not settings:
        return None
    shown = [settings[index] for index in evenly(len(settings), MAX_PANELS)]
    drawn = [by_key[setting.key] for setting in shown]
    panels, layout, height_px = lay_out(
        [Heading(each.key) for each in drawn],
        columns_of(shown),
        STARTS_PANEL_PX,
        x=tau_axis("start τ", starts.starts),
        y={"name": "test accuracy, %"},
        ranges=[_start_range(each) for each in drawn],
        rows_share_y=False,
    )
    title = starts_title(starts)
    has_aligned = any(each.aligned_pp is not None for each in drawn)
    return Figure(
        id="starts",
        title=title,
        subtitle="Mean test accuracy by start. Blue: the temperature is kept. Orange: both "
        "temperatures are learned from there."
        + (
            " Open circles: kept, the teacher’s gradient equally large at any τ, as that of "
            "learned ones."
            if any(each.scale_free_pp for each in drawn)
            else ""
        )
        + (" Dotted: the alignment rule, which has no start." if has_aligned else "")
        + " A flat line has forgotten its start."
        + (" Each panel has its own scale." if len(drawn) > 1 else ""),
        description=f"{title}. One panel for each of {counted(len(drawn), 'setting')}, accuracy "
        "against the start on a log axis.",
        traces=tuple(
            trace
            for index, (each, panel) in enumerate(zip(drawn, panels, strict=True))
            for trace in _start_traces(each, starts.starts, panel, named=index == 0)
        ),
        layout=layout,
        height_px=height_px,
        columns=(
            "setting", "runs", *(f"τ = {start:g}, %" for start in starts.starts),
            "range, points", "ends at τ_s, τ_t", "seeds",
        ),
        rows=tuple(row for each in drawn for row in _start_rows(each)),
        foot="Means over the seeds in which all starts have run. A range of means is positive by "
        "noise alone; what the wrong start costs, in the title, is not: validation of other seeds "
        "ranks the starts, test reads the first and the last."
        + left_out(len(drawn), len(settings), "settings", "evenly over the study"),
    )  # fmt: skip


def _start_traces(
    setting: StartsOfSetting, starts: Sequence[float], panel: Panel, named: bool
) -> list[Trace]:
    def line(style: Style, name: str, y: Sequence[float], mode: str = "lines+markers") -> Trace:
        return scatter(
            starts, y, style, mode=mode, width=2, size=7, **panel.place, name=name,
            legendgroup=name, showlegend=named,
            hover=f"{name}, from τ = %{{x:g}}: %{{y:.2f}} %",
        )  # fmt: skip

    traces = [
        line(own_style(LEARNED), "learned from there", setting.learned_pp),
        line(own_style("grid"), "kept", setting.fixed_pp),
    ]
    if setting.scale_free_pp:
        name = "kept, one gradient size"
        traces.append(line(own_style("grid-scale-free"), name, setting.scale_free_pp))
    if setting.aligned_pp is not None:
        level = [setting.aligned_pp] * len(starts)
        traces.append(line(own_style("align"), "aligned, no start", level, "lines"))
    return traces


def _start_range(setting: StartsOfSetting) -> list[float]:
    values = [*setting.fixed_pp, *setting.learned_pp, *setting.scale_free_pp]
    return padded([*values, setting.aligned_pp], 0.08, least=0.4)


def _start_rows(setting: StartsOfSetting) -> list[tuple[str, ...]]:
    seeds = str(setting.seeds)
    ends = " · ".join(
        f"{tau(student)}, {tau(teacher)}"
        for student, teacher in zip(setting.learned_tau_s, setting.learned_tau_t, strict=True)
    )
    rows = [
        (setting.key, "kept", *map(plain, setting.fixed_pp), plain(setting.fixed_range_pp), "–",
         seeds),
        (setting.key, "learned", *map(plain, setting.learned_pp),
         plain(setting.learned_range_pp), ends, seeds),
    ]  # fmt: skip
    if setting.scale_free_pp:
        rows.append(
            (setting.key, "kept, one gradient size", *map(plain, setting.scale_free_pp),
             plain(setting.scale_free_range_pp), "–", seeds)
        )  # fmt: skip
    if setting.aligned_pp is not None:
        blank = ["–"] * (len(setting.fixed_pp) - 1)
        rows.append((setting.key, "aligned", plain(setting.aligned_pp), *blank, "–", "–", seeds))
    return rows
