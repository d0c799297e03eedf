"""What a figure is: words, a Plotly description in colour tokens, and the data behind it."""

from dataclasses import dataclass
from typing import Any

Trace = dict[str, Any]
Layout = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One figure of the report.

    Attributes:
        id: Anchor in the page, from a fixed list of words.
        title: The finding, in one sentence, chosen by a predicate on the data.
        subtitle: How to read it.
        traces: Plotly traces; colours are tokens of ``theme``.
        layout: Plotly layout, likewise.
        height_px: Height of the plot.
        columns: Head of the data table.
        rows: The data that are drawn, as text.
        foot: Numbers of observations, how intervals were made.
    """

    id: str
    title: str
    subtitle: str
    traces: tuple[Trace, ...]
    layout: Layout
    height_px: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: str


def base_layout(**changes: Any) -> Layout:  # noqa: ANN401 - Plotly's own values
    """Returns the layout that all figures share: no frame, horizontal lines, legend above."""
    return {
        "paper_bgcolor": "@card",
        "plot_bgcolor": "@card",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "margin": {"l": 64, "r": 24, "t": 48, "b": 56},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hoverlabel": {"bgcolor": "@card", "bordercolor": "@line", "font": {"color": "@ink"}},
        **changes,
    }


def axis(title: str, **changes: Any) -> Layout:  # noqa: ANN401 - Plotly's own values
    """Returns an axis with the shared look."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": "@muted"}},
        "gridcolor": "@line",
        "zeroline": False,
        "tickfont": {"size": 12, "color": "@muted"},
        "automargin": True,
        **changes,
    }


def escape(text: str) -> str:
    """Returns a user's word with nothing in it that Plotly takes for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
