"""What searching more temperatures gains over none, and what learning gains, by scale."""

import math
from collections.abc import Sequence

from metakd.analysis.figures.gains import GainsOverScales, SearchGain
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted, in_runs, listed
from metakd.dashboards.figures.drawing import (
    Heading,
    Panel,
    band,
    error_bars,
    lay_out,
    margin_band,
    scatter,
)
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    MAX_PANELS,
    Figure,
    Trace,
    evenly,
    left_out,
    padded,
)
from metakd.dashboards.formats import NONE, between, signed
from metakd.dashboards.theme import own_style

PER_ROW = 3
PANEL_PX = 220


def gains_title(gains: Sequence[SearchGain], over: GainsOverScales | None, fixed_tau: float) -> str:
    """Returns the title: how many temperatures a grid needs to gain what learning gains."""
    learned = [gain for gain in gains if gain.learned and gain.learned.mean_pp is not None]
    if over is None:
        return f"What searching gains over τ = {fixed_tau:g}"
    claim = _claim(learned, over)
    if any(gain.learned is None or gain.learned.low_pp is None for gain in learned):
        return f"Too few seeds for an interval; in the mean {claim}"
    never = [gain for gain in learned if gain.size_to_match is None]
    doubt = "" if all(gain.is_apart for gain in never) else ", but the intervals overlap"
    return f"On average {claim}{doubt}"


def _claim(gains: Sequence[SearchGain], over: GainsOverScales) -> str:
    if over.low_size is None or over.high_size is None:
        if over.largest_size == 1:
            return "the grid's one temperature does not gain what learning gains"
        return (
            f"no grid of up to {counted(over.largest_size, 'temperature')} catches up with learning"
        )
    if over.unmatched > 2:
        return f"no grid catches up at {over.unmatched} of {over.scales} scales"
    if over.unmatched:
        never = [gain.label for gain in gains if gain.size_to_match is None]
        return f"no grid catches up on {_joined(never)}"
    if over.high_size == 1:
        return "a single temperature of the grid gains as much as learning"
    most = counted(over.high_size, "temperature")
    if over.low_size == over.high_size:
        return f"the grid needs {most} to gain what learning gains"
    return f"the grid needs {over.low_size} to {most} to gain what learning gains"


def _joined(labels: Sequence[str]) -> str:
    """Returns "30 % and 100 % of the data": what labels end in alike is said once."""
    end = " of the data"
    if all(label.endswith(end) for label in labels):
        return listed([label.removesuffix(end) for label in labels]) + end
    return listed(list(labels))


def finding(gain: SearchGain) -> str:
    """Returns what stands above a scale's panel: how many temperatures the grid needs there."""
    if gain.learned is None or gain.learned.mean_pp is None:
        return "learning was not run"
    if gain.size_to_match is None:
        return "no grid size catches up"
    if gain.size_to_match == 1:
        return "one temperature of the grid does as well"
    return f"the grid needs {gain.size_to_match} temperatures"


def gains_figure(summary: Summary) -> Figure | None:
    """Draws one panel a scale; None where neither a grid nor a default temperature was run."""
    gains = [gain for gain in summary.gains if any(i.mean_pp is not None for i in gain.grid)]
    if not gains:
        return None
    shown = [gains[index] for index in evenly(len(gains), MAX_PANELS)]
    largest = max(gain.sizes[-1] for gain in shown)
    most = max(max(gain.grid_runs[-1], gain.learned_runs or 1.0) for gain in shown)
    ticks = [2**power for power in range(math.ceil(math.log2(most)) + 1) if 2**power <= most]
    panels, layout, height_px = lay_out(
        [Heading(gain.label, finding(gain)) for gain in shown],
        PER_ROW,
        PANEL_PX,
        x={
            "name": "compute spent, in plain runs",
            "type": "log",
            "range": [math.log10(0.87), math.log10(most * 1.15)],
            "tickvals": ticks,
            "showgrid": False,
        },
        y={"name": f"gain over τ = {summary.fixed_tau:g}, points", **AT_ZERO},
        ranges=[_reach(gain, summary.margin_pp) for gain in shown],
        rows_share_y=False,
    )
    layout["shapes"] = [margin_band(summary.margin_pp, panel.y, panel.x) for panel in panels]
    title = gains_title(gains, summary.gains_over_scales, summary.fixed_tau)
    return Figure(
        id="gains",
        title=title,
        subtitle=f"Gain in test accuracy over no search (τ = {summary.fixed_tau:g}) when k "
        "temperatures of the grid are tried and the validation best is kept, against what this "
        "costs at that scale. The diamond is learning, at what it costs there."
        + (" Each panel has its own scale." if len(shown) > 1 else ""),
        description=f"{title}. Line plots by scale of the gain over τ = {summary.fixed_tau:g} "
        "against compute: " + "; ".join(f"{gain.label}, {finding(gain)}" for gain in shown) + ".",
        traces=tuple(
            trace
            for index, (gain, panel) in enumerate(zip(shown, panels, strict=True))
            for trace in _traces(gain, panel, most, named=index == 0)
        ),
        layout=layout,
        height_px=height_px,
        columns=("scale", *(f"best of {k}" for k in range(1, largest + 1)), "learned"),
        rows=tuple(_cells(gain, largest) for gain in shown),
        foot=f"Expectation over all subsets of k temperatures. Intervals: {_method(shown)}"
        f"; the shade around 0 is the margin of ±{summary.margin_pp:.2f} points."
        + left_out(len(shown), len(gains), "scales", "evenly from smallest to largest"),
    )


