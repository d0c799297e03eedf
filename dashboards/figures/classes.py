"""How much each of several teachers counts for each class, at the end of training."""

from collections.abc import Sequence

from metakd.analysis.figures.weights import FinalWeights
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, counted
from metakd.dashboards.figures.drawing import Heading, Panel, lay_out
from metakd.dashboards.figures.figure import (
    MAX_MARKS,
    Figure,
    Layout,
    Trace,
    evenly,
    label,
    largest,
    left_out,
    shortened,
)
from metakd.dashboards.figures.weights import epochs_in_words, final_of, first_strategy
from metakd.dashboards.formats import plain, signed
from metakd.dashboards.theme import styles_in
from metakd.strategies import label_of

CELL_PX = 26
MAX_FOUND = 12
MAX_CLASSES = 100
# More columns than this have no room for a number in each cell; panels of more stand alone.
NUMBERED, BESIDE = 20, 10
LEAST_TOP = 1.0
LEGEND_PX = 8
LONGEST_NAME = 20
TABLE_ROWS = 100
MARKS = {"above": "*", "below": "*", "not shown": ""}


def classes_title(final: Sequence[FinalWeights]) -> str:
    """Returns the title: the class for which a teacher counts most beyond its usual weight.

    Args:
        final: One strategy's, of one ensemble on one dataset; of several nothing is said.
    """
    parts = [found.of for found in final]
    if not final or len(set(parts)) < len(parts):
        return "The teachers’ weights by class at the end of training"
    learner = at_start(label_of(final[0].strategy))
    shown = [
        (beyond, shortened(each.teacher), label_, found.of)
        for found in final
        for each in found.teachers
        for label_, leaning, beyond in zip(
            found.classes, each.class_leaning, each.class_minus_overall_pp, strict=True
        )
        if leaning == "above" and beyond is not None
    ]
    leanings = {word for found in final for each in found.teachers for word in each.class_leaning}
    if leanings <= {"not shown"}:
        return f"{learner} is not shown to weigh teachers by class"
    if not shown:
        return f"{learner} weighs teachers by class, none shown beyond its usual weight"
    beyond, teacher, label_, of = max(shown, key=lambda found: found[0])
    return (
        f"{learner} weighs teachers by class: {teacher} most beyond its usual weight for class "
        f"{label_} ({signed(beyond, 1)} of the {of})"
    )


