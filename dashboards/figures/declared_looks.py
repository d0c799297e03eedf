"""The primary comparison at every declared look, against the margin, and what each look cost."""

from collections.abc import Sequence

from metakd.analysis.deciding import Deciding, DeclaredLook, LookTaken
from metakd.analysis.statistics.looks import AHEAD, BEHIND, EQUIVALENT, ERRS_AT_MOST
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted, percent
from metakd.dashboards.figures.drawing import error_bars, margin_band, scatter
from metakd.dashboards.figures.figure import (
    AT_ZERO,
    Figure,
    Layout,
    Trace,
    axis,
    base_layout,
    escape,
    left_out,
    words,
)
from metakd.dashboards.formats import NONE, between, duration, level, plain, signed
from metakd.strategies import Style

ROW_PX = 46
MOST_LOOKS = 24
# The widest interval of a few seeds may leave the frame; what decides must not.
FRAME = 4.0


def looks_title(deciding: Deciding) -> str:
    """Returns the title: which look decides, and how its interval lies; or that none does."""
    margin = f"±{deciding.margin_pp:.2f} points"
    if not deciding.looks:
        return (
            f"No look was taken yet: the first is due after {counted(deciding.pilot_seeds, 'seed')}"
        )
    last, declared = deciding.looks[-1], deciding.declared[-1].number
    at = f"Look {last.number} of {declared}"
    match last.word:
        case "equivalent":
            return f"{at} decides: its interval lies inside {margin}"
        case "ahead":
            return f"{at} decides: its interval lies above zero"
        case "behind":
            return f"{at} decides: its interval lies below zero"
    if last.interval.low_pp is None:
        return f"{at} has no interval, so it decides nothing"
    held = f"its interval holds zero and leaves {margin}"
    end = "no further look was declared" if deciding.is_at_its_end else "the study is open"
    return f"{at} decides nothing, as {held}: {end}"


def looks_figure(summary: Summary) -> Figure | None:
    """Draws the interval of each look; None of a study that declared none."""
    deciding = summary.deciding
    if deciding is None:
        return None
    taken = deciding.looks
    # The last looks decide; of a long schedule they are kept.
    shown, to_come = taken[-MOST_LOOKS:], deciding.declared[len(taken) :]
    to_come = to_come[: max(MOST_LOOKS - len(shown), 0)]
    title = looks_title(deciding)
    height_px = 44 + 24 + ROW_PX * (len(shown) + len(to_come)) + 56
    compared = escape(summary.primary.label)
    return Figure(
        id="looks",
        title=title,
        subtitle="The mean difference at each declared look, with its interval at that look’s own "
        "level, beside what had run by then. A look decides where its interval lies inside the "
        "shade, or leaves out zero.",
        description=f"{title}. Intervals of {summary.primary.label} in points of test accuracy at "
        f"{'; '.join(map(_in_words, shown)) or 'no look'}.",
        traces=tuple(_traces(shown)),
        layout=_layout(deciding, shown, to_come, height_px, compared),
        height_px=height_px,
        columns=(
            "look", "compute, pilots", "seeds of a setting", "trials by then", "time by then",
            "level", "difference", "interval", "word",
        ),
        rows=tuple(map(_cells, shown)) + tuple(map(_declared_cells, to_come)),
        foot="All looks, the margin and the comparison were declared before the first trial; all "
        f"intervals together miss in at most {percent(ERRS_AT_MOST)} of studies."
        + (f" Last look: {taken[-1].interval.method}." if taken else "")
        + _beyond(shown, deciding.margin_pp)
        + left_out(len(shown), len(taken), "looks", "the last ones"),
    )  # fmt: skip


def _traces(looks: Sequence[LookTaken]) -> list[Trace]:
    traces: list[Trace] = []
    kinds = (("decides", "@meta", True), ("leaves it open", "@muted", False))
    for name, colour, decides in kinds:
        drawn = [
            (look, look.interval.mean_pp, look.interval.low_pp, look.interval.high_pp)
            for look in looks
            if (look.word in (EQUIVALENT, AHEAD, BEHIND)) == decides
        ]
        known = [
            (look.number, mean, low, high)
            for look, mean, low, high in drawn
            if mean is not None and low is not None and high is not None
        ]
        if not known:
            continue
        numbers, means, lows, highs = zip(*known, strict=True)
        traces.append(
            scatter(
                means, numbers, Style(name, colour, "diamond", "solid"), mode="markers", size=12,
                hover="look %{y}: %{x:+.2f} points", name=name,
                error_x=error_bars(means, lows, highs, colour, thickness=2.5),
            )
        )  # fmt: skip
    # Without a trace Plotly draws no axes.
    empty: Trace = {"type": "scatter", "mode": "markers", "x": [], "y": [], "showlegend": False}
    return traces or [empty]


