"""What each start reaches: temperatures that are kept, and those that are learned from there."""

from collections.abc import Sequence

from dashboards.figures.figure import MAX_PANELS, Figure, Trace, evenly, left_out
from dashboards.figures.panels import Heading, Panel, columns_of, lay_out
from dashboards.figures.responses import tau_axis
from dashboards.formats import plain, tau
from dashboards.styles import STYLES, Style
from metakd.analysis.answers import StartRange, StartsOfSetting
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted

PANEL_PX = 170
LEARNED = "meta"


def starts_title(starts: StartRange) -> str:
    """Says what the wrong start costs, kept and learned, over all settings."""
    fixed, learned = starts.fixed_wrong.mean_pp, starts.learned_wrong.mean_pp
    if fixed is None or learned is None:
        return "Test accuracy by the temperature that a run starts at"
    return (
        f"The wrong start costs {plain(fixed)} points where it is kept, {plain(learned)} where "
        "temperatures are learned"
    )


def starts_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None without fixed and learned runs of two starts."""
    starts = summary.starts
    if starts is None:
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
        PANEL_PX,
        x=tau_axis("start τ", starts.starts),
        y={"name": "test accuracy, %"},
        ranges=[_reach(each) for each in drawn],
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
            for trace in _traces(each, starts.starts, panel, named=index == 0)
        ),
        layout=layout,
        height_px=height_px,
        columns=(
            "setting", "runs", *(f"τ = {start:g}, %" for start in starts.starts),
            "range, points", "ends at τ_s, τ_t", "seeds",
        ),
        rows=tuple(row for each in drawn for row in _rows(each)),
        foot="Means over the seeds in which all starts have run. A range of means is positive by "
        "noise alone; what the wrong start costs, in the title, is not: validation of other seeds "
        "ranks the starts, test reads the first and the last."
        + left_out(len(drawn), len(settings), "settings", "evenly over the study"),
    )  # fmt: skip


def _traces(
    setting: StartsOfSetting, starts: Sequence[float], panel: Panel, named: bool
) -> list[Trace]:
    def line(style: Style, name: str, y: Sequence[float], mode: str = "lines+markers") -> Trace:
        return {
            **panel.place,
            "type": "scatter",
            "mode": mode,
            "name": name,
            "legendgroup": name,
            "showlegend": named,
            "x": list(starts),
            "y": list(y),
            "marker": {"color": style.colour, "size": 7, "symbol": style.symbol},
            "line": {"color": style.colour, "width": 2, "dash": style.dash},
            "hovertemplate": f"{name}, from τ = %{{x:g}}: %{{y:.2f}} %<extra></extra>",
        }

    traces = [
        line(STYLES[LEARNED], "learned from there", setting.learned_pp),
        line(STYLES["grid"], "kept", setting.fixed_pp),
    ]
    if setting.scale_free_pp:
        name = "kept, one gradient size"
        traces.append(line(STYLES["grid-scale-free"], name, setting.scale_free_pp))
    if setting.aligned_pp is not None:
        level = [setting.aligned_pp] * len(starts)
        traces.append(line(STYLES["align"], "aligned, no start", level, "lines"))
    return traces


def _reach(setting: StartsOfSetting) -> list[float]:
    values = [*setting.fixed_pp, *setting.learned_pp, *setting.scale_free_pp]
    values += [] if setting.aligned_pp is None else [setting.aligned_pp]
    low, high = min(values), max(values)
    pad = 0.08 * max(high - low, 0.4)
    return [low - pad, high + pad]


def _rows(setting: StartsOfSetting) -> list[tuple[str, ...]]:
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
