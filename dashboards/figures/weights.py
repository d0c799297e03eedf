"""How much each of several teachers counted while the student trained, and where it is wrong."""

from collections.abc import Sequence

from metakd.analysis.figures.weights import FinalWeights, WeightsCurve
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, counted, listed
from metakd.dashboards.figures.drawing import (
    Heading,
    Panel,
    epoch_line,
    epochs_axis,
    lay_out,
    panels_per_row,
    scatter,
)
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    MAX_PANELS,
    Figure,
    Trace,
    evenly,
    label,
    left_out,
    legend_room,
    padded,
    points_each,
    shortened,
)
from metakd.dashboards.formats import between, from_to, plain, signed
from metakd.dashboards.theme import styles_in, teacher_styles
from metakd.strategies import Style, label_of

PANEL_PX = 150
LEAST_REACH = 10.0
EQUAL = "equal share"
LEAST_GAP_REACH = 2.0
TABLE_ROWS = 100


def first_strategy(summary: Summary) -> str | None:
    """Returns the strategy of the titles: the learner, or else the first with weights."""
    names = [curve.strategy for curve in summary.weights]
    return summary.learner if summary.learner in names else next(iter(names), None)


def in_order(summary: Summary) -> list[WeightsCurve]:
    """Returns all curves, those of the titles' strategy first."""
    first = first_strategy(summary)
    return sorted(summary.weights, key=lambda curve: curve.strategy != first)


def final_of(summary: Summary, strategy: str | None) -> list[FinalWeights]:
    """Returns a strategy's weights at the end of training."""
    return [found for found in summary.final_weights if found.strategy == strategy]


def weights_title(final: Sequence[FinalWeights]) -> str:
    """Returns the title: the teachers whose weights are shown to end above an equal share.

    Args:
        final: One strategy's, of one ensemble on one dataset; of several nothing is said.
    """
    parts = [found.of for found in final]
    if not final or len(set(parts)) < len(parts):
        return "The teachers’ weights over the training"
    learner, both = at_start(label_of(final[0].strategy)), " and ".join(parts)
    preferred = {
        found.of: listed([shortened(t.teacher) for t in found.teachers if t.preferred == "above"])
        if any(each.preferred == "above" for each in found.teachers)
        else ""
        for found in final
    }
    if not any(preferred.values()):
        return f"{learner} is not shown to prefer any teacher’s {both}"
    if len(set(preferred.values())) == 1:
        return f"{learner} prefers the {both} of {preferred[parts[0]]}"
    found = [f"prefers the {of} of {names}" for of, names in preferred.items() if names]
    without = [of for of, names in preferred.items() if not names]
    found += [f"is not shown to prefer any teacher’s {of}" for of in without]
    return f"{learner} {listed(found)}"


def weights_figure(summary: Summary) -> Figure | None:
    """Draws one panel for each strategy, what it weighs, and setting; None without weights."""
    curves = in_order(summary)
    if not curves:
        return None
    styles, names = teacher_styles(summary), styles_in(summary)
    drawn = curves[:MAX_PANELS]
    last = max(curve.epochs[-1] for curve in drawn) + 1
    panels, layout, height_px = lay_out(
        [heading(curve, names) for curve in drawn],
        panels_per_row(summary, [curve.key for curve in drawn]),
        PANEL_PX,
        x=epochs_axis(last),
        y={"name": "weight, %"},
        ranges=[_reach(curve, drawn) for curve in drawn],
        legend_px=legend_room([*styles, EQUAL]),
    )
    rows = [row for curve in drawn for row in _rows(curve, names[curve.strategy].name)]
    title = weights_title(final_of(summary, first_strategy(summary)))
    points = points_each(sum(len(curve.teachers) for curve in drawn))
    seen: set[str] = set()
    traces = []
    for curve, panel in zip(drawn, panels, strict=True):
        for k, teacher in enumerate(curve.teachers):
            traces += epoch_line(
                curve.epochs, curve.overall.mean_pp[k], curve.overall.low_pp[k],
                curve.overall.high_pp[k], styles[teacher], panel, points, teacher not in seen,
            )  # fmt: skip
            seen.add(teacher)
        traces.append(_equal_share(curve, panel, last, EQUAL not in seen))
        seen.add(EQUAL)
    return Figure(
        id="weights",
        title=title,
        subtitle="Mean weight of each teacher among all training samples of an epoch, with a 95 % "
        "band over seeds. Each row of panels has its own scale.",
        description=f"{title}. Line plots of weights over epochs in {counted(len(drawn), 'panel')} "
        f"for {listed(list(styles))}.",
        traces=tuple(traces),
        layout=layout,
        height_px=height_px,
        columns=("setting", "strategy", "weighs", "teacher", "first, %", "last, %", "its interval"),
        rows=tuple(rows[index] for index in evenly(len(rows), TABLE_ROWS)),
        foot="Bands: t interval of each mean by itself, over seeds, none below 3. A title’s "
        f"preference is of the mean over the last {epochs_in_words(summary)}, settings and seeds, "
        "after Holm’s correction over the teachers."
        + left_out(len(drawn), len(curves), "panels", "the learner’s first")
        + left_out(min(len(rows), TABLE_ROWS), len(rows), "lines", "evenly, in the table"),
    )


