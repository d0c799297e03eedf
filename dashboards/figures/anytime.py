"""What each strategy would leave you with if it were stopped after some compute."""

from collections.abc import Sequence

from dashboards.figures.bands import band
from dashboards.figures.figure import Figure, Trace, axis, base_layout, words
from dashboards.figures.limits import evenly, points_each
from dashboards.numbers import counted_runs, plain, runs
from dashboards.theme import LOOKS
from metakd.analysis.curves import AnytimeCurve
from metakd.analysis.summary import Summary

HEIGHT_PX = 400
PLACE = {"xaxis": "x", "yaxis": "y"}
TABLE_POINTS = 20


def anytime_title(curves: Sequence[AnytimeCurve]) -> str:
    """Says when an average search reaches what learning has when it is done."""
    by_name = {curve.strategy: curve for curve in curves}
    if "meta" not in by_name or "grid" not in by_name:
        return "Validation accuracy of the best model so far, by compute"
    learned, grid = by_name["meta"], by_name["grid"]
    spent = counted_runs(learned.runs[-1])
    reached = [
        run
        for run, mean in zip(grid.runs, grid.mean_pp, strict=True)
        if mean >= learned.mean_pp[-1]
    ]
    if not reached:
        most = counted_runs(grid.runs[-1])
        return f"An average search of {most} stays below what learning reaches in {spent}"
    needed = counted_runs(reached[0])
    return f"An average search takes {needed} to reach what learning reaches in {spent}"


def anytime_figure(summary: Summary) -> Figure | None:
    """Draws accuracy against compute while strategies run; None without curves."""
    by_name = {curve.strategy: curve for curve in summary.anytime if curve.runs}
    curves = [by_name[name] for name in LOOKS if name in by_name]
    if not curves:
        return None
    most = max(curve.runs[-1] for curve in curves)
    title = anytime_title(curves)
    return Figure(
        id="anytime",
        title=title,
        subtitle="Mean validation accuracy of the best model so far, if all were stopped here. "
        "The grid tries its temperatures in random order. The axis starts where its first run "
        "is done; what lies below is cut off.",
        description=f"{title}. Rising curves of validation accuracy against compute: "
        + "; ".join(
            f"{LOOKS[curve.strategy].name} ends at {curve.mean_pp[-1]:.2f} % after "
            f"{counted_runs(curve.runs[-1])}"
            for curve in curves
        )
        + ".",
        traces=tuple(
            trace for curve in curves for trace in _traces(curve, most, points_each(len(curves)))
        ),
        layout=base_layout(
            HEIGHT_PX,
            xaxis=axis("compute spent, in plain student runs", range=[0, most], showgrid=False),
            yaxis=axis("validation accuracy if stopped here, %", range=_reach(curves)),
            annotations=_end_of_learning(curves, most),
        ),
        height_px=HEIGHT_PX,
        columns=("strategy", "runs spent", "validation, %", "80 % of orders"),
        rows=tuple(row for curve in curves for row in _rows(curve)),
        foot="Mean over the pairs in which every strategy is complete; learning is done where its "
        "dearest setting is. Band: 80 % of the orders in which a grid can be tried; it is no "
        "interval for the mean. The table lists up to "
        f"{TABLE_POINTS} points of each curve.",
    )


def _traces(curve: AnytimeCurve, most: float, points: int) -> list[Trace]:
    look = LOOKS[curve.strategy]
    kept = evenly(len(curve.runs), points)
    x, mean, low, high = (
        [values[index] for index in kept]
        for values in (curve.runs, curve.mean_pp, curve.low_pp, curve.high_pp)
    )
    traces = band(PLACE, x, low, high, look.soft)
    traces.append(
        {
            **PLACE,
            "type": "scatter",
            "mode": "lines",
            "name": "grid, temperatures in random order" if curve.strategy == "grid" else look.name,
            "x": x,
            "y": mean,
            "line": {"color": look.colour, "width": 2.5, "dash": look.dash},
            "hovertemplate": f"{look.name}, %{{x:.2f}} runs: %{{y:.2f}} %<extra></extra>",
        }
    )
    if x[-1] < most:
        # A finished strategy keeps what it has.
        traces.append(
            {
                **PLACE,
                "type": "scatter",
                "mode": "lines+markers",
                "x": [x[-1], most],
                "y": [mean[-1], mean[-1]],
                "marker": {
                    "color": look.colour,
                    "size": [11, 0],
                    "symbol": look.symbol,
                    "opacity": 1,
                    "line": {"width": 0},
                },
                "line": {"color": look.colour, "width": 1.5, "dash": "dot"},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    return traces


def _reach(curves: Sequence[AnytimeCurve]) -> list[float]:
    """Returns the range of what the grid has from its first run on, and of what others end at."""
    seen = [curve.mean_pp[-1] for curve in curves]
    for curve in curves:
        if curve.strategy == "grid":
            known = zip(curve.runs, curve.low_pp, curve.high_pp, strict=True)
            seen += [end for run, low, high in known if run >= 1 for end in (low, high)]
    low, high = min(seen), max(seen)
    pad = 0.08 * max(high - low, 0.5)
    return [low - pad, high + pad]


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
    return [
        words(
            "learning is done",
            end,
            level,
            xanchor="left",
            yanchor="bottom" if is_above else "top",
            xshift=10,
            yshift=2 if is_above else -2,
            font={"size": 12, "color": "@meta"},
        )
    ]


def _rows(curve: AnytimeCurve) -> list[tuple[str, ...]]:
    return [
        (
            LOOKS[curve.strategy].name,
            runs(curve.runs[index]),
            plain(curve.mean_pp[index]),
            f"{plain(curve.low_pp[index])} to {plain(curve.high_pp[index])}"
            if curve.high_pp[index] > curve.low_pp[index]
            else "–",
        )
        for index in evenly(len(curve.runs), TABLE_POINTS)
    ]
