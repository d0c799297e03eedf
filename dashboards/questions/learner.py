"""What the two questions share whose learner is not a temperature: its parts, its baselines.

One is about weights of several teachers, the other about a teacher that learns to teach.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape
from rich.table import Table

from metakd.analysis.places import SINGLE
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.learner import PARTS, LearnerAnswer, Part
from metakd.analysis.summary import Summary
from metakd.dashboards.formats import effect, plain, runs, sides_of, signed
from metakd.dashboards.questions.elements import (
    KeyFigure,
    compute_key,
    difference_key,
    headline_comparison,
    settings_key,
)
from metakd.dashboards.svg import LEFT, RIGHT, WIDTH, PointsScale, interval_bar, reach
from metakd.dashboards.terminal import accuracy, clear_gap, new_table, strategy_cells, wrapped
from metakd.dashboards.theme import styles_in
from metakd.strategies import label_of

# Of the drawing.
TOP, ROW = 62, 38
# Of the terminal's columns.
HEAD_WIDTH = 12
# It would flatten the rest.
LEFT_OUT = "ce"
# What else the terminal's table of settings shows of a study that ran it.
SHOWN = ("ce", SINGLE, "meta")


@dataclass(frozen=True)
class PartRow:
    """What one part of the method does, its interval drawn."""

    part: Part
    name: str
    bar: Markup


@dataclass(frozen=True)
class LearnerTable:
    """What helps: a row for each part of the method."""

    parts: tuple[PartRow, ...]


def part_rows(answer: LearnerAnswer, margin_pp: float) -> tuple[PartRow, ...]:
    """Returns a row for each part of the method, all intervals on one scale."""
    span = reach((part.effect for part in answer.parts), margin_pp)
    return tuple(
        PartRow(
            part,
            PARTS[part.part],
            interval_bar(part.effect, margin_pp, span),
        )
        for part in answer.parts
    )


def key_figures(summary: Summary, *further: KeyFigure) -> tuple[KeyFigure, ...]:
    """Returns the difference to the main baseline, further figures, compute and settings."""
    main = headline_comparison(summary)
    return (
        difference_key(main, summary.question),
        *further,
        compute_key(main, summary.question),
        settings_key(summary),
    )


def baselines_plot(summary: Summary) -> Markup | None:
    """Draws learner minus each baseline, the main one first; None without a pair.

    One row for each strategy that learns no more than the learner does.
    """
    by_name = {baseline.strategy: baseline.overall.effect for baseline in summary.baselines}
    question = QUESTIONS[summary.question]
    order = dict.fromkeys([summary.baseline, *question.baselines, *question.learners])
    known = {
        name: by_name[name]
        for name in order
        if name != LEFT_OUT and name in by_name and by_name[name].mean_pp is not None
    }
    if not known:
        return None
    scale = PointsScale(reach(known.values(), summary.margin_pp))
    bottom = TOP + ROW * len(known)
    learner, styles = escape(sides_of(summary).starts), styles_in(summary)
    parts = [
        *scale.frame(summary.margin_pp, TOP - 14, bottom),
        f'<text x="{scale.at(0) + 8:.1f}" y="{TOP - 24}">{learner} ahead →</text>',
        f'<text x="{scale.at(0) - 8:.1f}" y="{TOP - 24}" text-anchor="end">← behind</text>',
    ]
    for index, (name, found) in enumerate(known.items()):
        y = TOP + (index + 0.72) * ROW
        parts.append(scale.mark(found, y, "meta", 7))
        # Above the mark, where no interval runs through it.
        parts.append(
            f'<text x="{LEFT}" y="{y - 12:.1f}">{escape(styles[name].name)}</text>'
            f'<text class="label" x="{RIGHT}" y="{y - 12:.1f}" text-anchor="end">'
            f"{signed(found.mean_pp)}</text>"
        )
    parts.append(
        f'<text x="{(LEFT + RIGHT) / 2}" y="{bottom + 26}" text-anchor="middle">'
        "points of test accuracy, with their intervals</text>"
    )
    words = "; ".join(
        f"{label_of(name, summary.question)} {signed(found.mean_pp)}"
        for name, found in known.items()
    )
    return Markup(
        f'<svg class="hero-plot" viewBox="0 0 {WIDTH} {bottom + 40}" role="img" '
        f'aria-label="{learner} minus others in points: {escape(words)}.">'
        f"{''.join(parts)}</svg>"
    )


def strategies_table(
    summary: Summary, answer: LearnerAnswer, own: Mapping[str, float | None] | None = None
) -> Table:
    """Returns test accuracy in %, cost in plain runs and the learner minus each in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of strategies.

    Args:
        summary: The study.
        answer: The learner's own numbers.
        own: The teacher's own test accuracy in % by strategy, if that is a question.
    """

    def rows() -> Iterator[tuple[str, ...]]:
        if summary.learner in summary.strategies:
            reached = (plain(answer.test_pp), runs(summary.runs.get(summary.learner)))
            yield row(summary.learner, summary.learner, *reached, "", "", "")
        for baseline in summary.baselines:
            yield row(baseline.strategy, *strategy_cells(baseline))

    def row(strategy: str, name: str, test: str, *rest: str) -> tuple[str, ...]:
        return (name, test, *([plain(own.get(strategy))] if own else []), *rest)

    numbers = ["test", *(["its teacher"] if own else []), "runs charged"]
    numbers.append(f"{summary.learner} − it")
    return new_table("strategy", numbers, rows(), ["verdict", "clear gap"])


def settings_table(summary: Summary) -> Table:
    """Returns test accuracies in % by setting, and the learner minus its main baseline."""
    learner, baseline, styles = summary.learner, summary.baseline, styles_in(summary)
    further = (name for name in SHOWN if name in summary.strategies and name != baseline)
    shown = [*further, baseline, learner]
    names = [styles[name].name if name in styles else name for name in shown]
    heads = [*(wrapped(name, HEAD_WIDTH) for name in names), f"{names[-1]} −\n{names[-2]}"]
    numbers = ["n train", *heads]

    def rows() -> Iterator[tuple[str, ...]]:
        for setting in summary.settings:
            scores = {score.strategy: score for score in setting.scores}
            yield (
                wrapped(setting.key),
                str(setting.train_samples),
                *(accuracy(scores.get(name)) for name in shown),
                effect(setting.versus_baseline),
                clear_gap(setting),
            )

    return new_table("setting", numbers, rows(), ["clear gap"])
