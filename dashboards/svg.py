"""Intervals as small inline drawings: there before any script runs, and without one."""

from collections.abc import Iterable

from markupsafe import Markup

from dashboards.theme import Look
from metakd.analysis.intervals import Interval

WIDTH, HEIGHT = 220, 30
BOX, DIAMOND = 11, 6.5


def interval_bar(interval: Interval, margin_pp: float, reach_pp: float) -> Markup:
    """Draws a difference with its interval over the margin, on a scale of ± ``reach_pp``."""

    def x(value: float) -> float:
        clipped = max(-reach_pp, min(reach_pp, value))
        return DIAMOND + (WIDTH / 2 - DIAMOND) * (1 + clipped / reach_pp)

    middle = HEIGHT / 2
    parts = [
        f'<line class="rail" x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}"/>',
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
        f'<svg class="bar" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'
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


def swatch(look: Look) -> Markup:
    """Returns a short piece of a strategy's line, as in a legend."""
    dash = {"dash": "5 3", "dot": "2 3", "dashdot": "5 3 1 3"}.get(look.dash, "none")
    return Markup(
        '<svg class="swatch" viewBox="0 0 22 10" aria-hidden="true"><line x1="0" x2="22" y1="5" '
        f'y2="5" stroke="var(--{look.colour[1:]})" stroke-dasharray="{dash}"/></svg>'
    )
