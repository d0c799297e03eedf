"""What plots are drawn with: ranges, lines and marks, bands, small multiples, epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metakd.analysis.settings import SettingResult
from metakd.analysis.summary import Summary
from metakd.dashboards.figures.figure import (
    BOTTOM_PX,
    LEGEND_PX,
    Layout,
    Trace,
    axis,
    base_layout,
    escape,
    evenly,
    label,
    words,
)
from metakd.strategies import Style

MAX_PER_ROW = 4
GAP_X = 0.035
GAP_WITH_TICKS_X = 0.075
TICKS_PX = 26
HEADING_PX = 22
FEW_EPOCHS = 8


@dataclass(frozen=True)
class Heading:
    """What stands above a panel: its name, and a finding below the name."""

    name: str
    finding: str = ""


@dataclass(frozen=True)
class Panel:
    """Where something is drawn.

    Attributes:
        x: Plotly's name of the x axis, "x", "x2", ...
        y: Plotly's name of the y axis.
    """

    x: str
    y: str

    @property
    def place(self) -> Trace:
        """The axes as a trace names them."""
        return {"xaxis": self.x, "yaxis": self.y}


def scatter(
    x: Sequence[float | None],
    y: Sequence[float | None],
    style: Style,
    *,
    mode: str = "lines",
    width: float | None = None,
    size: float | None = None,
    hover: str | None = None,
    **changes: Any,  # noqa: ANN401 - Plotly's own values
) -> Trace:
    """Returns a line, marks or both.

    Args:
        x: Along the axis.
        y: The values.
        style: Its colour, dash and symbol.
        mode: Plotly's "lines", "markers" or both.
        width: Of the line, in pixels; None for marks alone.
        size: Of the marks, in pixels; None for a line alone.
        hover: What is shown at the pointer; None for nothing.
        changes: Plotly's further values, such as axes and name.
    """
    shown = {"hoverinfo": "skip"} if hover is None else {"hovertemplate": f"{hover}<extra></extra>"}
    trace: Trace = {"type": "scatter", "mode": mode, "x": list(x), "y": list(y), **shown, **changes}
    if width is not None:
        trace["line"] = {"color": style.colour, "width": width, "dash": style.dash}
    if size is not None:
        trace["marker"] = {"color": style.colour, "size": size, "symbol": style.symbol}
    return trace


def error_bars(
    means: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
    thickness: float = 2,
) -> Layout:
    """Returns the intervals around some means, as Plotly draws them."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [end - mean for mean, end in zip(means, high, strict=True)],
        "arrayminus": [mean - end for mean, end in zip(means, low, strict=True)],
        "color": colour,
        "thickness": thickness,
        "width": 0,
    }


