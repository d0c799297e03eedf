"""How accuracy changes along teachers of rising size, and along stronger augmentations."""

from collections.abc import Sequence

from metakd.analysis.figures.degradations import DegradationCurve, LevelChange
from metakd.analysis.summary import Summary
from metakd.analysis.wording import listed
from metakd.dashboards.figures.drawing import TICKS_PX, Heading, Panel, band, lay_out, scatter
from metakd.dashboards.figures.figure import (
    LONGEST_ENTRY,
    MAX_PANELS,
    MAX_ROWS,
    Figure,
    Trace,
    escape,
    evenly,
    label,
    left_out,
    legend_room,
    padded,
    shortened,
)
from metakd.dashboards.formats import from_to, plain, signed
from metakd.dashboards.theme import line_px, styles_in, styles_of
from metakd.strategies import Style, label_of

PANEL_PX = 260
SMALL_PANEL_PX = 170
LETTER_PX = 6.6
NARROWEST_PX = 580
LINE_PX = 17
ACCURACY_LETTERS = 7
# How much of its length a name aslant takes in height.
ASLANT = 0.65


def degradations_title(curves: Sequence[DegradationCurve], changes: Sequence[LevelChange]) -> str:
    """Returns the title: the mean change of accuracy from first to last level, by strategy."""
    first, last = shortened(curves[0].levels[0]), shortened(curves[0].levels[-1])
    found = {change.strategy: change for change in changes if change.factor == curves[0].factor}
    known = [name for name, style in styles_of(found).items() if style.is_main]
    if not known:
        return f"Test accuracy from {first} to {last}"
    named = [name for name in known if name != "ce"] or known
    spans = [
        f"{_span(found[name])}{'' if index else ' points'} with {label_of(name)}"
        for index, name in enumerate(named)
    ]
    return f"From {first} to {last} accuracy changes by {listed(spans)}"


def teachers_figure(summary: Summary) -> Figure | None:
    """Draws accuracy along the teachers; None where the study has fewer than two."""
    return _figure(summary, "teacher", "teachers")


def augmentations_figure(summary: Summary) -> Figure | None:
    """Draws accuracy along the augmentations; None where the study has fewer than two."""
    return _figure(summary, "augmentation", "augmentations")


def _span(change: LevelChange) -> str:
    low, high = signed(change.low_pp, 1), signed(change.high_pp, 1)
    return low if low == high else f"{low} to {high}"


