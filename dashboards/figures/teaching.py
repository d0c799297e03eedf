"""A teacher that learns to teach: its own accuracy against its student's, and its pilots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metakd.analysis.figures.teaching import CurveBand, QuizFall, TeachingCurve
from metakd.analysis.questions.learning_to_teach import LearningTeacher, Teaching
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import (
    Heading,
    epoch_line,
    epochs_axis,
    lay_out,
    panels_per_row,
)
from metakd.dashboards.figures.figure import (
    MAX_PANELS,
    Figure,
    Layout,
    Trace,
    evenly,
    label,
    left_out,
    legend_room,
    points_each,
)
from metakd.dashboards.formats import from_to, plain
from metakd.dashboards.theme import styles_in
from metakd.strategies import Style

PANEL_PX = 150
TABLE_ROWS = 100
DOES = {"falls": "lowers", "rises": "raises"}
BANDS = "Bands: t interval of each mean by itself, over seeds, none below 3."
ACCURACIES: Mapping[str, Style] = {
    "teacher_pp": Style("the teacher itself", "@forest", "circle", "dash"),
    "student_pp": Style("its student", "@wine", "diamond", "solid"),
}
QUIZ: Mapping[str, Style] = {
    "quiz_before": Style("before the pilots", "@steel", "circle", "dash"),
    "quiz_after": Style("after them", "@ember", "diamond", "solid"),
}


def teaching_title(teacher: LearningTeacher | None) -> str:
    """Returns the title: what becomes of the teacher's own accuracy, where that is shown."""
    if teacher is None or teacher.change.mean_pp is None:
        return "The teacher’s own accuracy against its student’s"
    points = f"{abs(teacher.change.mean_pp):.2f} points of its own test accuracy"
    if teacher.changed in ("gains", "loses"):
        return f"The teacher {teacher.changed} {points} as it learns to teach"
    return "The teacher is not shown to gain or lose accuracy as it learns to teach"


def quizzes_title(fall: QuizFall | None) -> str:
    """Returns the title: whether pilots are shown to lower the quiz loss, and by how much."""
    if fall is None or fall.fall_percent.mean_pp is None:
        return "The quiz loss before and after each pilot"
    if fall.claim not in DOES:
        return "A pilot is not shown to lower the quiz loss"
    by = f"{abs(fall.fall_percent.mean_pp):.2g} % on average"
    return f"A pilot {DOES[fall.claim]} the quiz loss by {by}"


def teaching_figure(summary: Summary) -> Figure | None:
    """Draws the teacher's accuracy and its student's; None where no teacher learned."""
    first = _first_strategy(summary)
    teachers = summary.answer.teachers if isinstance(summary.answer, Teaching) else ()
    title = teaching_title(next((each for each in teachers if each.strategy == first), None))
    drawn = _draw(summary, ACCURACIES, {"name": "validation, %"}, 1)
    if drawn is None:
        return None
    return drawn.figure(
        "teaching",
        title,
        "Validation accuracy at the end of each epoch, of the teacher itself and of the student "
        "that it teaches, with a 95 % band over seeds. Each row of panels has its own scale.",
        f"{BANDS} The title is of test accuracy at the end of training against before, over "
        "settings and seeds, after Holm’s correction over the strategies.",
    )


def quizzes_figure(summary: Summary) -> Figure | None:
    """Draws the quiz loss before and after the pilots of each epoch; None without quizzes."""
    first = _first_strategy(summary)
    title = quizzes_title(next((f for f in summary.quiz_falls if f.strategy == first), None))
    drawn = _draw(summary, QUIZ, {"name": "cross-entropy"}, 3)
    if drawn is None:
        return None
    return drawn.figure(
        "quizzes",
        title,
        "The student’s cross-entropy on the quiz before the pilots of each epoch and after them, "
        "with a 95 % band over seeds. Each row of panels has its own scale.",
        f"{BANDS} The title is of means over a run’s epochs, then over settings and seeds, after "
        "Holm’s correction over the strategies.",
    )


