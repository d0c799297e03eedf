"""What a figure is: words, a Plotly description in colour tokens, and the data behind it."""

from dataclasses import dataclass
from typing import Any

Trace = dict[str, Any]
Layout = dict[str, Any]

LEGEND_PX = 44
BOTTOM_PX = 56
LONGEST_WORD = 36


@dataclass(frozen=True)
class Figure:
    """One figure of the report.

    Attributes:
        id: Anchor in the page, from a fixed list of words.
        title: The finding, in one sentence, chosen by a predicate on the data.
        subtitle: How to read it.
        description: The finding and what is drawn, for those who do not see it.
        traces: Plotly traces; colours are tokens of ``theme``.
        layout: Plotly layout, likewise.
        height_px: Height of the plot.
        columns: Head of the data table.
        rows: The data that are drawn, as text.
        foot: Numbers of observations, how intervals were made, what was left out.
    """

    id: str
    title: str
    subtitle: str
    description: str
    traces: tuple[Trace, ...]
    layout: Layout
    height_px: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: str


def base_layout(
    height_px: int,
    *,
    headings_px: int = 0,
    bottom_px: int = BOTTOM_PX,
    right_px: int = 24,
    **changes: Any,  # noqa: ANN401 - Plotly's own values
) -> Layout:
    """Returns the layout that all figures share: no frame, the legend above at the left.

    Args:
        height_px: Height of the figure.
        headings_px: Room between plot and legend.
        bottom_px: Room below the plot.
        right_px: Room to its right.
        changes: What this figure has beside.
    """
    top_px = LEGEND_PX + headings_px
    plot_px = height_px - top_px - bottom_px
    return {
        "paper_bgcolor": "@card",
        "plot_bgcolor": "@card",
        "font": {"family": "system-ui, -apple-system, sans-serif", "size": 13, "color": "@ink"},
        "margin": {"l": 64, "r": right_px, "t": top_px, "b": bottom_px},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            # Plotly measures in heights of the plot, eyes in pixels.
            "y": 1 + (headings_px + 10) / plot_px,
            "yanchor": "bottom",
            "font": {"size": 13, "color": "@ink"},
            "itemwidth": 40,
            # Bands would turn it round.
            "traceorder": "normal",
        },
        "hoverlabel": {"bgcolor": "@card", "bordercolor": "@line", "font": {"color": "@ink"}},
        "hovermode": "closest",
        **changes,
    }


# The line of no difference: above the grid lines, below the data.
AT_ZERO: Layout = {"zeroline": True, "zerolinecolor": "@muted", "zerolinewidth": 1}


def axis(title: str, **changes: Any) -> Layout:  # noqa: ANN401 - Plotly's own values
    """Returns an axis with the shared look."""
    return {
        "title": {"text": title, "font": {"size": 13, "color": "@muted"}, "standoff": 10},
        "gridcolor": "@line",
        "zeroline": False,
        "tickfont": {"size": 12, "color": "@muted"},
        "automargin": True,
        **changes,
    }


def words(text: str, x: float, y: float, **changes: Any) -> Layout:  # noqa: ANN401 - Plotly's own
    """Returns an annotation without an arrow; ``text`` is Plotly's, so escape users' words."""
    return {
        "text": text,
        "x": x,
        "y": y,
        "showarrow": False,
        "font": {"size": 12, "color": "@muted"},
        **changes,
    }


def shortened(text: str) -> str:
    """Returns a user's word, cut where it is too long for a title or an axis."""
    short = text if len(text) <= LONGEST_WORD else text[: LONGEST_WORD - 1] + "…"
    # No line starts with a sign that belongs to the one before.
    return short.replace(" ·", "\u00a0·").replace(" %", "\u00a0%")


def escape(text: str) -> str:
    """Returns a text with nothing in it that Plotly takes for markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def label(text: str) -> str:
    """Returns a user's word as it stands in a plot: shortened and escaped."""
    return escape(shortened(text))
