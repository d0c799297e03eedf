"""Grid search against learned temperatures: accuracy for compute, and the three comparisons.

The drawing has labels in place of a legend; a label goes where it covers least of the lines, so
that it never hides a crossing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from metakd.analysis.reached import CostPoint
from metakd.analysis.summary import Summary
from metakd.analysis.wording import in_runs
from metakd.dashboards.formats import NONE, signed
from metakd.dashboards.questions.elements import (
    KeyFigure,
    Opening,
    compute_key,
    difference_key,
    headline_comparison,
    settings_key,
)
from metakd.dashboards.svg import diamond, nice_step
from metakd.dashboards.theme import badge_tone

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 404, 44, 246
LETTER, LINE = 7.0, 16.0
GAP = 9.0
# Cost in plain runs, and test accuracy in per cent.
Point = tuple[float, float]


def opening(summary: Summary) -> Opening:
    """Returns accuracy for compute, and what learning gains, costs and makes needless."""
    return Opening(
        tone=badge_tone(headline_comparison(summary)),
        drawing=compute_plot(summary.costs, summary.fixed_tau),
        keys=key_figures(summary),
        sections=("comparisons", "baselines"),
    )


def key_figures(summary: Summary) -> tuple[KeyFigure, ...]:
    """Returns difference, compute, settings by their claim, and what a reused temperature costs."""
    main = headline_comparison(summary)
    return difference_key(main), compute_key(main), settings_key(summary), _reuse_key(summary)


def _reuse_key(summary: Summary) -> KeyFigure:
    label, transfer = "If τ is reused elsewhere", summary.transfer
    if transfer is None or transfer.mean_pp is None or transfer.worst_pp is None:
        return KeyFigure(label, NONE, "", "needs a grid in two settings or more")
    note = f"average over all moves; the worst {signed(-transfer.worst_pp)}"
    return KeyFigure(label, signed(-transfer.mean_pp), "points", note)


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, in its units, y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def overlaps(self, other: "Box") -> bool:
        """Returns whether two rectangles share any area."""
        return (
            self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1
        )


@dataclass(frozen=True)
class Scale:
    """Where a value lies: compute in plain runs on a log scale, accuracy in per cent."""

    most_runs: float
    low: float
    high: float

    def at(self, runs: float, accuracy: float) -> tuple[float, float]:
        """Returns a point's place."""
        along = math.log(max(runs, 1.0)) / math.log(max(self.most_runs, 2.0))
        up = (accuracy - self.low) / (self.high - self.low)
        return LEFT + 12 + along * (RIGHT - LEFT - 24), BOTTOM - up * (BOTTOM - TOP)


def compute_plot(points: Sequence[CostPoint], fixed_tau: float) -> Markup | None:
    """Draws what a grid reaches by its runs, and what learning reaches; None without both.

    Training without a teacher is left out: it would flatten what is to be compared.

    Args:
        points: Accuracy for compute.
        fixed_tau: The default temperature.
    """
    grid, fixed, learned = (
        [(p.runs, p.test_pp) for p in points if p.strategy == name and p.runs is not None]
        for name in ("grid", "fixed", "meta")
    )
    if not learned or not (grid or fixed):
        return None
    accuracies = [test_pp for _, test_pp in (*grid, *fixed, *learned)]
    step = nice_step(max(accuracies) - min(accuracies))
    pad = 0.35 * step
    most = max(runs for runs, _ in (*grid, *fixed, *learned))
    scale = Scale(max(most, 2.0), min(accuracies) - pad, max(accuracies) + pad)

    parts = [*_axes(scale, step)]
    taken: list[Box] = []
    labels: list[tuple[str, str, list[tuple[float, float, str]]]] = []
    if fixed:
        x, y = scale.at(*fixed[0])
        parts.append(
            f'<line class="line fixed" x1="{x:.1f}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<rect class="dot fixed" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
        )
        taken += _along([(x, y), (RIGHT, y)])
        labels.append(("fixed", f"fixed τ = {fixed_tau:g}", _beside_line(x, y)))
    if grid:
        curve = [scale.at(*point) for point in grid]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        parts.append(f'<polyline class="line grid" points="{path}"/>')
        parts += [f'<circle class="dot grid" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in curve]
        taken += _along(curve)
        name = "grid, best of k" if len(grid) > 1 else "grid of 1"
        labels.append(("grid", name, [s for x, y in reversed(curve) for s in _beside_point(x, y)]))
    x, y = scale.at(*learned[0])
    parts.append(f'<line class="line meta" x1="{x:.1f}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<path class="dot meta" d="{diamond(x, y, 9)}"/>')
    taken += [*_along([(x, y), (RIGHT, y)]), Box(x - 9, y - 9, x + 9, y + 9)]
    labels.append(("meta", f"learned, {in_runs(learned[0][0])}", _beside_line(x, y)))

    placed: list[Box] = []
    for strategy, text, spots in reversed(labels):
        box, anchor = _freest(text, spots, taken, placed)
        placed.append(box)
        at = {"start": box.x0, "middle": (box.x0 + box.x1) / 2, "end": box.x1}[anchor]
        parts.append(
            f'<text class="label {strategy}" x="{at:.1f}" y="{box.y1 - 4:.1f}" '
            f'text-anchor="{anchor}">{text}</text>'
        )
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{_in_words(learned, grid, fixed)}">{"".join(parts)}</svg>'
    )


