"""Every number on a page was read from the summary, and stands in ``summary.json``.

Two tests hold this. One finds each shown number in the file, as the page rounds it; among many
numbers a wrong one may stand there by accident. The other writes every number of a summary behind
a mark that arithmetic loses: what a page computes has none, whatever its value.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_study import (
    MadeUpSearch,
    MadeUpSegment,
    MadeUpStudy,
    Row,
    deciding_study,
    taking_looks,
)
from page_numbers import (
    LASTING,
    Known,
    Shown,
    data_of,
    drawn_texts,
    drawn_values,
    numbers_in,
    texts_of,
)
from traced import Traced, traced, untraced

from metakd.analysis.summarise import summarise, write_summary
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import all_figures
from metakd.dashboards.questions import grid_vs_meta
from metakd.dashboards.report import render
from metakd.dashboards.side_by_side import named, render_comparison
from metakd.results.teacher_scores import TeacherScore

TEACHERS = ("small", "medium", "large")


def half_done(row: Row) -> bool:
    return bool(row["seed"] == 2 and row["method"] in ("mkd", "ce"))


MADE_UP = {
    "grid_vs_meta": MadeUpStudy(seeds=3, learned_cost=1.37),
    "unfinished": MadeUpStudy(seeds=3, scales=(0.3,), absent=half_done, learned_cost=0.61),
    "teacher_gap": MadeUpStudy(
        question="teacher_gap",
        seeds=3,
        scales=(1.0,),
        augmentations=("none",),
        teachers=TEACHERS,
        teacher_scores=tuple(
            TeacherScore("digits", name, 1234 * k, 0.917 - k / 50, 0.903 - k / 70)
            for k, name in enumerate(TEACHERS, start=1)
        ),
    ),
    "augmentation_gap": MadeUpStudy(
        question="augmentation_gap", seeds=3, augmentations=("none", "standard", "strong")
    ),
    "transfer": MadeUpStudy(question="transfer", seeds=3, learned_cost=1.83),
    "start_range": MadeUpStudy(
        question="start_range",
        seeds=3,
        strategies=("fixed", "grid", "meta"),
        temperatures=(1.0, 4.0),
        searches=(
            MadeUpSearch("meta-starts", (MadeUpSegment(1.0, "mkd"), MadeUpSegment(4.0, "mkd"))),
            MadeUpSearch("align", (MadeUpSegment(None, "align"),)),
        ),
    ),
}
DECIDING = {
    "open": deciding_study(0.2, noise=0.008),
    "equivalent": deciding_study(0.0, noise=0.004),
    "at its end": deciding_study(0.2, noise=0.02, pilots=(1.0, 1.5)),
}
OWN_SEEDS = {"own seeds": MadeUpStudy(seeds=4, seed_streams="own", learned_cost=1.21)}
PAGES = (
    *(*MADE_UP, *OWN_SEEDS, *DECIDING),
    *("multi_teacher", "learning_to_teach", "many searches"),
)


@pytest.fixture(scope="module")
def studies(
    tmp_path_factory: pytest.TempPathFactory, whole: Summary, taught: Summary, many: Summary
) -> dict[str, Summary]:
    found = {
        name: summarise(study.write(tmp_path_factory.mktemp(name)))
        for name, study in (MADE_UP | OWN_SEEDS).items()
    }
    for name, study in DECIDING.items():
        out = tmp_path_factory.mktemp(name)
        taking_looks(study, out, most=2)
        found[name] = summarise(out)
    return found | {"multi_teacher": whole, "learning_to_teach": taught, "many searches": many}


def known_of(folder: Path, *summaries: Summary) -> Known:
    files = [write_summary(folder, summary).read_text("utf-8") for summary in summaries]
    return Known(*map(json.loads, files))


def missing(texts: Iterator[str] | list[str], known: Known) -> list[tuple[str, str]]:
    """Returns the numbers in texts that do not stand in a summary, with their texts."""
    found = []
    for text in texts:
        lasting = [word for word in LASTING.findall(text) if word not in known.lasting]
        found += [(word, text) for word in lasting if word not in known.words]
        shown = numbers_in(LASTING.sub(" ", text))
        found += [(each.number, text) for each in shown if not known.has(each)]
    return found


def missing_values(page: str, known: Known) -> list[float]:
    """Returns the values that a page's figures draw and that do not stand in a summary."""
    return [
        value
        for name, figure in data_of(page).items()
        for trace in figure["data"]
        for value in drawn_values(name, trace)
        # Shares are drawn as per cent.
        if not known.has_value(value) and not (name == "profiles" and known.has_value(value, 100))
    ]