def classes_figure(summary: Summary) -> Figure | None:
    """Draws teachers by classes for each strategy and what it weighs; None without classes."""
    first = first_strategy(summary)
    found = sorted(
        (each for each in summary.final_weights if each.classes),
        key=lambda each: each.strategy != first,
    )
    if not found:
        return None
    names = styles_in(summary)
    drawn = found[:MAX_FOUND]
    most = min(MAX_CLASSES, MAX_MARKS // sum(len(each.teachers) for each in drawn))
    kept = [largest(_deviations(each), most) for each in drawn]
    teachers = {tuple(weight.teacher for weight in each.teachers) for each in drawn}
    is_beside = len(teachers) == 1 and max(map(len, kept)) <= BESIDE
    many = len({(each.dataset, each.ensemble) for each in drawn}) > 1
    panels, layout, height_px = lay_out(
        [Heading(_heading(each, names[each.strategy].name, many)) for each in drawn],
        2 if is_beside and len(drawn) > 1 else 1,
        CELL_PX * max(len(each.teachers) for each in drawn),
        x={"name": "class", "showgrid": False, "ticks": ""},
        y={"showgrid": False, "ticks": "", "ticklabelstandoff": 6},
        ranges=[(-0.5, len(each.teachers) - 0.5) for each in drawn],
        rows_share_y=is_beside,
        legend_px=LEGEND_PX,
    )
    top = max([LEAST_TOP, *(abs(v - e.equal_share_pp) for e in drawn for v in _known(e))])
    for each, panel, columns in zip(drawn, panels, kept, strict=True):
        layout[panel.x.replace("x", "xaxis")].update(_class_ticks(each, columns))
        layout[panel.y.replace("y", "yaxis")].update(
            tickvals=list(range(len(each.teachers))),
            ticktext=[label(weight.teacher, LONGEST_NAME) for weight in each.teachers[::-1]],
            tickfont={"size": 12, "color": "@ink"},
        )
    rows = [
        row
        for each, columns in zip(drawn, kept, strict=True)
        for row in _rows(each, names[each.strategy].name, columns)
    ]
    title = classes_title(final_of(summary, first))
    return Figure(
        id="classes",
        title=title,
        subtitle="Mean weight in % of each teacher among the samples of a class, at the end of "
        "training. Orange is above an equal share, blue below; * marks what differs from the "
        "teacher’s weight among all samples, after Holm’s correction.",
        description=f"{title}. Tables of weights by teacher and class in "
        f"{counted(len(drawn), 'panel')}.",
        traces=tuple(
            _heatmap(each, panel, columns, top)
            for each, panel, columns in zip(drawn, panels, kept, strict=True)
        ),
        layout=layout,
        height_px=height_px,
        columns=("strategy", "weighs", "teachers", "class", "teacher", "weight, %", "differs"),
        rows=tuple(rows[index] for index in evenly(len(rows), TABLE_ROWS)),
        foot=f"Means over the last {epochs_in_words(summary)}, counted by samples, then over "
        "settings and seeds."
        + left_out(len(drawn), len(found), "panels", "the learner’s first")
        + left_out(len(kept[0]), len(drawn[0].classes), "classes", "the least usual ones")
        + (f" The table lists {TABLE_ROWS} of them." if len(rows) > TABLE_ROWS else ""),
    )


def _heading(found: FinalWeights, strategy: str, many: bool) -> str:
    where = f" · {found.dataset} · {found.ensemble}" if many else ""
    return f"{strategy}: {found.of}{where}"


def _known(found: FinalWeights) -> list[float]:
    return [v for weight in found.teachers for v in weight.by_class_pp if v is not None]


def _deviations(found: FinalWeights) -> list[float]:
    return [
        max(abs(weight.class_minus_overall_pp[index] or 0.0) for weight in found.teachers)
        for index in range(len(found.classes))
    ]


def _class_ticks(found: FinalWeights, columns: Sequence[int]) -> Layout:
    shown = evenly(len(columns), NUMBERED)
    return {
        "range": [-0.5, len(columns) - 0.5],
        "tickvals": shown,
        "ticktext": [str(found.classes[columns[at]]) for at in shown],
        "tickfont": {"size": 12, "color": "@ink"},
    }


def _heatmap(found: FinalWeights, panel: Panel, columns: Sequence[int], top: float) -> Trace:
    # The first teacher stands above.
    rows = found.teachers[::-1]
    weights = [[weight.by_class_pp[at] for at in columns] for weight in rows]
    trace: Trace = {
        **panel.place,
        "type": "heatmap",
        "x": list(range(len(columns))),
        "y": list(range(len(rows))),
        "z": weights,
        "colorscale": [[0, "@grid"], [0.5, "@low"], [1, "@meta"]],
        "zmin": found.equal_share_pp - top,
        "zmax": found.equal_share_pp + top,
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "%{z:.1f} % of the weight<extra></extra>",
    }
    if len(columns) <= NUMBERED:
        texts = [
            [plain(weight.by_class_pp[at], 0) + MARKS[weight.class_leaning[at]] for at in columns]
            for weight in rows
        ]
        trace.update(text=texts, texttemplate="%{text}", textfont={"size": 12})
    return trace


def _rows(found: FinalWeights, strategy: str, columns: Sequence[int]) -> list[tuple[str, ...]]:
    return [
        (
            strategy,
            found.of,
            found.ensemble,
            str(found.classes[at]),
            weight.teacher,
            plain(weight.by_class_pp[at], 1),
            weight.class_leaning[at],
        )
        for at in columns
        for weight in found.teachers
    ]
