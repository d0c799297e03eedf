"""The report of one study: its page, and the tables that stand in it beside the figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from metakd.analysis.deciding import Allocation, Deciding
from metakd.analysis.inventory import Counts, Inventory, LabelUse
from metakd.analysis.reached import WallClock
from metakd.analysis.settings import SettingResult
from metakd.analysis.summary import Summary
from metakd.analysis.wording import at_start, counted, listed
from metakd.atomic import new_file
from metakd.dashboards.figures import FIGURES, all_figures
from metakd.dashboards.figures.figure import shortened
from metakd.dashboards.formats import duration, plain, sides_of
from metakd.dashboards.questions import first_figures, opening
from metakd.dashboards.shell import render_page
from metakd.dashboards.svg import interval_bar, reach, swatch
from metakd.dashboards.theme import styles_in
from metakd.strategies import label_of

REPORT_FILE = "report.html"
# How a part of a setting is named, and how its values are written.
SETTING_PARTS = {
    "dataset": "dataset",
    "scale": "share of the training data",
    "teacher": "teacher",
    "student": "student",
}


@dataclass(frozen=True)
class Row:
    """A row of tiles; None where a setting was not run."""

    label: str
    cells: tuple[SettingResult | None, ...]


@dataclass(frozen=True)
class Tiles:
    """The tiles in the study's order.

    Attributes:
        row_name: What the rows are, in words.
        columns: Augmentations.
        rows: The rows.
    """

    row_name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class AllocationTable:
    """The seeds of every setting.

    Attributes:
        title: The finding.
        heads: Of the columns of seeds: each look, and the block after it.
        rows: Setting, spread, cost in percent, and its seeds.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, str, tuple[int, ...]], ...]


def write_report(
    out: Path, summary: Summary, file: Path | None = None, refresh_s: int | None = None
) -> Path:
    """Writes the report of a summary and returns its path.

    Args:
        out: The study's folder.
        summary: What the study found.
        file: Where to write; None writes ``report.html`` into the folder.
        refresh_s: The page reloads itself after so many seconds; None never.
    """
    path = file or out / REPORT_FILE
    with new_file(path) as draft:
        draft.write_text(render(summary, refresh_s), encoding="utf-8")
    return path


def render(summary: Summary, refresh_s: int | None = None) -> str:
    """Returns the whole page; the same summary gives the same bytes."""
    span = reach((c.effect for c in summary.comparisons), summary.margin_pp)
    baselines = [baseline.overall.effect for baseline in summary.baselines]
    wide = reach(baselines, summary.margin_pp)
    styles = styles_in(summary)
    wall = summary.wall_clock
    provenance = dict(summary.provenance)
    first = ("looks", *first_figures(summary))
    return render_page(
        "report.html.j2",
        sorted(all_figures(summary), key=lambda figure: _rank(figure.id, first)),
        s=summary,
        refresh_s=refresh_s,
        contents={name: figure.heading for name, figure in FIGURES.items()},
        opening=opening(summary),
        sides=sides_of(summary),
        bars=[interval_bar(c.effect, summary.margin_pp, span) for c in summary.comparisons],
        styles=styles,
        baseline_bars=[interval_bar(effect, summary.margin_pp, wide) for effect in baselines],
        baseline_marks=[swatch(styles[baseline.strategy]) for baseline in summary.baselines],
        tiles=arrange(summary.settings),
        allocation=allocation_table(summary.deciding),
        wall_clock_title=wall and wall_clock_title(wall),
        wall_clock_rows=wall
        and list(zip(wall.workers, wall.grid_s, wall.learned_s, wall.done_first, strict=True)),
        inventory=_inventory(summary.inventory),
        label_sentences=label_sentences(summary.label_use, summary.question),
        command=provenance.pop("command", ""),
        provenance={name: value for name, value in provenance.items() if value},
    )


def _rank(figure: str, first: Sequence[str]) -> int:
    return first.index(figure) if figure in first else len(first)


