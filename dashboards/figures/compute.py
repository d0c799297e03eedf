"""Test accuracy for compute: what each run more of a search buys."""

from collections.abc import Sequence

from dashboards.figures.figure import Figure, Trace, axis, base_layout
from dashboards.numbers import plain
from dashboards.theme import LOOKS
from metakd.analysis.curves import CostPoint
from metakd.analysis.summary import Summary


def compute_title(points: Sequence[CostPoint]) -> str:
    """Says how many runs of the grid it takes to reach the learned temperature, if any do."""
    learned = [point.test_pp for point in points if point.strategy == "meta"]
    grid = sorted((p for p in points if p.strategy == "grid"), key=lambda p: p.runs)
    if not learned or not grid:
        return "What each strategy reaches for its compute"
    reaching = [point.runs for point in grid if point.test_pp >= learned[0]]
    if not reaching:
        return f"On average no grid of up to {grid[-1].runs} runs reaches the learned temperature"
    if reaching[0] == 1:
        return "On average one run at a temperature drawn from the grid does as well as learning"
    return f"On average a grid needs {reaching[0]} runs to reach the learned temperature"


def compute_figure(summary: Summary) -> Figure | None:
    """Draws accuracy against student steps; None without results."""
    points = summary.costs
    if not points:
        return None
    unit = min(point.step_equivalents for point in points) or 1.0
    traces: list[Trace] = []
    for strategy, look in LOOKS.items():
        own = sorted((p for p in points if p.strategy == strategy), key=lambda p: p.runs)
        if own:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers" if len(own) > 1 else "markers",
                    "name": look.name,
                    "x": [point.step_equivalents / unit for point in own],
                    "y": [point.test_pp for point in own],
                    "marker": {"color": look.colour, "size": 11, "symbol": look.symbol},
                    "line": {"color": look.colour, "width": 2, "dash": look.dash},
                    "hovertemplate": "%{y:.2f} % at %{x:.1f} plain runs<extra></extra>",
                }
            )
    return Figure(
        id="compute",
        title=compute_title(points),
        subtitle="Mean test accuracy over all settings and seeds. A grid of k runs is the "
        "validation best of k temperatures, averaged over all subsets of k.",
        traces=tuple(traces),
        layout=base_layout(
            xaxis=axis("compute, in plain student runs"), yaxis=axis("test accuracy, %")
        ),
        height_px=420,
        columns=("strategy", "runs", "student steps", "seconds", "test accuracy, %"),
        rows=tuple(
            (
                LOOKS[point.strategy].name,
                str(point.runs),
                f"{point.step_equivalents:,.0f}",
                plain(point.seconds, 1),
                plain(point.test_pp),
            )
            for point in points
        ),
        foot="A step equivalent is a forward and a backward pass of one training batch; "
        "learning is charged its meta steps.",
    )