def _figure(summary: Summary, factor: str, plural: str) -> Figure | None:
    curves = [
        curve
        for curve in summary.degradations
        if curve.factor == factor
        and len(curve.levels) > 1
        and any(mean is not None for mean in curve.mean_pp)
    ]
    if not curves:
        return None
    styles = {
        name: style
        for name, style in styles_in(summary).items()
        if name in {curve.strategy for curve in curves}
    }
    helds = list(dict.fromkeys(curve.held for curve in curves))
    shown = [helds[index] for index in evenly(len(helds), MAX_PANELS)]
    levels = curves[0].levels
    kept = evenly(len(levels), MAX_ROWS)
    drawn = [curve for curve in curves if curve.held in shown]
    names = [shortened(levels[index]) for index in kept]
    accuracies = [plain(curves[0].own_pp[index], 1) for index in kept]
    by_accuracy = curves[0].order == "teacher accuracy"
    per_row = min(len(shown), 2 if len(levels) > 4 else 3)
    # Names stand beside each other as long as they fit into the narrowest page; then aslant.
    is_aslant = per_row * len(names) * LETTER_PX * max(map(len, names)) > NARROWEST_PX
    panels, layout, height_px = lay_out(
        [Heading(held) for held in shown],
        per_row,
        PANEL_PX if len(shown) == 1 else SMALL_PANEL_PX,
        x={
            "name": f"{factor}, its own validation accuracy" if by_accuracy else factor,
            # Evenly spaced names: long ones are shortened and may then be equal.
            "tickvals": list(range(len(kept))),
            "ticktext": [
                escape(name)
                + (f"{' ' if is_aslant else '<br>'}{accuracy} %" if by_accuracy else "")
                for name, accuracy in zip(names, accuracies, strict=True)
            ],
            "tickangle": -40 if is_aslant else 0,
            "range": [-0.3, len(kept) - 0.7],
            "showgrid": False,
        },
        y={"name": "test accuracy, %"},
        ranges=[_reach([c for c in drawn if c.held == held]) for held in shown],
        rows_share_y=False,
        ticks_px=_ticks_px(names, is_aslant, by_accuracy),
        legend_px=legend_room([style.name for style in styles.values()]),
    )
    title = degradations_title(curves, summary.level_changes)
    places = dict(zip(shown, panels, strict=True))
    ordered = [c for held in shown for name in styles for c in drawn
               if c.held == held and c.strategy == name]  # fmt: skip
    named = {name: next((c for c in ordered if c.strategy == name), None) for name in styles}
    return Figure(
        id=plural,
        title=title,
        subtitle=f"Mean test accuracy of the student along {plural}, "
        + ("by their own validation accuracy" if by_accuracy else "in the study's order")
        + ", with a 95 % band over seeds."
        + (" Each panel has its own scale." if len(shown) > 1 else ""),
        description=f"{title}. Line plot of test accuracy for "
        + ", ".join(styles[name].name for name, curve in named.items() if curve is not None)
        + f" along {len(levels)} {plural}.",
        traces=tuple(
            trace
            for curve in ordered
            for trace in _traces(
                curve,
                styles[curve.strategy],
                places[curve.held],
                kept,
                is_named=curve is named[curve.strategy],
            )
        ),
        layout=layout,
        height_px=height_px,
        columns=("held", "strategy", *(levels[index] for index in kept)),
        rows=tuple(_cells(curve, styles[curve.strategy], kept) for curve in ordered),
        foot="Bands: t interval of each mean by itself, over seeds, none below 3; strategies are "
        "compared in pairs, not by these bands."
        + left_out(len(shown), len(helds), "panels", "evenly over the study")
        + left_out(len(kept), len(levels), plural, "evenly from first to last"),
    )


def _ticks_px(names: Sequence[str], is_aslant: bool, by_accuracy: bool) -> int:
    if not is_aslant:
        return TICKS_PX + (LINE_PX if by_accuracy else 0)
    longest = max(map(len, names)) + (ACCURACY_LETTERS if by_accuracy else 0)
    return TICKS_PX + round(ASLANT * LETTER_PX * longest)


def _traces(
    curve: DegradationCurve, style: Style, panel: Panel, kept: Sequence[int], is_named: bool
) -> list[Trace]:
    places = list(range(len(kept)))
    mean, low, high = (
        [values[index] for index in kept] for values in (curve.mean_pp, curve.low_pp, curve.high_pp)
    )
    return [
        *(band(panel.place, places, low, high, style.soft) if style.is_main else []),
        scatter(
            places, mean, style, mode="lines+markers", width=line_px(curve.strategy),
            size=9 if style.is_main else 7, **panel.place, name=label(style.name, LONGEST_ENTRY),
            legendgroup=curve.strategy, showlegend=is_named,
            hover=f"{label(style.name)}: %{{y:.2f}} %",
        ),
    ]  # fmt: skip


def _reach(curves: Sequence[DegradationCurve]) -> list[float]:
    ends = [
        value
        for curve in curves
        for values in (curve.mean_pp, curve.low_pp, curve.high_pp)
        for value in values
    ]
    return padded(ends, 0.06, least=0.5)


def _cells(curve: DegradationCurve, style: Style, kept: Sequence[int]) -> tuple[str, ...]:
    return (
        curve.held,
        style.name,
        *(
            f"{plain(curve.mean_pp[index])} {from_to(curve.low_pp[index], curve.high_pp[index])}"
            for index in kept
        ),
    )