def _in_words(learned: Sequence[Point], grid: Sequence[Point], fixed: Sequence[Point]) -> str:
    named = [
        *(("learned", point) for point in learned),
        *(("the whole grid", point) for point in grid[-1:]),
        *(("the fixed temperature", point) for point in fixed),
    ]
    words = [f"{name} {test_pp:.2f} % at {in_runs(runs)}" for name, (runs, test_pp) in named]
    return f"Mean test accuracy for compute: {', '.join(words)}."


def _axes(scale: Scale, step: float) -> Iterator[str]:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(scale.low / step)
    for number in range(first, math.floor(scale.high / step) + 1):
        _, y = scale.at(1.0, number * step)
        yield f'<line class="rule" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{number * step:.{digits}f}</text>"
        )
    for runs in _run_ticks(scale.most_runs):
        x, _ = scale.at(runs, scale.low)
        yield f'<text x="{x:.1f}" y="{BOTTOM + 22}" text-anchor="middle">{runs}</text>'
    yield f'<text x="{LEFT - 40}" y="{TOP - 26}">test accuracy, %</text>'
    yield (
        f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 44}" text-anchor="middle">'
        "compute spent, in plain runs</text>"
    )


def _run_ticks(most: float) -> list[int]:
    """Returns powers of two up to a number of runs, and that number where it is apart from them."""
    ticks = [2**power for power in range(int(math.log2(most) + 1e-9) + 1)]
    last = math.floor(most + 1e-9)
    while len(ticks) > 6:
        ticks = ticks[::2]
    return [*ticks, last] if last > 1.2 * ticks[-1] else ticks


def _beside_line(x: float, y: float) -> list[tuple[float, float, str]]:
    """Returns places above and below a level line from x to the right: x, baseline, anchor."""
    above, below = y - GAP + 2, y + GAP + 9
    return [
        (x + 14, above, "start"),
        (x + 14, below, "start"),
        (RIGHT, above, "end"),
        (RIGHT, below, "end"),
        (x - 14, y + 4, "end"),
    ]


def _beside_point(x: float, y: float) -> list[tuple[float, float, str]]:
    above, below = y - GAP - 3, y + GAP + 12
    return [
        (x, below, "end"),
        (x, above, "end"),
        (x, below, "middle"),
        (x, above, "middle"),
        (x + 10, below, "start"),
        (x - 10, above, "end"),
    ]


def _freest(
    text: str, spots: Sequence[tuple[float, float, str]], lines: Sequence[Box], placed: list[Box]
) -> tuple[Box, str]:
    """Returns the first of the places that cover least; labels weigh more than lines."""
    width = LETTER * len(text)

    def box_at(spot: tuple[float, float, str]) -> Box:
        x, baseline, anchor = spot
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        return Box(left, baseline - LINE + 4, left + width, baseline + 4)

    def cost(spot: tuple[float, float, str]) -> float:
        box = box_at(spot)
        outside = box.x0 < LEFT or box.x1 > WIDTH or box.y0 < 0 or box.y1 > BOTTOM + 4
        return (
            1000 * sum(box.overlaps(other) for other in placed)
            + 100 * outside
            + sum(box.overlaps(other) for other in lines)
        )

    best = min(spots, key=cost)
    return box_at(best), best[2]


def _along(points: Sequence[tuple[float, float]]) -> list[Box]:
    """Returns small boxes along a polyline, a few units apart."""
    boxes = []
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[-1]], strict=True):
        pieces = max(1, int(math.hypot(x1 - x0, y1 - y0) / 5))
        for piece in range(pieces):
            x, y = x0 + (x1 - x0) * piece / pieces, y0 + (y1 - y0) * piece / pieces
            boxes.append(Box(x - 2, y - 2, x + 2, y + 2))
    return boxes
