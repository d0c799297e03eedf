"""The plot beside the verdict of a gap: students along the levels as inline SVG, labels at the end.

One line for each basic strategy; below the axis stand the levels, and how good teachers are.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from dashboards.hero import nice_step
from dashboards.numbers import plain, signed
from metakd.analysis.answers import GapLevel, LevelGap, StrategyGap

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 318, 44, 232
LETTER, LINE = 7.0, 17.0
INSET = 22
SHOWN = ("meta", "grid", "fixed")

Point = tuple[float, float]


def levels_plot(gap: LevelGap, fixed_tau: float) -> Markup | None:
    """Draws what students reach at each level; None below two known points of any strategy."""
    by_name = {each.strategy: each for each in gap.strategies}
    shown = [by_name[name] for name in SHOWN if name in by_name]
    known = {each.strategy: _known(each) for each in shown}
    values = [value for points in known.values() for _, value in points]
    if max((len(points) for points in known.values()), default=0) < 2:
        return None
    if gap.measure == "gain":
        values.append(0.0)
    step = nice_step(max(values) - min(values))
    low, high = min(values) - 0.35 * step, max(values) + 0.35 * step

    def at(level: int, value: float) -> Point:
        along = level / (len(gap.levels) - 1)
        up = (value - low) / (high - low)
        return LEFT + INSET + along * (RIGHT - LEFT - 2 * INSET), BOTTOM - up * (BOTTOM - TOP)

    parts = [*_rules(low, high, step, gap.measure, at(0, 0.0)[1])]
    parts += _level_names(gap.levels, [at(index, low)[0] for index in range(len(gap.levels))])
    ends = []
    for each in reversed(shown):
        curve = [at(level, value) for level, value in known[each.strategy]]
        if not curve:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        parts.append(f'<polyline class="curve {each.strategy}" points="{path}"/>')
        parts += [
            f'<circle class="dot {each.strategy}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
            for x, y in curve
        ]
        ends.append((curve[-1], each.strategy))
    names = {"meta": "learned", "grid": "grid", "fixed": f"fixed τ = {fixed_tau:g}"}
    heights = apart([y for (_, y), _ in ends])
    parts += [
        f'<text class="label {name}" x="{x + 11:.1f}" y="{y + 4:.1f}">{names[name]}</text>'
        for ((x, _), name), y in zip(ends, heights, strict=True)
    ]
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(_in_words(gap, shown))}">{"".join(parts)}</svg>'
    )


def apart(heights: Sequence[float]) -> list[float]:
    """Returns heights moved so that no two are nearer than a line, in their order."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    placed = [heights[index] for index in order]
    for _ in range(len(placed)):
        for above, below in pairwise(range(len(placed))):
            lacking = LINE - (placed[below] - placed[above])
            if lacking > 0:
                placed[above] -= lacking / 2
                placed[below] += lacking / 2
    moved = [0.0] * len(placed)
    for index, height in zip(order, placed, strict=True):
        moved[index] = height
    return moved


def _known(gap: StrategyGap) -> list[tuple[int, float]]:
    means = [level.mean_pp for level in gap.by_level]
    return [(index, mean) for index, mean in enumerate(means) if mean is not None]


def _rules(low: float, high: float, step: float, measure: str, zero: float) -> Iterator[str]:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        value = number * step
        y = BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP)
        text = plain(value, digits) if measure == "accuracy" else signed(value, digits)
        yield f'<line class="rule" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield (f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
    what = "student’s test accuracy, %"
    if measure == "gain":
        yield f'<line class="zero" x1="{LEFT}" x2="{RIGHT}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
        what = "gain over no teacher, points"
    yield f'<text x="{LEFT - 40}" y="{TOP - 26}">{what}</text>'


def _level_names(levels: Sequence[GapLevel], places: Sequence[float]) -> Iterator[str]:
    """Writes names below the axis, on two lines by turns where they would touch."""
    letters = int((places[-1] - places[0]) / (len(places) - 1) / LETTER)
    lines = 1 if max(len(level.name) for level in levels) < letters else 2
    for index, (level, x) in enumerate(zip(levels, places, strict=True)):
        most = max(4, lines * letters - 1)
        name = level.name if len(level.name) <= most else level.name[: most - 1] + "…"
        y = BOTTOM + 22 + LINE * (index % lines)
        yield f'<text x="{x:.1f}" y="{y:g}" text-anchor="middle">{escape(name)}</text>'
        if level.val_pp is not None:
            y, own = BOTTOM + 22 + LINE * lines, plain(level.val_pp, 1)
            yield f'<text x="{x:.1f}" y="{y:g}" text-anchor="middle">{own} %</text>'


def _in_words(gap: LevelGap, shown: Sequence[StrategyGap]) -> str:
    def numbers(each: StrategyGap) -> str:
        return ", ".join(
            "unknown" if level.mean_pp is None else f"{level.mean_pp:.2f}"
            for level in each.by_level
        )

    names = ", ".join(level.name for level in gap.levels)
    what = "Gain over no teacher" if gap.measure == "gain" else "Test accuracy"
    lines = "; ".join(f"{each.strategy} {numbers(each)}" for each in shown)
    return f"{what} of students along {names}: {lines}."