def _layout(
    deciding: Deciding,
    shown: Sequence[LookTaken],
    to_come: Sequence[DeclaredLook],
    height_px: int,
    compared: str,
) -> Layout:
    right = {"xref": "paper", "xanchor": "left", "xshift": 14}
    small = {"size": 11, "color": "@muted"}
    notes: list[Layout] = []
    labels: dict[int, str] = {}
    for look in shown:
        ran = f"{look.trials:,} trials, {duration(look.wall_s)}"
        labels[look.number] = f"<b>look {look.number}</b><br>{ran}"
        effect = look.interval
        numbers = f"{signed(effect.mean_pp)}  {between(effect.low_pp, effect.high_pp)}"
        word = f"{level(effect)} interval: {look.word}"
        font = {"size": 12, "color": "@ink"}
        notes.append(
            words(f"{numbers}<br>{word}", 1, look.number, align="left", **right, font=font)
        )
    for declared in to_come:
        labels[declared.number] = f"look {declared.number}<br>{declared.pilots:g} × the pilot"
        state = (
            "to come" if deciding.goes_on else "not needed" if deciding.is_decided else "not due"
        )
        text = f"not taken: {state}<br>at {percent(declared.level)}"
        notes.append(words(text, 1, declared.number, align="left", **right))
    notes.append(words("too small to matter", 0, 1, yref="paper", yanchor="bottom", font=small))
    first, last = min(labels, default=1), max(labels, default=1)
    return base_layout(
        height_px,
        headings_px=24,
        right_px=186,
        showlegend=bool(shown),
        xaxis=axis(
            f"{compared}, percentage points of test accuracy",
            range=_frame(shown, deciding.margin_pp),
            **AT_ZERO,
        ),
        yaxis=axis(
            "",
            range=[last + 0.6, first - 0.6],
            tickvals=list(labels),
            ticktext=list(labels.values()),
            tickfont={"size": 12, "color": "@ink"},
            showgrid=False,
        ),
        shapes=[margin_band(deciding.margin_pp, "x", "y")],
        annotations=notes,
    )


def _frame(looks: Sequence[LookTaken], margin_pp: float) -> list[float]:
    """Returns the span that holds the last interval, and of wider ones what the frame allows."""
    ends = [_ends(look) for look in looks]
    last = max([abs(end) for end in ends[-1]], default=0.0) if ends else 0.0
    widest = max([abs(end) for pair in ends for end in pair], default=0.0)
    reach = 1.08 * max(2 * margin_pp, last, min(widest, FRAME * max(margin_pp, last)))
    return [-reach, reach]


def _beyond(looks: Sequence[LookTaken], margin_pp: float) -> str:
    most = _frame(looks, margin_pp)[1]
    leaves = any(abs(end) > most for look in looks for end in _ends(look))
    return " The widest intervals leave the frame; the table has their ends." if leaves else ""


def _ends(look: LookTaken) -> list[float]:
    return [end for end in (look.interval.low_pp, look.interval.high_pp) if end is not None]


def _in_words(look: LookTaken) -> str:
    effect = look.interval
    ends = between(effect.low_pp, effect.high_pp)
    return f"look {look.number}: {signed(effect.mean_pp)} {ends}, {look.word}"


def _cells(look: LookTaken) -> tuple[str, ...]:
    effect, seeds = look.interval, f"{look.least_seeds}"
    if look.most_seeds > look.least_seeds:
        seeds += f" to {look.most_seeds}"
    return (
        f"{look.number}", f"{look.pilots:g}", seeds, f"{look.trials:,}", duration(look.wall_s),
        level(effect), signed(effect.mean_pp), between(effect.low_pp, effect.high_pp), look.word,
    )  # fmt: skip


def _declared_cells(look: DeclaredLook) -> tuple[str, ...]:
    unknown = (NONE,) * 3
    not_taken = (NONE, NONE, "not taken")
    return (f"{look.number}", plain(look.pilots, 1).removesuffix(".0"), *unknown,
            percent(look.level), *not_taken)  # fmt: skip
