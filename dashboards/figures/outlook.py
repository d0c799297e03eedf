"""What it would take to decide: how likely each look to come does, at the margin and at others."""

from dashboards.figures.figure import (
    MAX_POINTS,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    evenly,
    words,
)
from dashboards.formats import duration
from metakd.analysis.decision import Outlook
from metakd.analysis.outlook import POWER
from metakd.analysis.summary import Summary

HEIGHT_PX = 380
MOST_TICKS = 8
LOOKS = (("@muted", "dot"), ("@ink", "solid"), ("@plum", "dash"), ("@grid", "dashdot"))


def outlook_title(outlook: Outlook, margin_pp: float) -> str:
    """Says by when the margin is likely to be settled, or which margin is."""
    who = "A study anew" if outlook.is_anew else "This study"
    by_margin = [(m, _first_likely(row)) for m, row in _rows(outlook)]
    at = dict(by_margin)[margin_pp]
    if at is not None:
        more = "" if outlook.is_anew else " more"
        return (
            f"{who} is likely to settle it at ±{margin_pp:.2f} points by look {outlook.looks[at]}, "
            f"after {duration(outlook.wall_s[at])}{more}"
        )
    unlikely = f"{who} is not likely to settle it at ±{margin_pp:.2f} points"
    wider = [m for m, index in by_margin if index is not None]
    if wider:
        return f"{unlikely}; at ±{min(wider):.2f} it is"
    return f"{unlikely}, nor at any margin up to ±{outlook.margins_pp[-1]:.2f}"


def outlook_figure(summary: Summary) -> Figure | None:
    """Draws the probability to have decided by each look; None where there is nothing to come."""
    deciding = summary.deciding
    if deciding is None or deciding.outlook is None:
        return None
    outlook, margin_pp = deciding.outlook, deciding.margin_pp
    title = outlook_title(outlook, margin_pp)
    what = (
        "All declared looks were taken. A study anew, in another folder with other seeds and these "
        "looks, would have decided by each of them"
        if outlook.is_anew
        else "This study will have decided by each look to come"
    )
    return Figure(
        id="outlook",
        title=title,
        subtitle=f"{what} with this probability, at the declared margin and at others, if "
        "differences vary and runs cost as so far. Dashed: 8 times in 10.",
        description=f"{title}. Rising curves of the probability to have decided, by look, for each "
        "margin.",
        traces=tuple(_curve(outlook, place, margin_pp) for place in range(len(outlook.margins_pp))),
        layout=_layout(outlook),
        height_px=HEIGHT_PX,
        columns=(
            "look", "time from the start" if outlook.is_anew else "further time",
            *(f"±{margin:.2f} points" for margin in outlook.margins_pp),
        ),
        rows=tuple(
            (
                f"{outlook.looks[index]}",
                duration(outlook.wall_s[index]),
                *(f"{100 * row[index]:.0f} %" for row in outlook.probability),
            )
            for index in evenly(len(outlook.looks), MAX_POINTS)
        ),
        foot="Drawn from what the last look leaves plausible of the true difference, by the "
        "variances of all pairs so far; seeds go where they would."
        " A margin that is chosen once results are known is no declared one: it counts in a study "
        "anew, with other seeds.",
    )  # fmt: skip


def _rows(outlook: Outlook) -> list[tuple[float, tuple[float, ...]]]:
    return list(zip(outlook.margins_pp, outlook.probability, strict=True))


def _first_likely(probabilities: tuple[float, ...]) -> int | None:
    return next((at for at, chance in enumerate(probabilities) if chance >= POWER), None)


def _curve(outlook: Outlook, place: int, margin_pp: float) -> Trace:
    margin, by_look = outlook.margins_pp[place], outlook.probability[place]
    kept = evenly(len(by_look), MAX_POINTS)
    colour, dash = LOOKS[place % len(LOOKS)]
    is_declared = margin == margin_pp
    if is_declared:
        colour, dash = "@meta", "solid"
    elif colour == "@ink":
        colour = "@grid"
    name = f"±{margin:.2f} points"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{name}, declared" if is_declared else name,
        "x": [outlook.looks[index] for index in kept],
        "y": [by_look[index] for index in kept],
        "line": {"color": colour, "width": 3 if is_declared else 1.8, "dash": dash},
        "marker": {"color": colour, "size": 8 if is_declared else 6},
        "hovertemplate": f"by look %{{x}}: %{{y:.0%}}<extra>{name}</extra>",
    }


def _layout(outlook: Outlook) -> Layout:
    named = evenly(len(outlook.looks), MOST_TICKS)
    plus = "" if outlook.is_anew else "+"
    line: Layout = {
        "type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": POWER,
        "y1": POWER, "line": {"color": "@muted", "width": 1, "dash": "dash"}, "layer": "below",
    }  # fmt: skip
    first, last = outlook.looks[0], outlook.looks[-1]
    return base_layout(
        HEIGHT_PX,
        bottom_px=72,
        xaxis=axis(
            "look, and the time from the start" if outlook.is_anew else "look, and further time",
            tickvals=[outlook.looks[index] for index in named],
            ticktext=[
                f"look {outlook.looks[i]}<br>{plus}{duration(outlook.wall_s[i])}" for i in named
            ],
            range=[first - 0.35, last + 0.35],
            showgrid=False,
        ),
        yaxis=axis("probability to have decided", range=[0, 1.04], tickformat=".0%"),
        shapes=[line],
        annotations=[
            words("8 times in 10", 1, POWER, xref="x domain", xanchor="right", yanchor="bottom",
                  font={"size": 11, "color": "@muted"})
        ],
    )  # fmt: skip
