"""A gap along better teachers, or along stronger augmentations: is it there, and is it mended?

The drawing has one line for each basic strategy; below its axis stand the levels, and how good
teachers are themselves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from markupsafe import Markup, escape
from rich.table import Table

from metakd.analysis.along import Level
from metakd.analysis.questions.gap import compared_learner
from metakd.analysis.questions.gap_numbers import LevelGap, LevelGaps, StrategyGap
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.analysis.wording import listed, percent
from metakd.dashboards.formats import effect, plain, signed
from metakd.dashboards.questions.elements import (
    KeyFigure,
    Opening,
    compute_key,
    headline_comparison,
    interval_key,
)
from metakd.dashboards.svg import interval_bar, nice_step, reach
from metakd.dashboards.terminal import new_table, usual_tables
from metakd.dashboards.theme import BAD, GOOD, NEUTRAL, own_style

MENDED_TONES = {"mended": GOOD, "reduced": GOOD, "enlarged": BAD}
VERDICT_TONES = {"there": BAD, "the reverse": GOOD}
# Of the table in the terminal.
MOST_LEVELS, LEVELS_WIDTH, WORDS_WIDTH = 5, 48, 14
# Of the drawing.
WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 318, 44, 232
LETTER, LINE = 7.0, 17.0
INSET = 22
SHOWN = ("meta", "grid", "fixed")

Point = tuple[float, float]


@dataclass(frozen=True)
class GapRow:
    """One strategy of the table, its intervals drawn."""

    gap: StrategyGap
    drop_bar: Markup
    mending_bar: Markup | None
    tone: str
    mended_tone: str


@dataclass(frozen=True)
class GapTable:
    """The gap, and a row for each strategy."""

    gap: LevelGap
    rows: tuple[GapRow, ...]


def opening(summary: Summary) -> Opening:
    """Returns students along the levels, the default's drop, and what learning mends of it."""
    gap = _main_gap(summary)
    if gap is None:
        return Opening()
    return Opening(
        tone=_gap_tone(gap),
        drawing=levels_plot(gap),
        keys=_gap_keys(gap, summary),
        sections=("questions/gap", "more", "baselines"),
        page="gap",
        table=GapTable(gap, _gap_rows(gap, summary.margin_pp)),
    )


def tables(summary: Summary) -> list[Table]:
    """Returns the terminal's tables: of the gap where there is data, and the usual ones."""
    gap = _main_gap(summary)
    return [*([] if gap is None else [gap_table(gap)]), *usual_tables(summary)]


def _main_gap(summary: Summary) -> LevelGap | None:
    return summary.answer.main if isinstance(summary.answer, LevelGaps) else None


def gap_table(gap: LevelGap) -> Table:
    """Returns one row for each strategy: what it reaches at each level, its drop, and the words.

    Accuracies in %, gains and drops in points; of many levels the most telling five.
    """
    kept = _kept(gap)
    # At a declared look the default's drop has the look's own level.
    levels = dict.fromkeys(percent(each.drop.level) for each in gap.strategies)
    return new_table(
        "gain by" if gap.measure == "gain" else f"{gap.factor}:",
        [
            *(_head(gap.levels[index], LEVELS_WIDTH // len(kept)) for index in kept),
            f"drop, {listed(list(levels))} interval",
        ],
        [
            (
                each.strategy,
                *(_reached(each.by_level[index], gap.measure) for index in kept),
                effect(each.drop),
                _words(each),
            )
            for each in gap.strategies
        ],
        ["drop is"],
    )


def _kept(gap: LevelGap) -> Sequence[int]:
    last = len(gap.levels) - 1
    if last < MOST_LEVELS:
        return range(last + 1)
    chosen = [level.name for level in gap.levels].index(gap.chosen)
    kept = [0, chosen, last, last - 1, 1, 2]
    return sorted(list(dict.fromkeys(kept))[:MOST_LEVELS])


def _head(level: Level, width: int) -> str:
    own = [] if level.val_pp is None else [f"{level.val_pp:.1f} %"]
    return "\n".join([*(wrap(level.name, width) or [level.name]), *own])


def _reached(reached: Interval, measure: str) -> str:
    return signed(reached.mean_pp) if measure == "gain" else plain(reached.mean_pp)


def _words(gap: StrategyGap) -> str:
    words = [gap.verdict] + ([] if gap.mended in (None, "nothing to mend") else [str(gap.mended)])
    return "\n".join(wrap("; ".join(words), WORDS_WIDTH))


def _gap_tone(gap: LevelGap) -> str:
    """A gap is bad news and its mending good; learning is what the study is for."""
    verdict, learner = gap.strategies[0].verdict, compared_learner(gap)
    if verdict == "there" and learner is not None and learner.mended in MENDED_TONES:
        return MENDED_TONES[learner.mended]
    return VERDICT_TONES.get(verdict, NEUTRAL)


def _gap_keys(gap: LevelGap, summary: Summary) -> tuple[KeyFigure, ...]:
    reference, learner = gap.strategies[0], compared_learner(gap)
    way = "where τ is learned" if learner and learner.strategy == "meta" else "with a grid"
    keys = [
        interval_key(f"Drop at τ = {summary.fixed_tau:g}", reference.drop, (
            f"{gap.chosen} minus {gap.levels[-1].name}",))
    ]  # fmt: skip
    if learner is not None and learner.mending is not None:
        word = "" if learner.mended == "nothing to mend" else learner.mended or ""
        keys.append(interval_key(f"Drop {way}", learner.drop, ("the same two",)))
        keys.append(
            interval_key(
                f"Less than at τ = {summary.fixed_tau:g} by",
                learner.mending,
                (word,),
            )
        )
    if gap.measure == "gain":
        shown = reference if learner is None else learner
        where = f"Gain under {gap.levels[-1].name}"
        where_tau = "at the default τ" if learner is None else way
        keys.append(interval_key(where, shown.by_level[-1], (f"over no teacher, {where_tau}",)))
    else:
        keys.append(compute_key(headline_comparison(summary)))
    return tuple(keys)


def _gap_rows(gap: LevelGap, margin_pp: float) -> tuple[GapRow, ...]:
    drawn = [each.drop for each in gap.strategies]
    drawn += [each.mending for each in gap.strategies if each.mending is not None]
    span = reach(drawn, margin_pp)
    return tuple(
        GapRow(
            gap=each,
            drop_bar=interval_bar(each.drop, margin_pp, span),
            mending_bar=None
            if each.mending is None
            else interval_bar(each.mending, margin_pp, span),
            tone=VERDICT_TONES.get(each.verdict, NEUTRAL),
            mended_tone=MENDED_TONES.get(each.mended or "", NEUTRAL),
        )
        for each in gap.strategies
    )


def levels_plot(gap: LevelGap) -> Markup | None:
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
    names = {each.strategy: own_style(each.strategy).name for each in shown}
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


def _level_names(levels: Sequence[Level], places: Sequence[float]) -> Iterator[str]:
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
