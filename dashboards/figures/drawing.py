"""A figure as Plotly's own object, for notebooks, papers and files."""

import textwrap
from typing import Any

import plotly.graph_objects as go

from dashboards.figures.figure import Figure, escape
from dashboards.theme import Theme, coloured

TITLE_PX = 72
LINE_LETTERS = 78
WIDTH_PX = 900


def to_plotly(figure: Figure, theme: Theme) -> go.Figure:
    """Returns a figure in the colours of a theme, under its title.

    Args:
        figure: One of the report's.
        theme: "light" or "dark".
    """
    layout: dict[str, Any] = {
        **figure.layout,
        "width": WIDTH_PX,
        "height": figure.height_px + TITLE_PX,
        "margin": {**figure.layout["margin"], "t": figure.layout["margin"]["t"] + TITLE_PX},
        "title": {
            "text": "<br>".join(
                f"<b>{escape(line)}</b>" for line in textwrap.wrap(figure.title, LINE_LETTERS)
            ),
            "font": {"size": 16, "color": "@ink"},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 20, "l": 22},
        },
    }
    return go.Figure(data=coloured(list(figure.traces), theme), layout=coloured(layout, theme))
