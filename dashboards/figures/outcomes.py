"""Whether teachers count otherwise where the student is wrong."""

from collections.abc import Sequence

from dashboards.figures.epoch_panels import epoch_line, epochs_axis, panels_per_row
from dashboards.figures.figure import AT_ZERO, Figure, legend_room, shortened
from dashboards.figures.limits import MAX_PANELS, evenly, left_out, points_each
from dashboards.figures.panels import lay_out
from dashboards.figures.weights import (
    TABLE_ROWS,
    epochs_in_words,
    final_of,
    first_strategy,
    heading,
    in_order,
)
from dashboards.looks import looks_in
from dashboards.numbers import between, plain, signed
from dashboards.teacher_looks import teacher_looks
from metakd.analysis.strategy_names import at_start, strategy_name
from metakd.analysis.summary import Summary
from metakd.analysis.weight_curves import FinalWeights, WeightsCurve
from metakd.analysis.wording import counted, listed

PANEL_PX = 150
LEAST_REACH = 2.0


def outcomes_title(final: Sequence[FinalWeights]) -> str:
    """Says which teachers count more where the student is wrong, where that is shown.

    Args:
        final: One strategy's, of one ensemble on one dataset; of several nothing is said.
    """
    parts = [found.of for found in final]
    if not final or len(set(parts)) < len(parts):
        return "The teachers’ weights where the student is wrong"
    learner = at_start(strategy_name(final[0].strategy))
    shown = [
        (found.of, each) for found in final for each in found.teachers if each.leaning == "above"
    ]
    if not shown:
        return f"{learner} is not shown to weigh teachers otherwise where the student is wrong"
    told = [
        f"{shortened(each.teacher)} ({signed(each.wrong_minus_right.mean_pp, 1)} of the {of})"
        for of, each in shown
    ]
    return f"Where the student is wrong, {learner} gives more weight to {listed(told)}"


def outcomes_figure(summary: Summary) -> Figure | None:
    """Draws wrong minus right by epoch for the titles' strategy; None without such weights."""
    first = first_strategy(summary)
    curves = [
        curve
        for curve in in_order(summary)
        if curve.strategy == first
        and any(v is not None for line in curve.wrong_minus_right.mean_pp for v in line)
    ]
    if not curves:
        return None
    looks, names = teacher_looks(summary), looks_in(summary)
    drawn = curves[:MAX_PANELS]
    shown = {name: look for name, look in looks.items() if any(name in c.teachers for c in drawn)}
    last = max(curve.epochs[-1] for curve in drawn) + 1
    panels, layout, height_px = lay_out(
        [heading(curve, names) for curve in drawn],
        panels_per_row(summary, [curve.key for curve in drawn]),
        PANEL_PX,
        x=epochs_axis(last),
        y={"name": "wrong − right, points", **AT_ZERO},
        ranges=[_reach([c for c in drawn if c.of == curve.of]) for curve in drawn],
        legend_px=legend_room(list(shown)),
    )
    rows = [row for curve in drawn for row in _rows(curve)]
    title = outcomes_title(final_of(summary, first))
    points = points_each(sum(len(curve.teachers) for curve in drawn))
    seen: set[str] = set()
    traces = []
    for curve, panel in zip(drawn, panels, strict=True):
        gap = curve.wrong_minus_right
        for k, teacher in enumerate(curve.teachers):
            traces += epoch_line(
                curve.epochs, gap.mean_pp[k], gap.low_pp[k], gap.high_pp[k], looks[teacher],
                panel, points, teacher not in seen,
            )  # fmt: skip
            seen.add(teacher)
    return Figure(
        id="outcomes",
        title=title,
        subtitle="A teacher’s weight among samples that the student gets wrong before its step, "
        "minus that among those it gets right, with a 95 % band over seeds. Above the line it "
        "counts more where the student is wrong.",
        description=f"{title}. Line plots of that difference over epochs in "
        f"{counted(len(drawn), 'panel')} for {listed(list(shown))}.",
        traces=tuple(traces),
        layout=layout,
        height_px=height_px,
        columns=(
            "setting", "weighs", "teacher", "right at the end, %", "wrong at the end, %",
            "wrong − right", "its interval",
        ),
        rows=tuple(rows[index] for index in evenly(len(rows), TABLE_ROWS)),
        foot="Bands: paired t interval over seeds, none below 3. The title is of the mean over the "
        f"last {epochs_in_words(summary)}, settings and seeds, after Holm’s correction over the "
        "teachers." + left_out(len(drawn), len(curves), "panels", "logits first")
        + left_out(min(len(rows), TABLE_ROWS), len(rows), "lines", "evenly, in the table"),
    )  # fmt: skip


def _reach(curves: Sequence[WeightsCurve]) -> list[float]:
    seen = [
        value
        for curve in curves
        for values in (
            curve.wrong_minus_right.mean_pp,
            curve.wrong_minus_right.low_pp,
            curve.wrong_minus_right.high_pp,
        )
        for line in values
        for value in line
        if value is not None
    ]
    low, high = min(*seen, -LEAST_REACH / 2), max(*seen, LEAST_REACH / 2)
    pad = 0.06 * (high - low)
    return [low - pad, high + pad]


def _rows(curve: WeightsCurve) -> list[tuple[str, ...]]:
    gap = curve.wrong_minus_right
    return [
        (
            curve.key,
            curve.of,
            teacher,
            plain(curve.right_pp[k][-1], 1),
            plain(curve.wrong_pp[k][-1], 1),
            signed(gap.mean_pp[k][-1]),
            between(gap.low_pp[k][-1], gap.high_pp[k][-1]),
        )
        for k, teacher in enumerate(curve.teachers)
    ]