@dataclass(frozen=True)
class _Drawn:
    """Panels of two lines, one for each strategy and setting."""

    traces: tuple[Trace, ...]
    layout: Layout
    height_px: int
    panels: int
    curves: int
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def figure(self, id_: str, title: str, subtitle: str, foot: str) -> Figure:
        kept = evenly(len(self.rows), TABLE_ROWS)
        both = " and ".join(self.names)
        return Figure(
            id=id_,
            title=title,
            subtitle=subtitle,
            description=f"{title}. Line plots over epochs in {counted(self.panels, 'panel')}: "
            f"{both}.",
            traces=self.traces,
            layout=self.layout,
            height_px=self.height_px,
            columns=("setting", "strategy", "of", "first", "last", "its interval"),
            rows=tuple(self.rows[index] for index in kept),
            foot=foot
            + left_out(self.panels, self.curves, "panels", "the learner’s first")
            + left_out(len(kept), len(self.rows), "lines", "evenly, in the table"),
        )


def _draw(summary: Summary, lines: Mapping[str, Style], y: Layout, digits: int) -> _Drawn | None:
    first = _first_strategy(summary)
    curves = [
        curve
        for curve in sorted(summary.teaching_curves, key=lambda curve: curve.strategy != first)
        if any(value is not None for band in _bands(curve, lines) for value in band.mean)
    ]
    if not curves:
        return None
    drawn, names = curves[:MAX_PANELS], styles_in(summary)
    last = max(curve.epochs[-1] for curve in drawn) + 1
    panels, layout, height_px = lay_out(
        [Heading(curve.key, label(names[curve.strategy].name, 24)) for curve in drawn],
        panels_per_row(summary, [curve.key for curve in drawn]),
        PANEL_PX,
        x=epochs_axis(last),
        y=y,
        ranges=[_reach(_bands(curve, lines)) for curve in drawn],
        legend_px=legend_room([style.name for style in lines.values()]),
    )
    points = points_each(len(lines) * len(drawn))
    traces = [
        trace
        for index, (curve, panel) in enumerate(zip(drawn, panels, strict=True))
        for band, style in zip(_bands(curve, lines), lines.values(), strict=True)
        for trace in epoch_line(
            curve.epochs, band.mean, band.low, band.high, style, panel, points, index == 0, digits
        )
    ]
    rows = [
        (
            curve.key,
            names[curve.strategy].name,
            style.name,
            plain(_known(band)[0], digits),
            plain(_known(band)[-1], digits),
            from_to(band.low[-1], band.high[-1]),
        )
        for curve in drawn
        for band, style in zip(_bands(curve, lines), lines.values(), strict=True)
    ]
    return _Drawn(
        traces=tuple(traces),
        layout=layout,
        height_px=height_px,
        panels=len(drawn),
        curves=len(curves),
        names=tuple(style.name for style in lines.values()),
        rows=tuple(rows),
    )


def _first_strategy(summary: Summary) -> str | None:
    """Returns the strategy of the titles: the learner, or else the first with curves."""
    names = [curve.strategy for curve in summary.teaching_curves]
    return summary.learner if summary.learner in names else next(iter(names), None)


def _bands(curve: TeachingCurve, lines: Mapping[str, Style]) -> list[CurveBand]:
    return [getattr(curve, name) for name in lines]


def _known(band: CurveBand) -> Sequence[float | None]:
    return [value for value in band.mean if value is not None] or [None]


def _reach(bands: Sequence[CurveBand]) -> list[float]:
    seen = [
        value
        for band in bands
        for values in (band.mean, band.low, band.high)
        for value in values
        if value is not None
    ]
    low, high = min(seen), max(seen)
    pad = 0.05 * (high - low) or 0.5
    return [low - pad, high + pad]
