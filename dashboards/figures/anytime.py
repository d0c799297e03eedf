"""What each strategy would leave you with if it were stopped after some compute."""

from collections.abc import Iterable, Mapping, Sequence

from metakd.analysis.figures.anytime import AnytimeCurve
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, in_runs, listed
from metakd.dashboards.figures.drawing import band, scatter
from metakd.dashboards.figures.figure import (
    BOTTOM_PX,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    evenly,
    label,
    padded,
    points_each,
    shortened,
    text_px,
    words,
)
from metakd.dashboards.formats import plain, runs
from metakd.dashboards.theme import MAIN, line_px, styles_in
from metakd.strategies import Style, label_of

HEIGHT_PX = 400
# Above the plot, where curves are named at their ends.
TOP_PX = 16
PLACE: Trace = {"xaxis": "x", "yaxis": "y"}
TABLE_POINTS, TABLE_ROWS = 20, 100
BAND_FOOT = (
    "Band: 80 % of the orders in which a grid can be tried; it is no interval for the mean. "
)
COMPARES_NOTHING = "Validation accuracy of the best model so far, by compute"
# A name's height, its lead, its letters.
NAME_PX, LEAD_PX, NAME_SIZE = 17, 26, 12
LONGEST_NAME = 24


def anytime_title(curves: Sequence[AnytimeCurve]) -> str:
    """Returns the title: when an average search reaches what learning has when it is done."""
    by_name = {curve.strategy: curve for curve in curves}
    if "meta" not in by_name or "grid" not in by_name:
        return COMPARES_NOTHING
    learned, grid = by_name["meta"], by_name["grid"]
    spent = in_runs(learned.runs[-1])
    if grid.runs_to_match is None:
        most = in_runs(grid.runs[-1])
        return f"An average search of {most} stays below what learning reaches in {spent}"
    needed = in_runs(grid.runs_to_match)
    return f"An average search takes {needed} to reach what learning reaches in {spent}"


def learner_title(
    curves: Sequence[AnytimeCurve], learner: str, baseline: str, question: str
) -> str:
    """Returns the title: what learner and baseline end with, and after how many runs.

    Args:
        curves: Of all strategies.
        learner: The strategy that the verdict is about.
        baseline: The one that it is compared with.
        question: The study's, about no temperature.
    """
    ends = {curve.strategy: (curve.mean_pp[-1], in_runs(curve.runs[-1])) for curve in curves}
    if learner not in ends or baseline not in ends:
        return COMPARES_NOTHING
    (learned, spent), (known, cost) = ends[learner], ends[baseline]
    first, second = (label_of(name, question) for name in (learner, baseline))
    return (
        f"{at_start(first)} ends at {learned:.1f} % after {spent}, {second} at {known:.1f} % "
        f"after {cost}"
    )


