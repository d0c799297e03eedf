"""What a figure is made of: words, a Plotly description in colour tokens, and the data behind it.

No figure shows more than the limits here, so that a report of 10,000 trials opens as fast as one of
300.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Trace = dict[str, Any]
Layout = dict[str, Any]

LEGEND_PX = 44
LEGEND_ROW_PX = 21
# Of a legend's entry beside its words, of a letter, and of the plot below it on a usual screen; a
# narrower one has the legend in more rows, for which Plotly takes room from the plot.
ENTRY_PX, LETTER_PX, PLOT_PX = 56, 6.3, 790
LONGEST_ENTRY = 20
BOTTOM_PX = 56
LONGEST_WORD = 36
# Widths of letters in sizes of the font, in the widest of usual fonts: DejaVu Sans and Verdana.
NARROW, USUAL, CAPITAL, FULL = 0.42, 0.64, 0.79, 1.0
NARROW_LETTERS = frozenset(" ilIjtfr.,:;!'()[]/|-·\u00a0")
FULL_LETTERS = frozenset("mwMWOQ@%<>+=~…")
MAX_MARKS = 8_000
MAX_POINTS = 200
MAX_PANELS = 24
MAX_ROWS = 40
MAX_DOTS = 50


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
    legend_px: int = LEGEND_PX,
    bottom_px: int = BOTTOM_PX,
    right_px: int = 24,
    **changes: Any,  # noqa: ANN401 - Plotly's own values
) -> Layout:
    """Returns the layout that all figures share: no frame, the legend above at the left.

    Args:
        height_px: Height of the figure.
        headings_px: Room between plot and legend.
        legend_px: Room for the legend, as ``legend_room`` gives it.
        bottom_px: Room below the plot.
        right_px: Room to its right.
        changes: What this figure has beside.
    """
    top_px = legend_px + headings_px
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


def legend_room(names: Sequence[str]) -> int:
    """Returns the height in pixels of a legend; of many entries all get the widest one's room."""
    widths = [ENTRY_PX + LETTER_PX * min(len(name), LONGEST_ENTRY) for name in names]
    if sum(widths) <= PLOT_PX:
        return LEGEND_PX
    per_row = max(1, int(PLOT_PX // max(widths)))
    return LEGEND_PX + LEGEND_ROW_PX * (-(-len(names) // per_row) - 1)


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


def text_px(text: str, size_px: float) -> float:
    """Returns the room that a text takes in any usual font; a narrow one leaves some of it."""

    def width(letter: str) -> float:
        if letter in NARROW_LETTERS:
            return NARROW
        if letter in FULL_LETTERS or unicodedata.east_asian_width(letter) in "WF":
            return FULL
        return CAPITAL if letter.isupper() else USUAL

    return size_px * sum(map(width, text))


def shortened(text: str, longest: int = LONGEST_WORD) -> str:
    """Returns a user's word, cut where it is too long for a title or an axis."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    # No line starts with a sign that belongs to the one before.
    return short.replace(" ·", "\u00a0·").replace(" %", "\u00a0%")


def escape(text: str) -> str:
    """Returns a text with nothing in it that Plotly, or a colour token, is taken for."""
    marked = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "%{": "%&#123;", "@": "&#64;"}
    for sign, inert in marked.items():
        text = text.replace(sign, inert)
    return text


def label(text: str, longest: int = LONGEST_WORD) -> str:
    """Returns a user's word as it stands in a plot: shortened and escaped."""
    return escape(shortened(text, longest))


def padded(values: Iterable[float | None], share: float, least: float = 0.0) -> list[float]:
    """Returns the range of all values that are known, with a margin at both ends.

    Args:
        values: At least one of them is known.
        share: The margin, as a share of the range.
        least: A narrower range gets the margin of one of this width.
    """
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    pad = share * max(high - low, least)
    return [low - pad, high + pad]


def evenly(count: int, most: int) -> list[int]:
    """Returns at most ``most`` indices of 0, ..., count − 1, evenly spread, both ends included."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count - 1]
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def largest(sizes: Sequence[float], most: int) -> list[int]:
    """Returns the indices of the ``most`` largest sizes, in their own order; the first of equals.

    Args:
        sizes: One number for each candidate.
        most: How many to keep.
    """
    ranked = sorted(range(len(sizes)), key=lambda index: -sizes[index])
    return sorted(ranked[:most])


def points_each(curves: int) -> int:
    """Returns how many points each of some curves with a band may have: a band is two more."""
    return max(2, min(MAX_POINTS, MAX_MARKS // max(1, 3 * curves)))


def left_out(shown: int, count: int, what: str, rule: str) -> str:
    """Returns " Drawn and listed: 24 of 90 settings, evenly over the study.", or nothing.

    Args:
        shown: How many are drawn.
        count: How many there are.
        what: Their name, in the plural.
        rule: By which they were chosen.
    """
    return "" if shown == count else f" Drawn and listed: {shown} of {count} {what}, {rule}."
