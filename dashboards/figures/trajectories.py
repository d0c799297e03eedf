"""The learned temperatures while the student trains."""

from dashboards.figures.figure import Figure, Trace, base_layout
from dashboards.figures.panels import Panel, lay_out
from dashboards.numbers import tau
from metakd.analysis.curves import Trajectory
from metakd.analysis.summary import Summary

TICKS = tuple(2.0**power for power in range(-2, 7))
SIDES = (
    ("τ_s, student", "@meta", "@meta-soft", "tau_s"),
    ("τ_t, teacher", "@grid", "@grid-soft", "tau_t"),
)


def trajectories_title(trajectories: tuple[Trajectory, ...], start: float) -> str:
    """Says between what the learned temperatures end."""
    ends = [t.tau_s_median[-1] for t in trajectories] + [t.tau_t_median[-1] for t in trajectories]
    low, high = tau(min(ends)), tau(max(ends))
    return f"From τ = {start:g}, learned temperatures end between {low} and {high}"


def trajectories_figure(summary: Summary) -> Figure | None:
    """Draws one panel a setting; None where nothing was learned."""
    shown = tuple(t for t in summary.trajectories if t.epochs)
    if not shown:
        return None
    panels, layout, height = lay_out(
        summary.settings,
        [trajectory.key for trajectory in shown],
        x={"name": "epoch", "showgrid": False},
        y={
            "name": "temperature",
            "type": "log",
            "tickvals": list(TICKS),
            "ticktext": [f"{tick:g}" for tick in TICKS],
        },
    )
    by_key = {trajectory.key: trajectory for trajectory in shown}
    return Figure(
        id="trajectories",
        title=trajectories_title(shown, summary.fixed_tau),
        subtitle="Median over seeds, and the range over all seeds.",
        traces=tuple(
            trace
            for index, panel in enumerate(panels)
            for trace in _traces(by_key[panel.key], panel, named=index == 0)
        ),
        layout=base_layout(**layout),
        height_px=height,
        columns=("setting", "τ_s at the end", "its range", "τ_t at the end", "its range"),
        rows=tuple(
            (
                t.key,
                tau(t.tau_s_median[-1]),
                f"{tau(t.tau_s_low[-1])} to {tau(t.tau_s_high[-1])}",
                tau(t.tau_t_median[-1]),
                f"{tau(t.tau_t_low[-1])} to {tau(t.tau_t_high[-1])}",
            )
            for t in shown
        ),
        foot="Temperatures are kept in [0.25, 64].",
    )


def _traces(trajectory: Trajectory, panel: Panel, named: bool) -> list[Trace]:
    place = {"xaxis": panel.x, "yaxis": panel.y, "type": "scatter", "mode": "lines"}
    epochs = [epoch + 1 for epoch in trajectory.epochs]
    traces: list[Trace] = []
    for name, colour, soft, field in SIDES:
        low, high = getattr(trajectory, f"{field}_low"), getattr(trajectory, f"{field}_high")
        traces.append(
            {
                **place,
                "x": [*epochs, *reversed(epochs)],
                "y": [*high, *reversed(low)],
                "fill": "toself",
                "fillcolor": soft,
                "line": {"width": 0},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
        traces.append(
            {
                **place,
                "name": name,
                "legendgroup": field,
                "showlegend": named,
                "x": epochs,
                "y": list(getattr(trajectory, f"{field}_median")),
                "line": {
                    "color": colour,
                    "width": 2,
                    "dash": "solid" if field == "tau_s" else "dash",
                },
                "hovertemplate": "epoch %{x}: %{y:.2f}<extra></extra>",
            }
        )
    return traces
