"""The report of one study."""

from collections.abc import Sequence
from pathlib import Path

from dashboards.allocation import allocation_table
from dashboards.answers import FIRST_FIGURES, opening
from dashboards.contest_words import contest_words
from dashboards.durations import duration
from dashboards.figures import all_figures
from dashboards.label_words import label_sentences
from dashboards.looks import looks_in
from dashboards.shell import render_page
from dashboards.svg import interval_bar, reach, swatch
from dashboards.tiles import arrange
from dashboards.wall_clock import wall_clock_title
from metakd.analysis.summary import Inventory, Summary
from metakd.atomic import new_file

REPORT_FILE = "report.html"
# The figures' names in the contents; a figure is named here or not at all.
CONTENTS = {
    "looks": "Look by look",
    "differences": "Paired difference",
    "gains": "Gain for compute",
    "anytime": "If stopped early",
    "responses": "Response to τ",
    "transfer": "Reusing a τ elsewhere",
    "starts": "By the start",
    "trajectories": "Learned temperatures",
    "weights": "Weights over time",
    "outcomes": "Right against wrong",
    "classes": "Weights by class",
    "teaching": "Teacher against student",
    "quizzes": "Quiz before and after",
    "teachers": "Teacher size",
    "augmentations": "Augmentation",
    "profiles": "Reliability",
    "optimism": "Selection bias",
    "detectable": "Was it enough?",
    "outlook": "What it would take",
}


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
    rivals = [rival.overall.effect for rival in summary.rivals]
    wide = reach(rivals, summary.margin_pp)
    looks = looks_in(summary)
    wall = summary.wall_clock
    provenance = dict(summary.provenance)
    first = ("looks", *FIRST_FIGURES.get(summary.question, ()))
    return render_page(
        "report.html.j2",
        sorted(all_figures(summary), key=lambda figure: _rank(figure.id, first)),
        s=summary,
        refresh_s=refresh_s,
        contents=CONTENTS,
        opening=opening(summary),
        contest=contest_words(summary),
        bars=[interval_bar(c.effect, summary.margin_pp, span) for c in summary.comparisons],
        looks=looks,
        rival_bars=[interval_bar(effect, summary.margin_pp, wide) for effect in rivals],
        rival_marks=[swatch(looks[rival.strategy]) for rival in summary.rivals],
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
