"""Inline drawings of intervals: shown before any script runs, and without one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from metakd.analysis.statistics.intervals import Interval
from metakd.dashboards.formats import signed
from metakd.strategies import Style

BAR_WIDTH, BAR_HEIGHT = 220, 30
BOX, DIAMOND = 11, 6.5
# Of the drawing beside a verdict.
WIDTH, HEIGHT = 420, 268
LEFT, RIGHT, TOP, BOTTOM = 12, 408, 58, 228


def interval_bar(interval: Interval, margin_pp: float, reach_pp: float) -> Markup:
    """Draws a difference with its interval over the margin, on a scale of ± ``reach_pp``."""

    def x(value: float) -> float:
        clipped = max(-reach_pp, min(reach_pp, value))
        return DIAMOND + (BAR_WIDTH / 2 - DIAMOND) * (1 + clipped / reach_pp)

    middle = BAR_HEIGHT / 2
    parts = [
        f'<line class="rail" x1="0" x2="{BAR_WIDTH}" y1="{middle}" y2="{middle}"/>',
        f'<rect class="margin" x="{x(-margin_pp):.1f}" y="{middle - BOX}" rx="3" '
        f'width="{x(margin_pp) - x(-margin_pp):.1f}" height="{2 * BOX}"/>',
        f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" '
        f'y1="{middle - BOX}" y2="{middle + BOX}"/>',
    ]
    if interval.low_pp is not None and interval.high_pp is not None:
        parts.append(
            f'<line class="interval" x1="{x(interval.low_pp):.1f}" '
            f'x2="{x(interval.high_pp):.1f}" y1="{middle}" y2="{middle}"/>'
        )
    if interval.mean_pp is not None:
        parts.append(f'<path class="mean" d="{diamond(x(interval.mean_pp), middle, DIAMOND)}"/>')
    return Markup(
        f'<svg class="bar" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def reach(intervals: Iterable[Interval], margin_pp: float) -> float:
    """Returns the half-width of the scale on which all interval bars fit."""
    ends = [
        abs(value)
        for interval in intervals
        for value in (interval.mean_pp, interval.low_pp, interval.high_pp)
        if value is not None
    ]
    return 1.05 * max([*ends, 2 * margin_pp])


def diamond(x: float, y: float, size: float) -> str:
    """Returns the path of the mark of a learned temperature."""
    return (
        f"M{x - size:.1f} {y:.1f}L{x:.1f} {y - size:.1f}L{x + size:.1f} {y:.1f}"
        f"L{x:.1f} {y + size:.1f}Z"
    )


def swatch(style: Style) -> Markup:
    """Returns a short piece of a strategy's line, as in a legend."""
    dash = {"dash": "5 3", "dot": "2 3", "dashdot": "5 3 1 3"}.get(style.dash, "none")
    return Markup(
        '<svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" x2="22" y1="5" '
        f'y2="5" stroke="var(--{style.colour[1:]})" stroke-dasharray="{dash}"/></svg>'
    )


@dataclass(frozen=True)
class PointsScale:
    """A scale of ± ``most_pp`` points across the drawing, zero in its middle."""

    most_pp: float

    def at(self, value_pp: float) -> float:
        """Returns where a value lies."""
        return (LEFT + RIGHT) / 2 + value_pp / self.most_pp * (RIGHT - LEFT) / 2

    def frame(self, margin_pp: float, top: float, bottom: float) -> list[str]:
        """Returns the shade of the margin, and the line at zero."""
        low, zero, high = (self.at(value) for value in (-margin_pp, 0, margin_pp))
        return [
            f'<rect class="margin" x="{low:.1f}" y="{top}" rx="3" '
            f'width="{high - low:.1f}" height="{bottom - top}"/>',
            f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="{top}" y2="{bottom}"/>',
        ]

    def mark(self, effect: Interval, y: float, colour: str, size: float) -> str:
        """Returns an effect's interval and its mean."""
        line = ""
        if effect.low_pp is not None and effect.high_pp is not None:
            line = (
                f'<line class="interval {colour}" x1="{self.at(effect.low_pp):.1f}" '
                f'x2="{self.at(effect.high_pp):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        mean = self.at(effect.mean_pp or 0.0)
        return f'{line}<path class="dot {colour}" d="{diamond(mean, y, size)}"/>'


class Effect(NamedTuple):
    """A row of the drawing: the strategy whose colour it has, its label, and the effect."""

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
    scale = PointsScale(reach((effect.interval for effect in known), margin_pp))
    parts = [
        *scale.frame(margin_pp, TOP - 20, BOTTOM),
        f'<text x="{scale.at(0):.1f}" y="{TOP - 32}" text-anchor="middle">{zero}</text>',
    ]
    step = (BOTTOM - TOP) / len(known)
    for index, (name, label, interval) in enumerate(known):
        y = TOP + (index + 0.62) * step
        mean = interval.mean_pp or 0.0
        parts.append(scale.mark(interval, y, name, 8))
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


def nice_step(span: float) -> float:
    """Returns 1, 2 or 5 times a power of ten, so that a span has about three lines."""
    rough = max(span, 0.05) / 2.5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(n * power for n in (1.0, 2.0, 5.0, 10.0) if n * power >= rough)
