"""What a temperature tuned in one setting costs in another."""

from dashboards.figures.figure import Figure, axis, base_layout, escape
from dashboards.numbers import signed
from metakd.analysis.curves import TransferRegret
from metakd.analysis.summary import Summary


def transfer_title(transfer: TransferRegret) -> str:
    """Names the largest loss of a transferred temperature, if one loses anything."""
    losses = [
        (value, source, target)
        for row, source in zip(transfer.regret_pp, transfer.keys, strict=True)
        for value, target in zip(row, transfer.keys, strict=True)
        if value is not None and source != target
    ]
    if not losses or max(losses)[0] <= 0:
        return "No transferred temperature loses accuracy"
    worst, source, target = max(losses)
    return f"A temperature tuned on {source} loses {worst:.1f} points on {target}"


def transfer_figure(summary: Summary) -> Figure | None:
    """Draws the regret matrix with rows for the fixed and the learned temperature."""
    transfer = summary.transfer
    if transfer is None:
        return None
    rows = [
        *zip([f"tuned on {key}" for key in transfer.keys], transfer.regret_pp, strict=True),
        (f"fixed τ = {summary.fixed_tau:g}", transfer.fixed_pp),
        ("learned there", transfer.learned_pp),
    ]
    rows = [(name, values) for name, values in rows if any(v is not None for v in values)]
    largest = max((abs(v) for _, values in rows for v in values if v is not None), default=1.0)
    return Figure(
        id="transfer",
        title=transfer_title(transfer),
        subtitle="Points of test accuracy lost on the column's setting against its own best "
        "temperature. Stronger colour: a larger loss; below zero the transfer was ahead.",
        traces=(
            {
                "type": "heatmap",
                "x": [escape(key) for key in transfer.keys],
                "y": [escape(name) for name, _ in rows],
                "z": [list(values) for _, values in rows],
                "text": [[signed(value, 1) for value in values] for _, values in rows],
                "texttemplate": "%{text}",
                "textfont": {"color": "@ink", "size": 12},
                "colorscale": [[0, "@low"], [1, "@meta"]],
                "zmin": 0,
                "zmax": largest or 1.0,
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
                "hovertemplate": "%{y}, used on %{x}: %{z:+.2f} points<extra></extra>",
            },
        ),
        layout=base_layout(
            xaxis=axis("used on", side="top", showgrid=False, type="category"),
            yaxis=axis("", autorange="reversed", showgrid=False, type="category"),
            margin={"l": 64, "r": 24, "t": 110, "b": 20},
        ),
        height_px=150 + 34 * len(rows),
        columns=("", *transfer.keys),
        rows=tuple((name, *(signed(value) for value in values)) for name, values in rows),
        foot="Source and target choose by the best mean validation accuracy over seeds; regret is "
        "read on test, mean over seeds.",
    )