def epochs_in_words(summary: Summary) -> str:
    """Returns over how many epochs the end of training is averaged: "epoch", "4 epochs"."""
    epochs = max((found.epochs for found in summary.final_weights), default=1)
    return "epoch" if epochs == 1 else f"{epochs} epochs"


def heading(curve: WeightsCurve, names: dict[str, Style]) -> Heading:
    """Returns what stands above a panel."""
    return Heading(curve.key, f"{label(names[curve.strategy].name, 24)}: {curve.of}")


def _equal_share(curve: WeightsCurve, panel: Panel, last: int, is_named: bool) -> Trace:
    ends, level = [1 - 0.02 * last, last * 1.02], [curve.equal_share_pp] * 2
    return scatter(
        ends, level, Style(EQUAL, "@muted", "", "solid"), width=1, **panel.place, name=EQUAL,
        legendgroup=EQUAL, showlegend=is_named,
    )  # fmt: skip


def _reach(curve: WeightsCurve, drawn: Sequence[WeightsCurve]) -> list[float]:
    """Returns the range that all panels of a strategy and of what it weighs share."""
    alike = [c for c in drawn if (c.strategy, c.of) == (curve.strategy, curve.of)]
    seen = [c.equal_share_pp for c in alike]
    seen += [
        value
        for c in alike
        for values in (c.overall.mean_pp, c.overall.low_pp, c.overall.high_pp)
        for line in values
        for value in line
        if value is not None
    ]
    low, high = min(seen), max(seen)
    lacking = max(0.0, LEAST_REACH - (high - low)) / 2
    pad = lacking + 0.05 * (high - low)
    return [max(low - pad, -2.0), min(high + pad, 102.0)]


def _rows(curve: WeightsCurve, strategy: str) -> list[tuple[str, ...]]:
    return [
        (
            curve.key,
            strategy,
            curve.of,
            teacher,
            plain(curve.overall.mean_pp[k][0], 1),
            plain(curve.overall.mean_pp[k][-1], 1),
            from_to(curve.overall.low_pp[k][-1], curve.overall.high_pp[k][-1]),
        )
        for k, teacher in enumerate(curve.teachers)
    ]


def outcomes_title(final: Sequence[FinalWeights]) -> str:
    """Returns the title: which teachers count more where the student is wrong, where that is shown.

    Args:
        final: One strategy's, of one ensemble on one dataset; of several nothing is said.
    """
    parts = [found.of for found in final]
    if not final or len(set(parts)) < len(parts):
        return "The teachers’ weights where the student is wrong"
    learner = at_start(label_of(final[0].strategy))
    shown = [
        (found.of, each) for found in final for each in found.teachers if each.leaning == "above"
    ]
    if not shown:
        return f"{learner} is not shown to weigh teachers otherwise where the student is wrong"
    leaning = [
        f"{shortened(each.teacher)} ({signed(each.wrong_minus_right.mean_pp, 1)} of the {of})"
        for of, each in shown
    ]
    return f"Where the student is wrong, {learner} gives more weight to {listed(leaning)}"


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
    styles, names = teacher_styles(summary), styles_in(summary)
    drawn = curves[:MAX_PANELS]
    shown = [name for name in styles if any(name in curve.teachers for curve in drawn)]
    last = max(curve.epochs[-1] for curve in drawn) + 1
    panels, layout, height_px = lay_out(
        [heading(curve, names) for curve in drawn],
        panels_per_row(summary, [curve.key for curve in drawn]),
        PANEL_PX,
        x=epochs_axis(last),
        y={"name": "wrong − right, points", **AT_ZERO},
        ranges=[_gap_reach([c for c in drawn if c.of == curve.of]) for curve in drawn],
        legend_px=legend_room(shown),
    )
    rows = [row for curve in drawn for row in _gap_rows(curve)]
    title = outcomes_title(final_of(summary, first))
    points = points_each(sum(len(curve.teachers) for curve in drawn))
    seen: set[str] = set()
    traces = []
    for curve, panel in zip(drawn, panels, strict=True):
        gap = curve.wrong_minus_right
        for k, teacher in enumerate(curve.teachers):
            traces += epoch_line(
                curve.epochs, gap.mean_pp[k], gap.low_pp[k], gap.high_pp[k], styles[teacher],
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
        f"{counted(len(drawn), 'panel')} for {listed(shown)}.",
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


def _gap_reach(curves: Sequence[WeightsCurve]) -> list[float]:
    gaps = [curve.wrong_minus_right for curve in curves]
    seen = [
        v
        for g in gaps
        for lines in (g.mean_pp, g.low_pp, g.high_pp)
        for line in lines
        for v in line
    ]
    return padded([*seen, -LEAST_GAP_REACH / 2, LEAST_GAP_REACH / 2], 0.06)


def _gap_rows(curve: WeightsCurve) -> list[tuple[str, ...]]:
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
