"""How small a difference a study can show, and how likely each look to come decides."""

from metakd.analysis.deciding import POWER, Outlook
from metakd.analysis.statistics.power import DetectableDifference
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import margin_band, scatter
from metakd.dashboards.figures.figure import (
    MAX_POINTS,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    evenly,
    words,
)
from metakd.dashboards.formats import duration, plain, sides_of
from metakd.strategies import Style

DETECTABLE_PX = 400
# The widest interval of few seeds may leave the frame; what the study has must not.
HEADROOM = 1.3
OUTLOOK_PX = 380
MOST_TICKS = 8
MARGIN_STYLES = (("@muted", "dot"), ("@ink", "solid"), ("@plum", "dash"), ("@grid", "dashdot"))


def detectable_title(detectable: DetectableDifference, margin_pp: float) -> str:
    """Returns the title: whether the study can show the margin, and what would sharpen it."""
    now = detectable.now_pp
    if now is None:
        return "With one setting or one seed the study cannot show an overall difference"
    if now <= margin_pp:
        return f"The study can show differences as small as its margin: {now:.2f} points"
    if detectable.is_of_these_settings:
        twice = f"twice the seeds could show {detectable.twice_the_seeds_pp or 0.0:.2f}"
        return f"The study can show {now:.2f} points in its settings; {twice}"
    if detectable.more_settings_help_more:
        advice = "twice the settings would help more than twice the seeds"
    else:
        advice = "twice the seeds would help no less than twice the settings"
    return f"The study can show {now:.2f} points overall; {advice}"


def detectable_figure(summary: Summary) -> Figure | None:
    """Draws the detectable difference against seeds; None without a spread to go by."""
    detectable = summary.detectable
    if detectable is None or not detectable.seeds:
        return None
    kept = evenly(len(detectable.seeds), MAX_POINTS)
    seeds = [detectable.seeds[index] for index in kept]
    is_own = detectable.is_of_these_settings
    settings, doubled = detectable.settings_now, detectable.settings_doubled
    lines = (
        ("one setting", detectable.one_setting_pp, "@muted", "dash"),
        (
            f"mean of {'these ' if is_own else ''}{counted(settings, 'setting')}",
            detectable.average_pp,
            "@ink",
            "solid",
        ),
        (f"mean of {doubled} settings", detectable.average_doubled_pp, "@plum", "dot"),
    )
    sides = sides_of(summary)
    baseline = "the full grid" if sides.baseline == "grid" else sides.the_baseline
    title = detectable_title(detectable, summary.margin_pp)
    now = "" if detectable.now_pp is None else f" This study: {detectable.now_pp:.2f} points."
    top = HEADROOM * _highest_that_matters(detectable, summary.margin_pp)
    return Figure(
        id="detectable",
        title=title,
        subtitle=f"Difference from {baseline} that a study would show 8 times in 10, by its "
        "seeds, with the spread that this study saw. Lower is sharper.",
        description=f"{title}. Falling curves of the detectable difference against seeds per "
        f"setting, for one setting and {settings}"
        f"{'' if is_own else f' and {doubled}'} settings.{now}",
        traces=tuple(
            scatter(
                seeds[: len(values)],
                [values[index] for index in kept if index < len(values)],
                Style(name, colour, "", dash),
                width=2.5,
                hover="%{x} seeds: %{y:.2f} points",
                name=name,
            )
            for name, values, colour, dash in lines
            if values
        )
        + _this_study(detectable),
        layout=base_layout(
            DETECTABLE_PX,
            xaxis=axis("seeds per setting", showgrid=False, range=[seeds[0] - 0.5, seeds[-1] + 1]),
            yaxis=axis("detectable difference, points", range=[0, top]),
            shapes=[margin_band(summary.margin_pp, "y", "x", low_pp=0.0)],
            annotations=_notes(detectable, summary.margin_pp, top),
        ),
        height_px=DETECTABLE_PX,
        columns=("seeds", *(name for name, values, _, _ in lines if values)),
        rows=tuple(
            (str(detectable.seeds[index]), *(plain(v[index]) for _, v, _, _ in lines if v))
            for index in evenly(len(detectable.seeds), 40)
        ),
        foot="Paired design, two-sided 5 % level, power 80 %; "
        + (
            "each setting with its own variance, as in the overall interval"
            if is_own
            else "variance split into settings, seeds and rest, as in the overall interval"
        )
        + f". The shade is the margin of ±{summary.margin_pp:.2f} points.",
    )