def _inventory(runs: Inventory) -> dict[str, str]:
    searches = f"{runs.ended_searches:,} of {runs.searches:,} ended"
    if runs.blocked_searches:
        searches += f", {runs.blocked_searches:,} wait for a failed trial"
    return {
        "Planned trials": f"{runs.planned:,}",
        "Finished": f"{runs.finished:,}",
        "Failed": f"{runs.failed:,}",
        "Not run yet": f"{runs.not_run:,}",
        "Complete pairs": f"{runs.complete_pairs:,} of {runs.planned_pairs:,}",
        "Missing pairs": f"{runs.missing_pairs:,}",
        "Strategy runs": searches,
        "Students’ own compute": duration(runs.student_compute_s),
        "Time in trials": duration(runs.trial_wall_s),
    }


def arrange(settings: Sequence[SettingResult]) -> Tiles:
    """Lays settings out; a row is labelled by what differs between rows, at least its scale."""
    columns = tuple(dict.fromkeys(setting.augmentation for setting in settings))
    by_place = {(_row_of(setting), setting.augmentation): setting for setting in settings}
    rows = tuple(dict.fromkeys(_row_of(setting) for setting in settings))
    varying = [
        index
        for index, part in enumerate(SETTING_PARTS)
        if part == "scale" or len({row[index] for row in rows}) > 1
    ]
    return Tiles(
        row_name=", ".join(list(SETTING_PARTS.values())[index] for index in varying),
        columns=columns,
        rows=tuple(
            Row(
                " · ".join(row[index] for index in varying),
                tuple(by_place.get((row, column)) for column in columns),
            )
            for row in rows
        ),
    )


def _row_of(setting: SettingResult) -> tuple[str, ...]:
    return (setting.dataset, f"{100 * setting.scale:g} %", setting.teacher, setting.student)


def allocation_table(deciding: Deciding | None) -> AllocationTable | None:
    """Returns the table; None before the first look."""
    if deciding is None or not deciding.allocation:
        return None
    heads = [f"look {look.number}" for look in deciding.looks]
    if len(deciding.allocation[0].seeds) > len(heads):
        heads.append(f"look {deciding.declared[len(heads)].number}, to come")
    return AllocationTable(
        title=_allocation_title(deciding.allocation),
        heads=tuple(heads),
        rows=tuple(
            (each.key, plain(each.sd_pp), f"{100 * each.cost:.2g} %", each.seeds)
            for each in deciding.allocation
        ),
    )


def _allocation_title(allocation: Sequence[Allocation]) -> str:
    most = max(allocation, key=lambda each: each.seeds[-1])
    least = min(allocation, key=lambda each: each.seeds[-1])
    if most.seeds[-1] == least.seeds[-1]:
        return f"Every setting has {counted(most.seeds[-1], 'seed')}"
    return (
        f"Seeds went where they narrow the interval most for their cost: {most.seeds[-1]} to "
        f"{shortened(most.key)}, {least.seeds[-1]} to {shortened(least.key)}"
    )


def wall_clock_title(wall: WallClock) -> str:
    """Returns the title: from how many runs at once the full grid is done before learning."""
    times = list(zip(wall.workers, wall.done_first, strict=True))
    grid_first = [workers for workers, first in times if first == "grid"]
    if not grid_first:
        return f"Even with {wall.workers[-1]} runs at once, the grid is not done before learning"
    if len(grid_first) == len(times):
        return "However many runs go at once, the grid is done before learning"
    if grid_first != list(wall.workers[-len(grid_first) :]):
        return "Whether grid or learning is done first depends on how many runs go at once"
    return f"With {grid_first[0]} or more runs at once, the grid is done before learning"


def label_sentences(uses: Iterable[LabelUse], question: str) -> list[str]:
    """Returns a sentence for each use of labels.

    Args:
        uses: What strategies did.
        question: The study's, as other questions name some strategies otherwise.
    """
    return [_label_sentence(use, question) for use in uses]


def _label_sentence(use: LabelUse, question: str) -> str:
    names = listed([label_of(name, question) for name in use.strategies])
    held_out = [
        f"{_counts_in_words(counts)} held-out ones {purpose}"
        for counts, purpose in ((use.chose_by, "to choose by"), (use.learned_from, "to learn from"))
        if counts is not None
    ]
    parts = [
        f"{_counts_in_words(use.trained_on)} training labels",
        *(held_out or ["no held-out ones"]),
    ]
    return f"{at_start(names)}: {', '.join(parts)}."


def _counts_in_words(counts: Counts) -> str:
    if counts.least == counts.most:
        return f"{counts.most:,}"
    return f"{counts.least:,} to {counts.most:,}"