def computed(summary: Summary) -> list[str]:
    """Returns the texts of a traced summary's page that have numbers of their own."""
    page = render(summary)
    return [text for text in texts_of(page) if untraced(text)]


def computed_values(summary: Summary) -> list[Any]:
    """Returns what the figures of a traced summary draw, and did not read."""
    return [
        (figure.id, trace.get("name"), value)
        for figure in all_figures(summary)
        for trace in figure.traces
        # An error bar is a length, and Plotly wants it: its ends are held by the other test.
        for value in drawn_values(figure.id, {k: v for k, v in trace.items() if k[:5] != "error"})
        if not isinstance(value, Traced)
    ]


@pytest.mark.parametrize("name", PAGES)
def test_every_number_stands_in_the_file(
    studies: dict[str, Summary], tmp_path: Path, name: str
) -> None:
    page, known = render(studies[name]), known_of(tmp_path, studies[name])
    assert missing(texts_of(page), known) == []
    assert missing_values(page, known) == []
    for figure, parts in data_of(page).items():
        written = list(drawn_texts(parts["data"], parts["layout"]))
        if figure == "classes":
            # Its cells are per cent, with a mark where they are claimed.
            written = [f"{text.removesuffix('*')} %" for text in written]
        assert missing(written, known) == []


@pytest.mark.parametrize("name", PAGES)
def test_no_number_is_computed_on_the_page(studies: dict[str, Summary], name: str) -> None:
    summary = traced(studies[name])
    assert computed(summary) == []
    assert computed_values(summary) == []
    for figure in all_figures(summary):
        assert [t for t in drawn_texts(figure.traces, figure.layout) if untraced(t)] == []


def test_a_page_of_several_studies_computes_none_either(
    studies: dict[str, Summary], tmp_path: Path
) -> None:
    chosen = [studies[name] for name in ("grid_vs_meta", "unfinished", "multi_teacher")]
    page = render_comparison(named([(Path(f"s{at}"), s) for at, s in enumerate(chosen)]))
    assert missing(texts_of(page), known_of(tmp_path, *chosen)) == []


def test_an_altered_number_is_missed_in_the_file(
    studies: dict[str, Summary], tmp_path: Path
) -> None:
    summary = studies["grid_vs_meta"]
    page, known = render(summary), known_of(tmp_path, summary)
    mean = f"+{summary.comparisons[0].effect.mean_pp:.2f}"
    assert mean in page
    altered = page.replace(mean, "+77.77")
    assert {number for number, _ in missing(texts_of(altered), known)} == {"+77.77"}
    assert not known.has(Shown("3 of 17", False, ""))
    drawn = [
        value
        for figure, parts in data_of(page).items()
        for trace in parts["data"]
        for value in drawn_values(figure, trace)
    ]
    wrong = [value for value in drawn if not known.has_value(1.055 * value + 0.001)]
    assert len(wrong) > 0.98 * len(drawn)


def test_a_computed_number_is_caught_whatever_its_value(
    studies: dict[str, Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the plot beside the verdict could do: the learned cost beside that of no search."""
    summary = traced(studies["grid_vs_meta"])
    plot = grid_vs_meta.compute_plot

    def computing(points, fixed_tau):
        plain = next(point.runs for point in points if point.strategy == "fixed")
        return plot([replace(point, runs=point.runs / plain) for point in points], fixed_tau)

    monkeypatch.setattr(grid_vs_meta, "compute_plot", computing)
    assert any("learned, 1.4 runs" in text for text in computed(summary))


def test_a_drawn_difference_is_caught(studies: dict[str, Summary]) -> None:
    summary = traced(studies["grid_vs_meta"])
    first, *others = summary.responses
    shifted = replace(first, minus_best_pp=tuple(mean - 0.0 for mean in first.minus_best_pp))
    found = computed_values(replace(summary, responses=(shifted, *others)))
    assert {(figure, name) for figure, name, _ in found} == {("responses", "fixed temperature")}
