"""What is shaded: intervals along a curve, and the differences too small to matter."""

from collections.abc import Sequence
from typing import Any

from dashboards.figures.figure import Layout, Trace


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
    edge: dict[str, Any] = {
        **place,
        "type": "scatter",
        "mode": "lines",
        "x": at,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
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
