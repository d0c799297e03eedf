"""The plot beside a verdict about costs in points: each with its interval, one row each."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from dashboards.numbers import signed
from dashboards.svg import diamond, reach
from metakd.analysis.intervals import Interval

WIDTH, HEIGHT = 420, 268
LEFT, RIGHT, TOP, BOTTOM = 12, 408, 58, 228


class Effect(NamedTuple):
    """A row: whose colour it has, its label, and the effect."""

    strategy: str
    label: str
    interval: Interval


def intervals_plot(
    effects: Sequence[Effect], margin_pp: float, zero: str, axis: str, about: str
) -> Markup | None:
    """Draws effects with their intervals over the margin; None if none of them is known.

    Args:
        effects: From top to bottom.
        margin_pp: Half the width of the margin's shade.
        zero: What stands at 0, in words.
        axis: What the effects are.
        about: How the description of the drawing begins.
    """
    known = [effect for effect in effects if effect.interval.mean_pp is not None]
    if not known:
        return None
    most = reach((effect.interval for effect in known), margin_pp)

    def at(value: float) -> float:
        return (LEFT + RIGHT) / 2 + value / most * (RIGHT - LEFT) / 2

    parts = [
        f'<rect class="margin" x="{at(-margin_pp):.1f}" y="{TOP - 20}" rx="3" '
        f'width="{at(margin_pp) - at(-margin_pp):.1f}" height="{BOTTOM - TOP + 20}"/>',
        f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="{TOP - 20}" y2="{BOTTOM}"/>',
        f'<text x="{at(0):.1f}" y="{TOP - 32}" text-anchor="middle">{zero}</text>',
    ]
    step = (BOTTOM - TOP) / len(known)
    for index, (name, label, interval) in enumerate(known):
        y = TOP + (index + 0.62) * step
        mean = interval.mean_pp or 0.0
        if interval.low_pp is not None and interval.high_pp is not None:
            parts.append(
                f'<line class="interval {name}" x1="{at(interval.low_pp):.1f}" '
                f'x2="{at(interval.high_pp):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        parts.append(f'<path class="dot {name}" d="{diamond(at(mean), y, 8)}"/>')
        # On the side where more room is.
        x, anchor = (RIGHT, "end") if mean <= 0 else (LEFT, "start")
        parts.append(
            f'<text class="label {name}" x="{x}" y="{y - 6:.1f}" text-anchor="{anchor}">'
            f"{label}</text>"
            f'<text x="{x}" y="{y + 11:.1f}" text-anchor="{anchor}">{signed(mean)}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 26}" text-anchor="middle">{axis}</text>'
    )
    words = "; ".join(f"{effect.label} {signed(effect.interval.mean_pp)}" for effect in known)
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{about}: {words}.">{"".join(parts)}</svg>'
    )