def _traces(gain: SearchGain, panel: Panel, most: float, named: bool) -> list[Trace]:
    grid = own_style("grid")
    known = [
        (x, i) for x, i in zip(gain.grid_runs, gain.grid, strict=True) if i.mean_pp is not None
    ]
    xs = [x for x, _ in known]
    traces = band(
        panel.place, xs, [i.low_pp for _, i in known], [i.high_pp for _, i in known], grid.soft
    )
    curve = scatter(
        xs, [interval.mean_pp for _, interval in known], grid, mode="lines+markers", width=2.5,
        size=7, hover="%{x:.1f} runs: %{y:+.2f}", **panel.place, name="grid, validation best of k",
        legendgroup="grid", legendrank=1001, showlegend=named,
    )  # fmt: skip
    return [*traces, curve, *_learned_traces(gain, panel, most, named)]


def _learned_traces(gain: SearchGain, panel: Panel, most: float, named: bool) -> list[Trace]:
    effect, style = gain.learned, own_style("meta")
    if effect is None or effect.mean_pp is None:
        return []
    mean, cost = effect.mean_pp, gain.learned_runs
    level = scatter(
        [cost or 1.0, max(most, cost or 1.0)],
        [mean, mean],
        style._replace(dash="dot"),
        width=1.5,
        **panel.place,
        showlegend=False,
    )
    # Where the cost is not known the level alone is drawn.
    point = scatter(
        [cost], [mean], style, mode="markers", size=12, hover="learned, %{x:.1f} runs: %{y:+.2f}",
        **panel.place, name=style.name, legendgroup="meta", showlegend=named,
    )  # fmt: skip
    if effect.low_pp is not None and effect.high_pp is not None:
        point["error_y"] = error_bars([mean], [effect.low_pp], [effect.high_pp], style.colour)
    return [level, point]


def _reach(gain: SearchGain, margin_pp: float) -> list[float]:
    intervals = [i for i in (*gain.grid, gain.learned) if i is not None]
    ends = [value for i in intervals for value in (i.mean_pp, i.low_pp, i.high_pp)]
    return padded([*ends, -margin_pp, margin_pp], 0.06)


def _method(gains: Sequence[SearchGain]) -> str:
    methods = {i.method for gain in gains for i in gain.grid if i.mean_pp is not None}
    if len(methods) == 1:
        return methods.pop()
    kind = "two-way" if any(method.startswith("two-way") for method in methods) else "Welch's"
    return f"{kind} t, over what each scale has"


def _cells(gain: SearchGain, most: int) -> tuple[str, ...]:
    by_size = dict(zip(gain.sizes, gain.grid, strict=True))
    cost = "" if gain.learned_runs is None else f" for {in_runs(gain.learned_runs)}"
    return (
        gain.label,
        *(_with_interval(by_size.get(k)) for k in range(1, most + 1)),
        _with_interval(gain.learned) + cost,
    )


def _with_interval(effect: Interval | None) -> str:
    if effect is None:
        return NONE
    return f"{signed(effect.mean_pp)} {between(effect.low_pp, effect.high_pp)}"
