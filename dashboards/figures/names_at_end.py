"""Names of curves at their ends, where a legend would be too long to follow."""

from collections.abc import Iterable, Mapping, Sequence

from dashboards.figures.figure import Layout, label, shortened, text_px, words
from dashboards.theme import Look
from metakd.analysis.curves import AnytimeCurve

# A name's height, its lead, its letters.
NAME_PX, LEAD_PX, NAME_SIZE = 17, 26, 12
LONGEST_NAME = 24


def names_px(looks: Iterable[Look]) -> int:
    """Returns the room that the names beside the plot take."""
    widest = max(text_px(shortened(look.name, LONGEST_NAME), NAME_SIZE) for look in looks)
    return round(LEAD_PX + 6 + widest)


def names_at_end(
    curves: Sequence[AnytimeCurve],
    looks: Mapping[str, Look],
    most: float,
    reach: Sequence[float],
    plot_px: int,
) -> list[Layout]:
    """Names every curve at the right edge, at its level or as near to it as others leave room."""
    low, high = reach
    levels = [plot_px * (curve.mean_pp[-1] - low) / (high - low) for curve in curves]
    placed = apart(levels, NAME_PX, NAME_PX / 2, plot_px - NAME_PX / 2)
    return [
        words(
            label(looks[curve.strategy].name, LONGEST_NAME),
            most,
            curve.mean_pp[-1],
            xanchor="left",
            showarrow=True,
            arrowhead=0,
            arrowwidth=1,
            arrowcolor=looks[curve.strategy].colour,
            standoff=2,
            ax=LEAD_PX,
            # Pixels grow downwards.
            ay=round(level - place, 1),
            font={"size": NAME_SIZE, "color": looks[curve.strategy].colour},
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
