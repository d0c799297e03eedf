"""How small a difference a study of this kind can show, by seeds and settings."""

from dashboards.figures.figure import (
    MAX_POINTS,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    evenly,
    margin_band,
    words,
)
from dashboards.formats import plain, sides_of
from metakd.analysis.curves import DetectableDifference
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted

HEIGHT_PX = 400
# The widest interval of few seeds may leave the frame; what the study has must not.
HEADROOM = 1.3


def detectable_title(detectable: DetectableDifference, margin_pp: float) -> str:
    """Says whether the study can show a difference of the margin, and what would sharpen it."""
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
    rival = "the full grid" if sides.baseline == "grid" else sides.the_baseline
    title = detectable_title(detectable, summary.margin_pp)
    now = "" if detectable.now_pp is None else f" This study: {detectable.now_pp:.2f} points."
    top = HEADROOM * _highest_that_matters(detectable, summary.margin_pp)
    return Figure(
        id="detectable",
        title=title,
        subtitle=f"Difference from {rival} that a study would show 8 times in 10, by its "
        "seeds, with the spread that this study saw. Lower is sharper.",
        description=f"{title}. Falling curves of the detectable difference against seeds per "
        f"setting, for one setting and {settings}"
        f"{'' if is_own else f' and {doubled}'} settings.{now}",
        traces=tuple(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "x": seeds[: len(values)],
                "y": [values[index] for index in kept if index < len(values)],
                "line": {"color": colour, "width": 2.5, "dash": dash},
                "hovertemplate": "%{x} seeds: %{y:.2f} points<extra></extra>",
            }
            for name, values, colour, dash in lines
            if values
        )
        + _this_study(detectable),
        layout=base_layout(
            HEIGHT_PX,
            xaxis=axis("seeds per setting", showgrid=False, range=[seeds[0] - 0.5, seeds[-1] + 1]),
            yaxis=axis("detectable difference, points", range=[0, top]),
            shapes=[margin_band(summary.margin_pp, "y", "x", low_pp=0.0)],
            annotations=_notes(detectable, summary.margin_pp, top),
        ),
        height_px=HEIGHT_PX,
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
