"""How much the best of k runs flatters itself, by what is quoted."""

from dashboards.figures.figure import MAX_POINTS, Figure, axis, base_layout, evenly, margin_band
from dashboards.formats import signed
from dashboards.styles import STYLES
from metakd.analysis.curves import SelectionOptimism
from metakd.analysis.summary import Summary

HEIGHT_PX = 380
# Less than this prints as 0.00.
NOTHING_PP = 0.005


def optimism_title(optimism: SelectionOptimism) -> str:
    """Says by how much the worse of two common ways to report would flatter the full grid."""
    size = optimism.runs[-1]
    validation, picked = optimism.validation_quoted_pp[-1], optimism.test_picked_pp[-1]
    if max(validation, picked) < NOTHING_PP:
        return f"Neither shortcut of reporting would flatter the grid of {size}"
    if validation >= picked:
        return (
            "Quoting the winner's validation score would flatter the grid by "
            f"{validation:.2f} points"
        )
    return f"Picking the winner on test would flatter the grid by {picked:.2f} points"


def optimism_figure(summary: Summary) -> Figure | None:
    """Draws the optimism of two shortcuts against the grid's size; None below two runs."""
    optimism = summary.optimism
    if optimism is None or len(optimism.runs) < 2:
        return None
    honest = STYLES["grid"]
    kept = evenly(len(optimism.runs), MAX_POINTS)
    ks = [optimism.runs[index] for index in kept]
    lines = (
        ("this report", [0.0] * len(ks), honest.colour,
         honest.symbol, honest.dash),
        ("validation score quoted",
         [optimism.validation_quoted_pp[index] for index in kept], "@muted", "triangle-up", "dash"),
        ("picked on test",
         [optimism.test_picked_pp[index] for index in kept], "@plum", "x", "dot"),
    )  # fmt: skip
    title = optimism_title(optimism)
    return Figure(
        id="optimism",
        title=title,
        subtitle="Two common ways to score the best of k runs, against the one used here (chosen "
        "on validation, read on test). Above the line a way promises more than it keeps.",
        description=f"{title}. Line plot against the grid's size: at {ks[-1]} runs, quoting "
        f"validation is {signed(optimism.validation_quoted_pp[-1])} and picking on test "
        f"{signed(optimism.test_picked_pp[-1])} points off.",
        traces=tuple(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": ks,
                "y": values,
                "marker": {"color": colour, "size": 8, "symbol": symbol},
                "line": {"color": colour, "width": 2.5, "dash": dash},
                "hovertemplate": "best of %{x}: %{y:+.3f} points<extra></extra>",
            }
            for name, values, colour, symbol, dash in lines
        ),
        layout=base_layout(
            HEIGHT_PX,
            xaxis=axis(
                "grid size k", showgrid=False, range=[ks[0] - 0.3, ks[-1] + 0.3],
                dtick=max(1, round(len(optimism.runs) / 12)), tick0=1,
            ),
            yaxis=axis("points too optimistic", range=_reach(optimism, summary.margin_pp)),
            shapes=[margin_band(summary.margin_pp, "y", "x")],
        ),
        height_px=HEIGHT_PX,
        columns=("k", "validation quoted", "picked on test"),
        rows=tuple(
            (
                str(optimism.runs[index]),
                signed(optimism.validation_quoted_pp[index], 3),
                signed(optimism.test_picked_pp[index], 3),
            )
            for index in kept
        ),
        foot=f"Mean over {optimism.pairs} pairs of setting and seed and all subsets of k "
        "temperatures, without an interval. The mean gap of validation and test is taken off the "
        f"quoted score. The shade is the margin of ±{summary.margin_pp:.2f} points.",
    )  # fmt: skip


def _reach(optimism: SelectionOptimism, margin_pp: float) -> list[float]:
    """Returns the range that has every value, zero and the upper margin."""
    values = [*optimism.validation_quoted_pp, *optimism.test_picked_pp]
    low, high = min(*values, 0.0), max(*values, margin_pp)
    pad = 0.08 * (high - low)
    return [low - pad, high + pad]
