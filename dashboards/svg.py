"""Small drawings as inline SVG: there before any script runs, and without one."""

from collections.abc import Sequence

from markupsafe import Markup

from metakd.analysis.curves import CostPoint
from metakd.analysis.summary import Comparison

WIDTH, HEIGHT = 380, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 96, 22, 40
LABEL_WIDTH = 80
BAR_WIDTH, BAR_HEIGHT = 220, 34


def compute_plot(points: Sequence[CostPoint]) -> Markup | None:
    """Draws accuracy against compute with direct labels; None without results."""
    if not points:
        return None
    unit = min(point.step_equivalents for point in points) or 1.0
    xs = [point.step_equivalents / unit for point in points]
    ys = [point.test_pp for point in points]
    low, high = min(ys), max(ys)
    pad = max(high - low, 0.2) * 0.12
    low, high = low - pad, high + pad

    def place(point: CostPoint) -> tuple[float, float]:
        x = point.step_equivalents / unit / max(*xs, 1.0)
        y = (point.test_pp - low) / (high - low)
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT + 8}" '
        f'y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    ]
    for value in (low + pad, high - pad):
        y = HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                     f"{value:.1f}</text>")  # fmt: skip
    grid = sorted((p for p in points if p.strategy == "grid"), key=lambda p: p.runs)
    if len(grid) > 1:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, grid))
        parts.append(f'<polyline class="grid-line" points="{line}"/>')
    for point in points:
        x, y = place(point)
        parts.append(f'<circle class="dot {point.strategy}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
    labels = {"meta": "learned", "fixed": "fixed τ", "ce": "no teacher"}
    labelled = [(place(p), p.strategy, labels[p.strategy]) for p in points if p.strategy in labels]
    if grid:
        labelled.append((place(grid[-1]), "grid", f"grid of {grid[-1].runs}"))
    taken: list[tuple[float, float]] = []
    for (x, y), strategy, label in sorted(labelled, key=lambda item: item[0][1]):
        # Labels of near points are pushed apart downwards.
        below = [other + 15 for beside, other in taken if abs(beside - x) < LABEL_WIDTH]
        at = max([y + 4, *below])
        taken.append((x, at))
        parts.append(f'<text class="label {strategy}" x="{x + 9:.1f}" y="{at:.1f}">{label}</text>')
    parts.append(
        f'<text class="tick" x="{LEFT}" y="{HEIGHT - 12}">compute, up to '
        f"{max(xs):.1f} plain runs</text>"
        f'<text class="tick" x="{LEFT}" y="12">test accuracy, %</text>'
    )
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Mean test accuracy against compute, by strategy">{"".join(parts)}</svg>'
    )


def interval_bar(comparison: Comparison, margin_pp: float, reach_pp: float) -> Markup:
    """Draws a difference with its interval over the margin, on a scale of ± ``reach_pp``."""

    def x(value: float) -> float:
        clipped = max(-reach_pp, min(reach_pp, value))
        return BAR_WIDTH / 2 * (1 + clipped / reach_pp)

    effect, middle = comparison.effect, BAR_HEIGHT / 2
    parts = [
        f'<rect class="margin" x="{x(-margin_pp):.1f}" y="3" '
        f'width="{x(margin_pp) - x(-margin_pp):.1f}" height="{BAR_HEIGHT - 6}"/>',
        f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{BAR_HEIGHT}"/>',
    ]
    if effect.low_pp is not None and effect.high_pp is not None:
        parts.append(
            f'<line class="interval" x1="{x(effect.low_pp):.1f}" x2="{x(effect.high_pp):.1f}" '
            f'y1="{middle}" y2="{middle}"/>'
        )
    if effect.mean_pp is not None:
        at = x(effect.mean_pp)
        parts.append(
            f'<path class="mean" d="M{at - 6:.1f} {middle}L{at:.1f} {middle - 6}'
            f'L{at + 6:.1f} {middle}L{at:.1f} {middle + 6}Z"/>'
        )
    return Markup(
        f'<svg class="bar" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def reach(comparisons: Sequence[Comparison], margin_pp: float) -> float:
    """Returns the half-width of the scale on which all interval bars fit."""
    ends = [
        abs(value)
        for comparison in comparisons
        for value in (
            comparison.effect.mean_pp,
            comparison.effect.low_pp,
            comparison.effect.high_pp,
        )
        if value is not None
    ]
    return 1.15 * max([*ends, 2 * margin_pp])
