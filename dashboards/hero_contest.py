"""The plot beside the verdict of a contest: how far ahead its protagonist is of all others.

One row for each rival that learns no more than the protagonist does, the main one first.
"""

from collections.abc import Callable, Iterator, Mapping

from markupsafe import Markup, escape

from dashboards.contest_words import contest_words
from dashboards.numbers import signed
from dashboards.svg import diamond, reach
from dashboards.theme import Look
from metakd.analysis.contest import CONTENDERS
from metakd.analysis.strategy_names import strategy_name
from metakd.analysis.summary import Rival, Summary

WIDTH = 420
LEFT, RIGHT, TOP, ROW = 12, 408, 62, 38
# It would flatten the rest.
LEFT_OUT = "ce"


def contest_plot(summary: Summary, looks: Mapping[str, Look]) -> Markup | None:
    """Draws protagonist minus each rival; None without a pair."""
    by_name = {rival.strategy: rival for rival in summary.rivals}
    contenders = CONTENDERS[summary.question]
    order = dict.fromkeys([summary.main_rival, *contenders.rivals, *contenders.learners])
    known = [
        by_name[name]
        for name in order
        if name != LEFT_OUT and name in by_name and by_name[name].overall.effect.mean_pp is not None
    ]
    if not known:
        return None
    margin_pp = summary.margin_pp
    most = reach((rival.overall.effect for rival in known), margin_pp)
    bottom = TOP + ROW * len(known)

    def at(value: float) -> float:
        return (LEFT + RIGHT) / 2 + value / most * (RIGHT - LEFT) / 2

    learner = contest_words(summary).starts
    parts = [
        f'<rect class="margin" x="{at(-margin_pp):.1f}" y="{TOP - 14}" rx="3" '
        f'width="{at(margin_pp) - at(-margin_pp):.1f}" height="{bottom - TOP + 14}"/>',
        f'<line class="zero" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="{TOP - 14}" y2="{bottom}"/>',
        f'<text x="{at(0) + 8:.1f}" y="{TOP - 24}">{escape(learner)} ahead →</text>',
        f'<text x="{at(0) - 8:.1f}" y="{TOP - 24}" text-anchor="end">← behind</text>',
    ]
    for index, rival in enumerate(known):
        parts += _row(rival, TOP + (index + 0.72) * ROW, at, looks[rival.strategy].name)
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{bottom + 26}" text-anchor="middle">'
        "points of test accuracy, with their intervals</text>"
    )
    words = "; ".join(
        f"{strategy_name(rival.strategy, summary.question)} {signed(rival.overall.effect.mean_pp)}"
        for rival in known
    )
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {bottom + 40}" role="img" '
        f'aria-label="{escape(learner)} minus others in points: {escape(words)}.">'
        f"{''.join(parts)}</svg>"
    )


def _row(rival: Rival, y: float, at: Callable[[float], float], name: str) -> Iterator[str]:
    effect = rival.overall.effect
    mean = effect.mean_pp or 0.0
    if effect.low_pp is not None and effect.high_pp is not None:
        yield (
            f'<line class="interval meta" x1="{at(effect.low_pp):.1f}" '
            f'x2="{at(effect.high_pp):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    yield f'<path class="dot meta" d="{diamond(at(mean), y, 7)}"/>'
    # Above the mark, where no interval runs through it.
    yield f'<text x="{LEFT}" y="{y - 12:.1f}">{escape(name)}</text>'
    yield (
        f'<text class="label" x="{RIGHT}" y="{y - 12:.1f}" text-anchor="end">{signed(mean)}</text>'
    )