def band(
    place: Trace,
    x: Sequence[float],
    low: Sequence[float | None],
    high: Sequence[float | None],
    colour: str,
) -> list[Trace]:
    """Returns the traces that shade from ``low`` to ``high``; none where fewer than two are known.

    Args:
        place: Which axes.
        x: Along the curve.
        low: Lower ends, None where there is no interval.
        high: Upper ends, likewise.
        colour: Its token.
    """
    known = [
        (at, bottom, top)
        for at, bottom, top in zip(x, low, high, strict=True)
        if bottom is not None and top is not None
    ]
    if len(known) < 2 or all(bottom == top for _, bottom, top in known):
        return []
    at, bottoms, tops = (list(values) for values in zip(*known, strict=True))
    edge: Trace = {
        **place, "type": "scatter", "mode": "lines", "x": at, "line": {"width": 0},
        "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip
    return [{**edge, "y": bottoms}, {**edge, "y": tops, "fill": "tonexty", "fillcolor": colour}]


def margin_band(margin_pp: float, across: str, along: str, low_pp: float | None = None) -> Layout:
    """Returns the shape that shades the differences of at most the margin.

    Args:
        margin_pp: The margin.
        across: The axis of differences, as "y" or "x2".
        along: The other axis.
        low_pp: Where it starts; None for −margin.
    """
    value, other = across[0], along[0]
    return {
        "type": "rect",
        f"{value}ref": across,
        f"{value}0": -margin_pp if low_pp is None else low_pp,
        f"{value}1": margin_pp,
        f"{other}ref": f"{along} domain",
        f"{other}0": 0,
        f"{other}1": 1,
        "fillcolor": "@margin",
        "line": {"width": 0},
        "layer": "below",
    }


def columns_of(settings: Sequence[SettingResult]) -> int:
    """Returns how many panels stand in a row: as many as make each column one augmentation.

    Or one teacher, where teachers come last in the study's order.
    """
    for levels in ([s.augmentation for s in settings], [s.teacher for s in settings]):
        count = len(set(levels))
        if 1 < count <= MAX_PER_ROW and levels == (levels[:count] * len(levels))[: len(levels)]:
            return count
    return min(3, max(1, len(settings)))


def lay_out(
    headings: Sequence[Heading],
    per_row: int,
    panel_px: int,
    x: Layout,
    y: Layout,
    ranges: Sequence[Sequence[float]],
    *,
    rows_share_y: bool = True,
    ticks_px: int = TICKS_PX,
    legend_px: int = LEGEND_PX,
) -> tuple[list[Panel], Layout, int]:
    """Arranges panels.

    Args:
        headings: One for each panel, row by row.
        per_row: Panels in a row.
        panel_px: Height of a panel.
        x: What the x axes have beside the shared look; "name" is their title.
        y: What the y axes have, likewise.
        ranges: The y range of each panel.
        rows_share_y: Whether the panels of a row share one range, the widest of theirs, or each
            has its own.
        ticks_px: Room for the names of the ticks.
        legend_px: Room for the legend.

    Returns:
        The panels, the layout with its axes and headings, and the height in pixels.
    """
    per_row = max(1, min(per_row, len(headings)))
    rows = max(1, -(-len(headings) // per_row))
    above_px = HEADING_PX + (18 if any(heading.finding for heading in headings) else 0)
    step_px = panel_px + ticks_px + above_px
    plot_px = rows * panel_px + (rows - 1) * (ticks_px + above_px)
    bottom_px = BOTTOM_PX + ticks_px - TICKS_PX
    height_px = legend_px + above_px + plot_px + bottom_px
    gap = GAP_X if rows_share_y else GAP_WITH_TICKS_X
    width = (1 - gap * (per_row - 1)) / per_row
    axes: Layout = {}
    annotations, panels = [], []
    for index, heading in enumerate(headings):
        row, column = divmod(index, per_row)
        shared = ranges[row * per_row : (row + 1) * per_row] if rows_share_y else [ranges[index]]
        left, top = column * (width + gap), 1 - row * step_px / plot_px
        suffix = "" if index == 0 else str(index + 1)
        is_lowest = index + per_row >= len(headings)
        axes[f"xaxis{suffix}"] = axis(
            str(x.get("name", "")) if is_lowest else "",
            **{key: value for key, value in x.items() if key != "name"},
            domain=[left, min(1.0, left + width)],
            anchor=f"y{suffix}",
        )
        axes[f"yaxis{suffix}"] = axis(
            str(y.get("name", "")) if column == 0 else "",
            **{key: value for key, value in y.items() if key != "name"},
            domain=[max(0.0, top - panel_px / plot_px), top],
            anchor=f"x{suffix}",
            showticklabels=column == 0 or not rows_share_y,
            range=[min(low for low, _ in shared), max(high for _, high in shared)],
        )
        corner = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        name = f"<b>{label(heading.name)}</b>"
        raised = 20 if heading.finding else 3
        annotations.append(
            words(name, left, top, **corner, yshift=raised, font={"size": 13, "color": "@ink"})
        )
        if heading.finding:
            small = {"size": 12, "color": "@meta"}
            annotations.append(words(heading.finding, left, top, **corner, yshift=2, font=small))
        panels.append(Panel(f"x{suffix}", f"y{suffix}"))
    layout = base_layout(
        height_px,
        headings_px=above_px,
        legend_px=legend_px,
        bottom_px=bottom_px,
        **axes,
        annotations=annotations,
    )
    return panels, layout, height_px


def panels_per_row(summary: Summary, keys: Sequence[str]) -> int:
    """Returns how many panels make a row one strategy's, where settings are few.

    Args:
        summary: The study.
        keys: The setting of each panel.
    """
    settings = len(set(keys))
    return settings if 1 < settings <= 4 else columns_of(summary.settings)


def epochs_axis(last: int) -> dict[str, object]:
    """Returns the axis of epochs, counted from 1."""
    # Plotly would put names between whole epochs.
    steps = {"dtick": 1} if last < FEW_EPOCHS else {}
    return {"name": "epoch", "showgrid": False, "range": [1 - 0.02 * last, last * 1.02], **steps}


def epoch_line(
    epochs: Sequence[int],
    mean: Sequence[float | None],
    low: Sequence[float | None],
    high: Sequence[float | None],
    style: Style,
    panel: Panel,
    points: int,
    is_named: bool,
    digits: int = 1,
) -> list[Trace]:
    """Returns one line in a panel, with its band."""
    kept = evenly(len(epochs), points)
    x = [epochs[index] + 1 for index in kept]
    mean, low, high = ([values[index] for index in kept] for values in (mean, low, high))
    name = label(style.name, 20)
    return [
        *band(panel.place, x, low, high, style.soft),
        scatter(
            x,
            mean,
            style,
            mode="lines" if len(x) > 1 else "markers",
            width=2,
            size=8,
            hover=f"{name}, epoch %{{x}}: %{{y:.{digits}f}}",
            **panel.place,
            name=name,
            legendgroup=escape(style.name),
            showlegend=is_named,
        ),
    ]
