"""Learner minus its main baseline in every setting, seed by seed, and over all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from metakd.analysis.comparison import main_comparison
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.settings import SettingCounts, SettingResult
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import error_bars, margin_band
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    MAX_DOTS,
    MAX_ROWS,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    evenly,
    label,
    largest,
    left_out,
    padded,
    shortened,
    words,
)
from metakd.dashboards.formats import Sides, between, sides_of, signed

TEMPERATURES = Sides()
ROW_PX = 30
GAP = 0.75
# Dots of one setting keep clear of each other by their order.
JITTER = (0.0, -0.17, 0.17, -0.09, 0.09, -0.25, 0.25)


def differences_title(
    settings: Sequence[SettingResult],
    counts: SettingCounts,
    overall: Interval | None,
    margin_pp: float,
    sides: Sides = TEMPERATURES,
) -> str:
    """Returns the title: in how many settings the corrected test has learning ahead or behind."""
    learning, count = sides.starts, counts.paired
    ahead, behind = counts.ahead, counts.behind
    if ahead and behind:
        return f"{learning} is ahead in {ahead} and behind in {behind} of {count} settings"
    if ahead or behind:
        found, word = (ahead, "ahead") if ahead else (behind, "behind")
        if count == 1:
            return f"{learning} is {'ahead of' if ahead else 'behind'} {sides.the_baseline}"
        if found == count:
            return f"{learning} is {word} in all {count} settings"
        if found == 1:
            key = next(setting.key for setting in settings if setting.claim == word)
            return f"{learning} is {word} in one of {count} settings: {shortened(key)}"
        return f"{learning} is {word} in {found} of {count} settings"
    return _title_without_claims(counts, overall, margin_pp, sides)


def _title_without_claims(
    counts: SettingCounts,
    overall: Interval | None,
    margin_pp: float,
    sides: Sides,
) -> str:
    if not counts.tested:
        return f"Too few seeds to tell {sides.learning} from {sides.the_baseline} in any setting"
    if counts.paired == 1:
        return "No difference shown in the one setting"
    nothing = f"No setting shows a difference once corrected for {counted(counts.tested, 'look')}"
    if overall is None or overall.low_pp is None or overall.high_pp is None:
        return nothing
    if overall.low_pp > 0:
        return f"{nothing}; over all of them {sides.learning} is ahead"
    if overall.high_pp < 0:
        return f"{nothing}; over all of them {sides.learning} is behind"
    if -margin_pp <= overall.low_pp and overall.high_pp <= margin_pp:
        return f"{nothing}, and the mean is within ±{margin_pp:.2f} points"
    return nothing


def differences_figure(summary: Summary) -> Figure | None:
    """Draws the paired differences with their intervals; None without a pair."""
    settings = [setting for setting in summary.settings if setting.differences_pp]
    if not settings:
        return None
    kept = largest([_weight(setting) for setting in settings], MAX_ROWS)
    shown = [settings[index] for index in kept]
    sides, overall = sides_of(summary), _overall(summary)
    rows = _rows(shown)
    with_overall = overall is not None and overall.mean_pp is not None and len(settings) > 1
    lowest = rows[-1].y + (1.0 + GAP if with_overall else 0.0)
    height_px = 44 + 24 + round(ROW_PX * (lowest + 1.0)) + 56
    title = differences_title(settings, summary.counts, overall, summary.margin_pp, sides)
    traces = [*_setting_traces(rows)]
    if with_overall and overall is not None:
        traces.append(_overall_trace(overall, lowest))
    minus = f"{sides.learned} minus {sides.baseline}"
    ahead = "the learned temperature" if sides == TEMPERATURES else sides.learning
    seeds = max(len(setting.differences_pp) for setting in shown)
    return Figure(
        id="differences",
        title=title,
        subtitle="Each dot is one seed run both ways; a diamond is the mean of its setting with "
        f"its 95 % interval. Right of the line {ahead} is ahead. Numbers in full "
        "colour hold after Holm's correction.",
        description=f"{title}. Forest plot of {minus} in points of test accuracy for "
        f"{counted(len(shown), 'setting')}"
        + (f"; overall {signed(overall.mean_pp)} {between(overall.low_pp, overall.high_pp)}."
           if with_overall and overall is not None else "."),
        traces=tuple(traces),
        layout=_layout(rows, overall if with_overall else None, lowest, height_px, summary, minus),
        height_px=height_px,
        columns=(
            "setting", f"{sides.learned} − {sides.baseline}", "95 % interval", "p after Holm",
            "claim", "by seed",
        ),
        rows=tuple(_cells(setting) for setting in shown),
        foot=f"{counted(summary.counts.pairs, 'pair')} of {sides.learned} and "
        f"{sides.baseline}. "
        "Intervals of settings: paired t over seeds, none below 3 pairs, not corrected for many "
        "looks." + (f" Overall: {overall.method}." if with_overall and overall is not None else "")
        + left_out(len(shown), len(settings), "settings", "claims first, then the largest gaps")
        + (f" Of each setting {MAX_DOTS} seeds are drawn, evenly from lowest to highest."
           if seeds > MAX_DOTS else ""),
    )  # fmt: skip


def _overall(summary: Summary) -> Interval | None:
    if not QUESTIONS[summary.question].is_about_temperatures:
        main = main_comparison(summary.baselines, summary.baseline)
        return None if main is None else main.effect
    return next((c.effect for c in summary.comparisons if c.baseline == "full_grid"), None)


def _weight(setting: SettingResult) -> float:
    """How much a setting has to be seen: what the title counts comes first."""
    is_claim = setting.claim in ("ahead", "behind")
    return math.inf if is_claim else abs(setting.versus_baseline.mean_pp or 0.0)


@dataclass(frozen=True)
class _Row:
    y: float
    label: str
    setting: SettingResult
    heading: str


def _rows(settings: Sequence[SettingResult]) -> list[_Row]:
    """Places settings from top to bottom; a new scale opens with a heading of its own."""
    scales = [setting.scale for setting in settings]
    is_grouped = 1 < len(set(scales)) < len(scales)
    rows: list[_Row] = []
    y = 0.0
    for index, setting in enumerate(settings):
        heading = ""
        scale = f"{100 * setting.scale:.3g} %"
        if is_grouped and (index == 0 or scales[index - 1] != setting.scale):
            heading = f"{scale} of the data"
            y += 1.0 if index == 0 else 1.0 + GAP / 2
        name = setting.key.removeprefix(f"{scale} · ") if is_grouped else setting.key
        rows.append(_Row(y, label(name), setting, heading))
        y += 1.0
    return rows


def _setting_traces(rows: Sequence[_Row]) -> list[Trace]:
    dots: list[tuple[float, float, str]] = []
    for row in rows:
        values = row.setting.differences_pp
        if len(values) > MAX_DOTS:
            ordered = sorted(values)
            values = tuple(ordered[index] for index in evenly(len(ordered), MAX_DOTS))
        dots += [
            (value, row.y + JITTER[index % len(JITTER)], label(row.setting.key))
            for index, value in enumerate(values)
        ]
    with_interval = [
        (row, effect.mean_pp, effect.low_pp, effect.high_pp)
        for row in rows
        for effect in [row.setting.versus_baseline]
        if effect.mean_pp is not None and effect.low_pp is not None and effect.high_pp is not None
    ]
    traces: list[Trace] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "one seed",
            "x": [value for value, _, _ in dots],
            "y": [y for _, y, _ in dots],
            "text": [key for _, _, key in dots],
            "marker": {"color": "@meta", "size": 6, "opacity": 0.45},
            "hovertemplate": "%{x:+.2f} points<extra>%{text}</extra>",
        }
    ]
    if with_interval:
        shown, means, lows, highs = zip(*with_interval, strict=True)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "mean and 95 % interval",
                "x": list(means),
                "y": [row.y for row in shown],
                "text": [label(row.setting.key) for row in shown],
                "marker": {"color": "@meta", "size": 11, "symbol": "diamond"},
                "error_x": error_bars(means, lows, highs, "@meta"),
                "hovertemplate": "%{x:+.2f} points<extra>%{text}</extra>",
            }
        )
    return traces


def _overall_trace(overall: Interval, y: float) -> Trace:
    mean = overall.mean_pp or 0.0
    low = mean if overall.low_pp is None else overall.low_pp
    high = mean if overall.high_pp is None else overall.high_pp
    has_width = high > low
    return {
        "type": "scatter",
        "mode": "lines" if has_width else "markers",
        # Its row says what it is.
        "showlegend": False,
        "x": [low, mean, high, mean, low] if has_width else [mean],
        "y": [y, y - 0.33, y, y + 0.33, y] if has_width else [y],
        "marker": {"color": "@ink", "size": 12, "symbol": "diamond"},
        "line": {"color": "@ink", "width": 1},
        "fill": "toself" if has_width else "none",
        "fillcolor": "@ink",
        "hoverinfo": "skip",
    }


def _layout(
    rows: Sequence[_Row],
    overall: Interval | None,
    lowest: float,
    height_px: int,
    summary: Summary,
    minus: str,
) -> Layout:
    right = {"xref": "paper", "xanchor": "left", "xshift": 14}
    notes: list[Layout] = []
    for row in rows:
        effect = row.setting.versus_baseline
        numbers = f"{signed(effect.mean_pp)}  {between(effect.low_pp, effect.high_pp)}"
        holds = row.setting.claim in ("ahead", "behind")
        font = {"size": 12, "color": "@ink" if holds else "@muted"}
        notes.append(words(numbers, 1, row.y, **right, font=font))
    labels = {row.y - 1: f"<b>{row.heading}</b>" for row in rows if row.heading}
    labels.update({row.y: row.label for row in rows})
    if overall is not None:
        numbers = f"<b>{signed(overall.mean_pp)}  {between(overall.low_pp, overall.high_pp)}</b>"
        notes.append(words(numbers, 1, lowest, **right, font={"size": 12, "color": "@ink"}))
        labels[lowest] = "<b>overall</b>"
    notes.append(
        words(
            "too small to matter",
            0,
            1,
            yref="paper",
            xanchor="center",
            yanchor="bottom",
            font={"size": 11, "color": "@muted"},
        )
    )
    return base_layout(
        height_px,
        headings_px=24,
        right_px=172,
        xaxis=axis(
            f"{minus}, percentage points of test accuracy",
            range=_reach(rows, overall, summary.margin_pp),
            **AT_ZERO,
        ),
        yaxis=axis(
            "",
            range=[lowest + 0.8, -0.8],
            tickvals=list(labels),
            ticktext=list(labels.values()),
            tickfont={"size": 13, "color": "@ink"},
            showgrid=False,
        ),
        shapes=[margin_band(summary.margin_pp, "x", "y")],
        annotations=notes,
    )


def _reach(rows: Sequence[_Row], overall: Interval | None, margin_pp: float) -> list[float]:
    effects = [row.setting.versus_baseline for row in rows] + ([] if overall is None else [overall])
    seen = [value for row in rows for value in row.setting.differences_pp]
    ends = [end for effect in effects for end in (effect.low_pp, effect.high_pp)]
    return padded([*seen, *ends, -margin_pp, margin_pp], 0.05)


def _cells(setting: SettingResult) -> tuple[str, ...]:
    effect = setting.versus_baseline
    by_seed = [signed(value) for value in setting.differences_pp[:MAX_DOTS]]
    if len(setting.differences_pp) > MAX_DOTS:
        by_seed.append("…")
    return (
        setting.key,
        signed(effect.mean_pp),
        between(effect.low_pp, effect.high_pp),
        "–" if setting.p_holm is None else f"{setting.p_holm:.2g}",
        setting.claim,
        ", ".join(by_seed),
    )