def _this_study(detectable: DetectableDifference) -> tuple[Trace, ...]:
    if detectable.now_pp is None:
        return ()
    return (
        {
            "type": "scatter",
            "mode": "markers",
            "name": "this study",
            "x": [detectable.seeds_now],
            "y": [detectable.now_pp],
            "marker": {"color": "@ink", "size": 12, "symbol": "circle-open", "line": {"width": 2}},
            "hovertemplate": "this study: %{y:.2f} points<extra></extra>",
        },
    )


def _highest_that_matters(detectable: DetectableDifference, margin_pp: float) -> float:
    singles = zip(detectable.seeds, detectable.one_setting_pp, strict=True)
    seen = [value for seeds, value in singles if seeds >= detectable.seeds_now][:1]
    averages = zip(detectable.seeds, detectable.average_pp, strict=False)
    seen += [value for seeds, value in averages if seeds >= min(3, detectable.seeds_now)][:1]
    return max([*seen, detectable.now_pp or 0.0, margin_pp])


def _notes(detectable: DetectableDifference, margin_pp: float, top: float) -> list[Layout]:
    small = {"size": 11, "color": "@muted"}
    notes = [
        words("too small to matter", 1, 0, xref="x domain", xanchor="right", yanchor="bottom",
              font=small)
    ]  # fmt: skip
    if detectable.now_pp is not None:
        # The curves fall to the right: above and right of the ring is free, unless at the top.
        below = detectable.now_pp > 0.85 * top
        notes.append(
            words(
                f"{detectable.now_pp:.2f}",
                detectable.seeds_now,
                detectable.now_pp,
                xanchor="left",
                yanchor="top" if below else "bottom",
                xshift=8,
                yshift=-4 if below else 4,
                font={"size": 12, "color": "@ink"},
            )
        )
    return notes


def outlook_title(outlook: Outlook, margin_pp: float) -> str:
    """Returns the title: by when the margin is likely to be settled, or which margin is."""
    who = "A study anew" if outlook.is_anew else "This study"
    by_margin = [(m, _first_likely(row)) for m, row in _by_margin(outlook)]
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
        traces=tuple(
            _outlook_curve(outlook, at, margin_pp) for at in range(len(outlook.margins_pp))
        ),
        layout=_outlook_layout(outlook),
        height_px=OUTLOOK_PX,
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


def _by_margin(outlook: Outlook) -> list[tuple[float, tuple[float, ...]]]:
    return list(zip(outlook.margins_pp, outlook.probability, strict=True))


def _first_likely(probabilities: tuple[float, ...]) -> int | None:
    return next((at for at, chance in enumerate(probabilities) if chance >= POWER), None)


def _outlook_curve(outlook: Outlook, place: int, margin_pp: float) -> Trace:
    margin, by_look = outlook.margins_pp[place], outlook.probability[place]
    kept = evenly(len(by_look), MAX_POINTS)
    colour, dash = MARGIN_STYLES[place % len(MARGIN_STYLES)]
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


def _outlook_layout(outlook: Outlook) -> Layout:
    named = evenly(len(outlook.looks), MOST_TICKS)
    plus = "" if outlook.is_anew else "+"
    line: Layout = {
        "type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y", "y0": POWER,
        "y1": POWER, "line": {"color": "@muted", "width": 1, "dash": "dash"}, "layer": "below",
    }  # fmt: skip
    first, last = outlook.looks[0], outlook.looks[-1]
    return base_layout(
        OUTLOOK_PX,
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
