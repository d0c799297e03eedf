"""What panels with epochs along their axis share."""

from collections.abc import Sequence

from dashboards.figures.bands import band
from dashboards.figures.figure import Trace, escape, label
from dashboards.figures.limits import evenly
from dashboards.figures.panels import Panel, columns_of
from dashboards.theme import Look
from metakd.analysis.summary import Summary

FEW_EPOCHS = 8


def panels_per_row(summary: Summary, keys: Sequence[str]) -> int:
    """Returns how many panels make a row one strategy's, where settings are few.

    Args:
        summary: The study.
        keys: The setting of each panel.
    """
    settings = len(set(keys))
    return settings if 1 < settings <= 4 else columns_of(summary.settings)


def epochs_axis(last: int) -> dict[str, object]:
    """Returns the axis of epochs, counted from 1."""
    # Plotly would put names between whole epochs.
    steps = {"dtick": 1} if last < FEW_EPOCHS else {}
    return {"name": "epoch", "showgrid": False, "range": [1 - 0.02 * last, last * 1.02], **steps}


def epoch_line(
    epochs: Sequence[int],
    mean: Sequence[float | None],
    low: Sequence[float | None],
    high: Sequence[float | None],
    look: Look,
    panel: Panel,
    points: int,
    is_named: bool,
    digits: int = 1,
) -> list[Trace]:
    """Returns one line in a panel, with its band."""
    kept = evenly(len(epochs), points)
    x = [epochs[index] + 1 for index in kept]
    mean, low, high = ([values[index] for index in kept] for values in (mean, low, high))
    name = label(look.name, 20)
    return [
        *band(panel.place, x, low, high, look.soft),
        {
            **panel.place,
            "type": "scatter",
            "mode": "lines" if len(x) > 1 else "markers",
            "name": name,
            "legendgroup": escape(look.name),
            "showlegend": is_named,
            "x": x,
            "y": mean,
            "marker": {"color": look.colour, "size": 8, "symbol": look.symbol},
            "line": {"color": look.colour, "width": 2, "dash": look.dash},
            "hovertemplate": f"{name}, epoch %{{x}}: %{{y:.{digits}f}}<extra></extra>",
        },
    ]
