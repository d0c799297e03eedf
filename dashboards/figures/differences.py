"""Learned minus grid in every setting, seed by seed."""

from dashboards.figures.figure import Figure, Trace, axis, base_layout, escape
from dashboards.numbers import between, signed
from metakd.analysis.summary import SettingResult, Summary

AHEAD, BEHIND = ("better", "slightly better"), ("worse", "slightly worse")


def differences_title(settings: list[SettingResult]) -> str:
    """Says in how many settings learning is ahead or behind, each by its own interval."""
    ahead = sum(setting.verdict in AHEAD for setting in settings)
    behind = sum(setting.verdict in BEHIND for setting in settings)
    of_all = f"of {len(settings)} settings"
    if ahead and behind:
        return f"Learning is ahead in {ahead} and behind in {behind} {of_all}"
    if ahead or behind:
        return f"Learning is {'ahead' if ahead else 'behind'} in {ahead or behind} {of_all}"
    if all(setting.versus_grid.low_pp is None for setting in settings):
        return "Too few seeds to tell any setting apart"
    return f"No difference shown in any of {len(settings)} settings"


def differences_figure(summary: Summary) -> Figure | None:
    """Draws the paired differences with their intervals; None without a pair."""
    settings = [setting for setting in summary.settings if setting.differences_pp]
    if not settings:
        return None
    keys = [escape(setting.key) for setting in settings]
    means = [setting.versus_grid.mean_pp or 0.0 for setting in settings]
    ranges = [
        (s.versus_grid.low_pp, s.versus_grid.high_pp)
        if s.versus_grid.low_pp is not None and s.versus_grid.high_pp is not None
        else (mean, mean)
        for s, mean in zip(settings, means, strict=True)
    ]
    traces: tuple[Trace, ...] = (
        {
            "type": "scatter",
            "mode": "markers",
            "name": "one seed",
            "x": [value for setting in settings for value in setting.differences_pp],
            "y": [key for key, s in zip(keys, settings, strict=True) for _ in s.differences_pp],
            "marker": {"color": "@muted", "size": 6, "opacity": 0.55},
            "hovertemplate": "%{x:+.2f} points<extra>%{y}</extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "mean and 95 % interval",
            "x": means,
            "y": keys,
            "marker": {"color": "@meta", "size": 11, "symbol": "diamond"},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [high - mean for (_, high), mean in zip(ranges, means, strict=True)],
                "arrayminus": [mean - low for (low, _), mean in zip(ranges, means, strict=True)],
                "color": "@meta",
                "thickness": 2,
                "width": 0,
            },
            "hovertemplate": "%{x:+.2f} points<extra>%{y}</extra>",
        },
    )
    margin = summary.margin_pp
    layout = base_layout(
        xaxis=axis("learned minus grid, percentage points of test accuracy", side="bottom"),
        yaxis=axis("", autorange="reversed", type="category", showgrid=False),
        shapes=[
            {
                "type": "rect",
                "x0": -margin,
                "x1": margin,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "fillcolor": "@margin",
                "line": {"width": 0},
                "layer": "below",
            },
            {
                "type": "line",
                "x0": 0,
                "x1": 0,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": "@muted", "width": 1},
            },
        ],
    )
    return Figure(
        id="differences",
        title=differences_title(settings),
        subtitle="Right of the line the learned temperature is ahead. The grey band is the margin "
        f"of ±{margin:.2f} points that counts as equal.",
        traces=traces,
        layout=layout,
        height_px=150 + 38 * len(settings),
        columns=("setting", "learned − grid", "95 % interval", "by seed", "verdict"),
        rows=tuple(
            (
                s.key,
                signed(s.versus_grid.mean_pp),
                between(s.versus_grid.low_pp, s.versus_grid.high_pp),
                ", ".join(signed(value) for value in s.differences_pp),
                s.verdict,
            )
            for s in settings
        ),
        foot="Each interval: paired t over the seeds of its setting, none below 3 pairs; "
        "not corrected for looking at many settings.",
    )
