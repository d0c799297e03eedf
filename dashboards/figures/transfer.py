"""What a temperature tuned in one setting costs in another."""

from collections.abc import Sequence

from metakd.analysis.figures.transfer import TransferRegret
from metakd.analysis.summary import Summary
from metakd.dashboards.figures.figure import (
    MAX_ROWS,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    label,
    largest,
    left_out,
    shortened,
)
from metakd.dashboards.formats import NONE, signed

CELL_PX = 32
HEAD_PX = 10
# More columns than this have no room for a number in each cell.
NUMBERED = 14
# Names beside each other, as long as they fit into the narrowest page; then aslant.
LETTER_PX = 6.2
NARROWEST_PX = 480

Row = tuple[float | None, ...]


def transfer_title(transfer: TransferRegret, margin_pp: float) -> str:
    """Returns the title: the largest mean loss of a moved temperature, if beyond the margin.

    Args:
        transfer: All moves.
        margin_pp: What counts as no loss.
    """
    loss = transfer.worst_pp
    if loss is None or loss <= 0:
        return "No transferred temperature loses accuracy in the mean"
    if loss <= margin_pp:
        return f"No transferred temperature loses more than ±{margin_pp:.2f} points in the mean"
    digits = 1 if loss >= 0.1 else 2
    return (
        f"At worst, the temperature tuned on {shortened(transfer.worst_source)} loses "
        f"{loss:.{digits}f} points on {shortened(transfer.worst_target)}"
    )


def transfer_figure(summary: Summary) -> Figure | None:
    """Draws the regret matrix, and apart from it what no tuning and learning lose."""
    transfer = summary.transfer
    if transfer is None:
        return None
    kept = largest(_largest_regrets(transfer), MAX_ROWS)
    keys = [transfer.keys[index] for index in kept]
    best = {setting.key: setting.best_tau for setting in summary.settings}
    matrix = [[transfer.regret_pp[source][target] for target in kept] for source in kept]
    sources = [
        label(key) + ("" if best.get(key) is None else f"  (τ = {best[key]:g})") for key in keys
    ]
    untuned = [
        (name, [values[target] for target in kept])
        for name, values in (
            (f"fixed τ = {summary.fixed_tau:g}", transfer.fixed_pp),
            ("learned there", transfer.learned_pp),
        )
        if any(value is not None for value in values)
    ]
    known = [value for row in [*matrix, *(row for _, row in untuned)] for value in row]
    top = max((value for value in known if value is not None), default=0.0)
    title = transfer_title(transfer, summary.margin_pp)
    height_px = 44 + HEAD_PX + CELL_PX * (len(keys) + len(untuned)) + 20
    return Figure(
        id="transfer",
        title=title,
        subtitle="Read a row: tune τ there, then use it in each column. Points of test accuracy "
        "lost against the column's own best fixed temperature; stronger colour is a larger loss, "
        "a number below zero a gain.",
        description=f"{title}. Matrix of mean losses, {len(keys)} settings by {len(keys)}, with "
        "rows of their own for " + " and ".join(name for name, _ in untuned) + "."
        if untuned
        else f"{title}. Matrix of mean losses, {len(keys)} settings by {len(keys)}.",
        traces=(
            _heatmap(keys, sources, matrix, top, "y"),
            *(
                [_heatmap(keys, [name for name, _ in untuned], [r for _, r in untuned], top, "y2")]
                if untuned
                else []
            ),
        ),
        layout=_layout(keys, sources, [name for name, _ in untuned], height_px),
        height_px=height_px,
        columns=("tuned on ↓ used on →", *keys),
        rows=tuple(
            (name, *(signed(value) for value in values))
            for name, values in [*zip(keys, matrix, strict=True), *untuned]
        ),
        foot="Source and column choose τ by the best mean validation accuracy over seeds; losses "
        "are means over seeds on test, without an interval."
        + (
            " An empty cell is below 0.05 points either way, or unknown."
            if len(keys) <= NUMBERED
            else ""
        )
        + left_out(len(keys), len(transfer.keys), "settings", "those with the largest losses"),
    )


def _largest_regrets(transfer: TransferRegret) -> list[float]:
    """Returns by setting the largest loss that it is part of, as source or as target."""
    count = range(len(transfer.keys))
    return [
        max(
            (
                value
                for other in count
                for value in (transfer.regret_pp[index][other], transfer.regret_pp[other][index])
                if value is not None and other != index
            ),
            default=float("-inf"),
        )
        for index in count
    ]


def _heatmap(
    keys: Sequence[str],
    names: Sequence[str],
    values: Sequence[Sequence[float | None]],
    top: float,
    y: str,
) -> Trace:
    numbers = [[signed(value, 1).lstrip("+") for value in row] for row in values]
    labels = [["" if text in ("0.0", NONE) else text for text in row] for row in numbers]
    trace: Trace = {
        "type": "heatmap",
        "xaxis": "x",
        "yaxis": y,
        # Long names are shortened and may then be equal: cells stand at numbers.
        "x": list(range(len(keys))),
        "y": list(range(len(names))),
        "z": [list(row) for row in values],
        "colorscale": [[0, "@low"], [0.5, "@middle"], [1, "@high"]],
        "zmin": 0,
        "zmax": top if top > 0 else 1.0,
        "showscale": y == "y" and len(keys) > NUMBERED,
        "colorbar": {
            "title": {"text": "points<br>lost", "font": {"size": 12, "color": "@muted"}},
            "tickfont": {"size": 12, "color": "@muted"},
            "thickness": 10,
            "len": 180,
            "lenmode": "pixels",
            "y": 1,
            "yanchor": "top",
            "outlinewidth": 0,
            "nticks": 4,
        },
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "%{z:+.2f} points<extra></extra>",
    }
    if len(keys) <= NUMBERED:
        trace.update(text=labels, texttemplate="%{text}", textfont={"size": 12})
    return trace


def _layout(
    keys: Sequence[str], sources: Sequence[str], untuned: Sequence[str], height_px: int
) -> Layout:
    gap = 0.6 if untuned else 0.0
    cells = len(sources) + len(untuned) + gap
    below = len(untuned) / cells
    columns = [label(key) for key in keys]
    lines = [line for name in columns for line in name.split("\u00a0· ")]
    narrow = len(keys) * LETTER_PX * max(map(len, lines)) > NARROWEST_PX
    rows = {
        "autorange": "reversed",
        "showgrid": False,
        "ticklabelstandoff": 6,
        "ticks": "",
        "tickfont": {"size": 12, "color": "@ink"},
    }
    layout = base_layout(
        height_px,
        headings_px=HEAD_PX,
        bottom_px=20,
        xaxis=axis(
            "",
            side="top",
            ticks="",
            showgrid=False,
            tickvals=list(range(len(keys))),
            ticktext=columns if narrow else [name.replace("\u00a0· ", "<br>") for name in columns],
            tickangle=-60 if narrow else 0,
            tickfont={"size": 11, "color": "@ink"},
            anchor="y",
        ),
        yaxis=axis(
            "",
            **rows,
            tickvals=list(range(len(sources))),
            ticktext=list(sources),
            domain=[below + gap / cells if untuned else 0.0, 1],
        ),
    )
    if untuned:
        layout["yaxis2"] = axis(
            "",
            **rows,
            tickvals=list(range(len(untuned))),
            ticktext=[f"<b>{name}</b>" for name in untuned],
            domain=[0, below],
            anchor="x",
        )
    return layout