def anytime_figure(summary: Summary) -> Figure | None:
    """Draws accuracy against compute while strategies run; None without curves.

    A few strategies have a legend; of many each is named where its curve ends.
    """
    by_name = {curve.strategy: curve for curve in summary.anytime if curve.runs}
    styles = {name: style for name, style in styles_in(summary).items() if name in by_name}
    curves = [by_name[name] for name in styles]
    if not curves:
        return None
    most = max(curve.runs[-1] for curve in curves)
    title = (
        learner_title(curves, summary.learner, summary.baseline, summary.question)
        if not QUESTIONS[summary.question].is_about_temperatures
        else anytime_title(curves)
    )
    is_named_at_end = len(curves) > len(MAIN)
    height_px = max(HEIGHT_PX, TOP_PX + BOTTOM_PX + len(curves) * NAME_PX)
    reach = _reach(curves)
    listed_points = max(2, min(TABLE_POINTS, TABLE_ROWS // len(curves)))
    return Figure(
        id="anytime",
        title=title,
        subtitle="Mean validation accuracy of the best model so far, if all were stopped here. "
        "Compute is counted in plain runs, to what each strategy costs. "
        + _how_followed("grid" in by_name, is_named_at_end),
        description=f"{title}. Rising curves of validation accuracy against compute: "
        + "; ".join(
            f"{styles[curve.strategy].name} ends at {curve.mean_pp[-1]:.2f} % after "
            f"{in_runs(curve.runs[-1])}"
            for curve in curves
        )
        + ".",
        traces=tuple(
            trace
            # What the verdict is about lies on top.
            for curve in (curves[::-1] if is_named_at_end else curves)
            for trace in _traces(curve, styles[curve.strategy], most, points_each(len(curves)))
        ),
        layout=base_layout(
            height_px,
            **(
                {"legend_px": TOP_PX, "right_px": names_px(styles.values()), "showlegend": False}
                if is_named_at_end
                else {}
            ),
            xaxis=axis("compute spent, in plain runs", range=[0, most], showgrid=False),
            yaxis=axis("validation accuracy if stopped here, %", range=reach),
            annotations=names_at_end(curves, styles, most, reach, height_px - TOP_PX - BOTTOM_PX)
            if is_named_at_end
            else _end_of_learning(curves, most),
        ),
        height_px=height_px,
        columns=("strategy", "runs spent", "validation, %", "80 % of orders"),
        rows=tuple(
            row for curve in curves for row in _rows(curve, styles[curve.strategy], listed_points)
        ),
        foot="Mean over the pairs in which every strategy drawn is complete. "
        + (BAND_FOOT if "grid" in by_name else "")
        + "The table lists up to "
        f"{listed_points} points of each curve." + _not_drawn(summary, styles),
    )


def _how_followed(has_grid: bool, has_searches: bool) -> str:
    if not has_grid:
        return (
            "Each strategy is followed in the order of its runs. What lies below their ends is cut "
            "off."
        )
    others = ", other searches are followed in the order of their runs" if has_searches else ""
    return (
        f"The grid tries its temperatures in random order{others}. The axis starts where its first "
        "run is done; what lies below is cut off."
    )


def _not_drawn(summary: Summary, styles: Mapping[str, Style]) -> str:
    names = [style.name for name, style in styles_in(summary).items() if name not in styles]
    return f" Not drawn, as too few of its pairs are complete: {listed(names)}." if names else ""


def _traces(curve: AnytimeCurve, style: Style, most: float, points: int) -> list[Trace]:
    kept = evenly(len(curve.runs), points)
    x, mean, low, high = (
        [values[index] for index in kept]
        for values in (curve.runs, curve.mean_pp, curve.low_pp, curve.high_pp)
    )
    is_main = curve.strategy in MAIN
    name = label(style.name)
    line = scatter(
        x, mean, style, width=line_px(curve.strategy), **PLACE,
        name="grid, temperatures in random order" if curve.strategy == "grid" else name,
        hover=f"{name}, %{{x:.1f}} runs: %{{y:.2f}} %",
    )  # fmt: skip
    traces = [*band(PLACE, x, low, high, style.soft), line]
    if x[-1] < most:
        # A finished strategy keeps what it has.
        sizes = {"size": [11 if is_main else 8, 0], "opacity": 1, "line": {"width": 0}}
        kept_level = scatter(
            [x[-1], most], [mean[-1]] * 2, style._replace(dash="dot"), mode="lines+markers",
            width=1.5 if is_main else 1, **PLACE, showlegend=False,
            marker={"color": style.colour, "symbol": style.symbol, **sizes},
        )  # fmt: skip
        traces.append(kept_level)
    return traces


def _reach(curves: Sequence[AnytimeCurve]) -> list[float]:
    """Returns the range of what the grid has from its first run on, and of what others end at."""
    seen = [curve.mean_pp[-1] for curve in curves]
    for curve in curves:
        if curve.strategy == "grid":
            known = zip(curve.runs, curve.low_pp, curve.high_pp, strict=True)
            seen += [end for run, low, high in known if run >= 1 for end in (low, high)]
    return padded(seen, 0.08, least=0.5)


def _end_of_learning(curves: Sequence[AnytimeCurve], most: float) -> list[dict[str, object]]:
    by_name = {curve.strategy: curve for curve in curves}
    learned = by_name.get("meta")
    if learned is None or learned.runs[-1] >= most:
        return []
    end, level = learned.runs[-1], learned.mean_pp[-1]
    # On the side of the line where the nearest other curve is not.
    others = [
        next((m for r, m in zip(c.runs, c.mean_pp, strict=True) if r >= end), c.mean_pp[-1])
        for c in curves
        if c.strategy != "meta"
    ]
    nearest = min(others, key=lambda mean: abs(mean - level), default=level - 1)
    is_above = nearest <= level
    note = words(
        "learning is done", end, level, xanchor="left", xshift=10,
        yanchor="bottom" if is_above else "top", yshift=2 if is_above else -2,
        font={"size": 12, "color": "@meta"},
    )  # fmt: skip
    return [note]


def _rows(curve: AnytimeCurve, style: Style, points: int) -> list[tuple[str, ...]]:
    return [
        (
            style.name,
            runs(curve.runs[index]),
            plain(curve.mean_pp[index]),
            f"{plain(curve.low_pp[index])} to {plain(curve.high_pp[index])}"
            if curve.high_pp[index] > curve.low_pp[index]
            else "–",
        )
        for index in evenly(len(curve.runs), points)
    ]


def names_px(styles: Iterable[Style]) -> int:
    """Returns the room that the names beside the plot take."""
    widest = max(text_px(shortened(style.name, LONGEST_NAME), NAME_SIZE) for style in styles)
    return round(LEAD_PX + 6 + widest)


def names_at_end(
    curves: Sequence[AnytimeCurve],
    styles: Mapping[str, Style],
    most: float,
    reach: Sequence[float],
    plot_px: int,
) -> list[Layout]:
    """Returns the names at the right edge, each as near to its curve's level as others allow."""
    low, high = reach
    levels = [plot_px * (curve.mean_pp[-1] - low) / (high - low) for curve in curves]
    placed = apart(levels, NAME_PX, NAME_PX / 2, plot_px - NAME_PX / 2)
    return [
        words(
            label(styles[curve.strategy].name, LONGEST_NAME),
            most,
            curve.mean_pp[-1],
            xanchor="left",
            showarrow=True,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=styles[curve.strategy].colour,
            standoff=2,
            ax=LEAD_PX,
            # Pixels grow downwards.
            ay=round(level - place, 1),
            font={"size": NAME_SIZE, "color": styles[curve.strategy].colour},
        )
        for curve, level, place in zip(curves, levels, placed, strict=True)
    ]


def apart(levels: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Returns places near some levels, in their order, with a gap between any two.

    Args:
        levels: Where something would best stand.
        gap: The least distance; where there is no room for that, what room there is.
        low: The lowest place.
        high: The highest place.
    """
    if len(levels) > 1:
        gap = min(gap, (high - low) / (len(levels) - 1))
    order = sorted(range(len(levels)), key=lambda index: levels[index])
    # Neighbours that are too near stand around their common middle.
    blocks: list[list[int]] = []
    starts: list[float] = []

    def start_of(block: Sequence[int]) -> float:
        middle = sum(levels[index] for index in block) / len(block)
        length = gap * (len(block) - 1)
        return min(max(middle - length / 2, low), high - length)

    for index in order:
        blocks.append([index])
        starts.append(start_of(blocks[-1]))
        while len(blocks) > 1 and starts[-1] - starts[-2] < gap * len(blocks[-2]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
            starts[-2:] = [start_of(blocks[-1])]
    places = [0.0] * len(levels)
    for start, block in zip(starts, blocks, strict=True):
        for step, index in enumerate(block):
            places[index] = start + gap * step
    return places
