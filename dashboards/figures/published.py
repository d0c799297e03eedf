"""Published accuracies of the study's pair of models, beside the study's own."""

from dataclasses import dataclass

from metakd.analysis.published import PublishedNumber, PublishedPair
from metakd.analysis.settings import SettingResult
from metakd.analysis.summary import Summary
from metakd.analysis.wording import counted
from metakd.dashboards.figures.drawing import error_bars, scatter
from metakd.dashboards.figures.figure import (
    LONGEST_ENTRY,
    Figure,
    Trace,
    axis,
    base_layout,
    label,
    left_out,
)
from metakd.dashboards.formats import NONE, plain
from metakd.dashboards.theme import styles_in
from metakd.strategies import Style

ROW_PX = 24
ROOM_PX = 120
OTHERS = Style("published", "@muted", "circle-open", "solid")


def published_title(ours: float, best: str, numbers: PublishedPair) -> str:
    """Returns the title: how many of the published accuracies the study's best one is above."""
    below = sum(number.test_pp < ours for number in numbers.numbers)
    of = counted(len(numbers.numbers), "published accuracy", "published accuracies")
    return f"The study's best, {best} with {ours:.2f} %, is above {below} of {of}"


@dataclass(frozen=True)
class _Row:
    """An accuracy of the study, or a published one."""

    name: str
    test_pp: float
    style: Style
    cells: tuple[str, ...]
    sem_pp: float = 0.0


def published_figure(summary: Summary) -> Figure | None:
    """Draws the first setting that has published numbers; None where none has."""
    by_key = {setting.key: setting for setting in summary.settings}
    pairs = [pair for pair in summary.published if pair.key in by_key]
    if not pairs:
        return None
    pair, setting = pairs[0], by_key[pairs[0].key]
    own = _own_rows(summary, setting)
    if not own:
        return None
    rows = sorted((*own, *map(_published_row, pair.numbers)), key=lambda row: row.test_pp)
    best = own[-1]
    title = published_title(best.test_pp, best.name, pair)
    height_px = ROOM_PX + ROW_PX * len(rows)
    others = counted(len(pair.numbers), "published accuracy", "published accuracies")
    return Figure(
        id="published",
        title=title,
        subtitle="Test accuracy in %. Filled marks are this study's, with their standard error "
        "over seeds; open ones were published of the same pair and protocol.",
        description=f"{title}. Dot plot of {counted(len(own), 'strategy', 'strategies')} of this "
        f"study and {others}.",
        traces=tuple(_trace(place, row) for place, row in enumerate(rows)),
        layout=base_layout(
            height_px,
            legend_px=20,
            showlegend=False,
            xaxis=axis("test accuracy, %"),
            yaxis=axis(
                "",
                tickvals=list(range(len(rows))),
                ticktext=[label(row.name) for row in rows],
                range=[-0.6, len(rows) - 0.4],
                showgrid=False,
            ),
        ),
        height_px=height_px,
        columns=("method", "test, %", "standard error", "runs", "epochs", "source"),
        rows=tuple((row.name, plain(row.test_pp), *row.cells) for row in rows),
        foot=_foot(setting)
        + left_out(1, len(pairs), "settings", "the first that has published numbers"),
    )


def _own_rows(summary: Summary, setting: SettingResult) -> list[_Row]:
    """Returns what the strategies of the study reached, the lowest first."""
    styles = styles_in(summary)
    return sorted(
        (
            _Row(
                styles[score.strategy].name,
                score.test_pp,
                styles[score.strategy],
                (plain(score.sem_pp), str(score.seeds), NONE, "this study"),
                score.sem_pp or 0.0,
            )
            for score in setting.scores
            if score.strategy in styles
        ),
        key=lambda row: row.test_pp,
    )


def _published_row(number: PublishedNumber) -> _Row:
    runs, epochs = (NONE if n is None else str(n) for n in (number.runs, number.epochs))
    name = f"{number.method}, published"
    return _Row(name, number.test_pp, OTHERS, (NONE, runs, epochs, number.source))


def _trace(place: int, row: _Row) -> Trace:
    ends = (row.test_pp - row.sem_pp, row.test_pp + row.sem_pp)
    return scatter(
        [row.test_pp],
        [place],
        row.style,
        mode="markers",
        size=10,
        hover=f"{label(row.name)}: %{{x:.2f}} %",
        name=label(row.name, LONGEST_ENTRY),
        error_x=error_bars([row.test_pp], [ends[0]], [ends[1]], row.style.colour),
    )


def _foot(setting: SettingResult) -> str:
    held_out = setting.held_out_samples
    return (
        "Published numbers enter none of the study's: they have other seeds and teachers, and "
        f"their students train on all 50,000 images, those here on {setting.train_samples:,}, "
        f"while {held_out:,} are held out. Sources often report the best epoch on test; here it is "
        "the last."
    )
