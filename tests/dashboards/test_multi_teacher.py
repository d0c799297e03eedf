"""The report of a study of several teachers."""

import re
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from html_page import Page
from hypothesis import given
from hypothesis import strategies as st
from made_up_ensemble import ENSEMBLE, TEACHERS, ensemble_study
from made_up_study import MadeUpSearch, MadeUpSegment
from rich.console import Console
from verdict_words import said

from metakd.analysis.figures.weights import FinalWeight, FinalWeights
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import all_figures, draw
from metakd.dashboards.figures.classes import classes_title
from metakd.dashboards.figures.weights import outcomes_title, weights_title
from metakd.dashboards.questions import opening, tables
from metakd.dashboards.questions.learner import baselines_plot
from metakd.dashboards.report import render
from metakd.dashboards.side_by_side import heading, named, render_comparison, warnings
from metakd.dashboards.theme import TEACHER_STYLES, coloured, teacher_styles
from metakd.strategies import STRATEGIES, style_of


def test_the_answer_comes_first_and_nothing_of_grids(whole: Summary) -> None:
    text = render(whole)
    page = Page(text)
    figures = re.findall(r'data-figure="(\w+)"', text)
    assert figures[:4] == ["differences", "weights", "outcomes", "classes"]
    assert not {"gains", "responses", "transfer", "trajectories", "optimism"} & set(figures)
    for words in (
        whole.verdict.headline, *whole.verdict.sentences, "Against the best single teacher",
        "MMKD minus baseline", "What helps", "with features: MMKD − mean with features",
        "Each teacher alone", "1,000,000", "Where MMKD is ahead of the mean of losses",
        "arXiv 2306.06634", "MMKD − its student", "confidence (CA-MKD)",
    ):  # fmt: skip
        assert words in page.words, words
    for words in ("full grid", "Full grid", "earned temperature is", "grid ahead", "None"):
        assert words not in page.words
    assert text.index('id="baselines"') < text.index('id="answer"') < text.index('data-figure="')
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all("scope" in attrs for attrs in page.all("th"))


def test_numbers_are_the_summarys(whole: Summary) -> None:
    words = Page(render(whole)).words
    assert whole.answer is not None
    for part in whole.answer.parts:
        assert f"{abs(part.effect.mean_pp or 0.0):.2f}" in words
    for setting in whole.settings:
        assert f"{setting.versus_baseline.mean_pp:+.2f} MMKD ahead" in words
    main = next(r for r in whole.baselines if r.strategy == "mean_losses")
    first, *_ = opening(whole).keys
    assert first.number == f"{main.overall.effect.mean_pp:+.2f}"
    assert opening(whole).tone == "good"


def test_the_hero_draws_every_baseline_but_no_teacher(whole: Summary) -> None:
    drawn = baselines_plot(whole)
    assert drawn is not None
    assert drawn.count('class="dot meta"') == len(whole.baselines) - 1
    assert "no teacher" not in drawn
    names = re.findall(r'<text x="12" y="([\d.]+)">', drawn)
    heights = [float(y) for y in names]
    assert min(b - a for a, b in pairwise(heights)) > 20
    for x in re.findall(r' x[12]?="([-\d.]+)"', drawn):
        assert -1 <= float(x) <= 421
    assert baselines_plot(replace(whole, baselines=())) is None


def test_teachers_keep_their_colour_and_dash(whole: Summary) -> None:
    styles = teacher_styles(whole)
    assert list(styles) == list(TEACHERS)
    assert len({(style.colour, style.dash) for style in styles.values()}) == 3
    several = [name for name, strategy in STRATEGIES.items() if strategy.takes_several]
    ours = {style.colour for name in several if (style := style_of(name)) is not None}
    assert len(ours) == len(several)
    assert not ours & {colour for colour, _, _ in TEACHER_STYLES[:4]}
    for figure in all_figures(whole):
        for trace in figure.traces:
            if trace.get("name") in styles:
                assert trace["line"]["color"] == styles[trace["name"]].colour
                assert trace["line"]["dash"] == styles[trace["name"]].dash
    for colour, _, _ in TEACHER_STYLES:
        for theme in ("light", "dark"):
            assert coloured(colour, theme).startswith("#")
            assert coloured(f"{colour}-soft", theme).startswith("rgba(")


def test_every_figure_can_be_had_alone(whole: Summary) -> None:
    for figure in all_figures(whole):
        drawn = draw(whole, figure.id, "dark")
        assert len(drawn.data) > 0
        assert {len(row) for row in figure.rows} == {len(figure.columns)}
    heat = draw(whole, "classes").data[0]
    assert len(heat.z) == len(TEACHERS)
    # The first teacher stands above.
    ticks = draw(whole, "classes").layout.yaxis.ticktext
    assert tuple(ticks) == TEACHERS[::-1]


def test_studies_of_teachers_stand_side_by_side_and_beside_others(
    whole: Summary, summary: Summary
) -> None:
    pair = named([(Path("a"), whole), (Path("b"), replace(whole, study="b"))])
    page = Page(render_comparison(pair))
    assert "MMKD against the mean of losses" in page.words
    assert "MMKD against the best single teacher" in page.words
    assert "Learned against the full grid" not in page.words
    assert heading(pair).startswith("Both studies say the same of the accuracy: better")
    mixed = named([(Path("a"), whole), (Path("b"), summary)])
    page = Page(render_comparison(mixed))
    assert "Learned against the full grid" in page.words
    assert "MMKD against the mean of losses" in page.words
    assert "Differences are not of the same two: MMKD minus mean of losses and learned" in " ".join(
        warnings(mixed)
    )


# Titles


def interval(mean: float) -> Interval:
    return Interval(mean, mean - 1, mean + 1, 8, "")


def ended(of: str, *words: str, leanings: str = "not shown", by_class: str = "not shown"):
    shares = {"above": 60.0, "below": 10.0, "not shown": 100 / len(words)}
    return FinalWeights(
        "mmkd", of, "digits", ENSEMBLE, 2, 3, (4, 7), 100 / len(words),
        tuple(
            FinalWeight(
                f"t{k}", interval(shares[word]), interval(shares[word] - 100 / len(words)), word,
                interval(50.0), interval(53.0), interval(3.0), leanings if k == 0 else "not shown",
                (shares[word], shares[word] + 8 - k), (0.0, 8.0 - k), ("not shown", by_class),
            )
            for k, word in enumerate(words)
        ),
    )  # fmt: skip


NOTHING, SOME = ("not shown",) * 3, ("above", "below", "below")


@pytest.mark.parametrize(
    ("final", "title"),
    [
        ([], "The teachers’ weights over the training"),
        ([ended("logits", *SOME), ended("logits", *SOME)],
         "The teachers’ weights over the training"),
        ([ended("logits", *NOTHING)], "MMKD is not shown to prefer any teacher’s logits"),
        ([ended("logits", *SOME)], "MMKD prefers the logits of t0"),
        ([ended("logits", *SOME), ended("features", *SOME)],
         "MMKD prefers the logits and features of t0"),
        ([ended("logits", *SOME), ended("features", "below", "above", "above")],
         "MMKD prefers the logits of t0 and prefers the features of t1 and t2"),
        ([ended("logits", *NOTHING), ended("features", *SOME)],
         "MMKD prefers the features of t0 and is not shown to prefer any teacher’s logits"),
        ([ended("logits", *NOTHING), ended("features", *NOTHING)],
         "MMKD is not shown to prefer any teacher’s logits and features"),
    ],
)  # fmt: skip
def test_a_preference_is_named_where_it_is_shown(final, title) -> None:
    assert weights_title(final) == title


@given(st.lists(st.sampled_from(["above", "below", "not shown"]), min_size=2, max_size=5))
def test_no_teacher_is_said_to_be_preferred_without_a_test(words) -> None:
    title = weights_title([ended("logits", *words)])
    for k, word in enumerate(words):
        assert (f"t{k}" in title) == (word == "above")


def test_where_the_student_is_wrong() -> None:
    assert outcomes_title([ended("logits", *SOME)]) == (
        "MMKD is not shown to weigh teachers otherwise where the student is wrong"
    )
    assert outcomes_title([ended("logits", *NOTHING, leanings="above")]) == (
        "Where the student is wrong, MMKD gives more weight to t0 (+3.0 of the logits)"
    )
    assert "more weight" not in outcomes_title([ended("logits", *NOTHING, leanings="below")])


def test_classes_are_named_where_a_teacher_counts_most_beyond_its_usual() -> None:
    assert classes_title([ended("logits", *SOME)]) == "MMKD is not shown to weigh teachers by class"
    assert classes_title([ended("features", *SOME, by_class="above")]) == (
        "MMKD weighs teachers by class: t0 most beyond its usual weight for class 7 "
        "(+8.0 of the features)"
    )
    # Only that a teacher counts less somewhere is shown.
    shown = classes_title([ended("features", *SOME, by_class="below")])
    assert shown == "MMKD weighs teachers by class, none shown beyond its usual weight"


# Whatever there is


CASES = {
    "single alone": (("single",), {}),
    "learned alone": (("mmkd",), {"strategies": ()}),
    "no default baseline": (("mmkd-tau", "camkd"), {"strategies": ()}),
    "nothing run": (("single", "mmkd", "mean_losses"), {"absent": lambda row: True}),
    "one seed": (("single", "mmkd", "mean_losses"), {"seeds": 1}),
    "all failed": (("single", "mmkd"), {"overrides": {"status": "failed", "error": "OOM"}}),
    "half of it": (("single", "mmkd", "mean_losses"), {"absent": lambda row: row["seed"] > 1}),
    "no weights, no scores of teachers": (
        ("single", "mmkd", "mean_losses"), {"weights": None, "teacher_scores": ()},
    ),
    "no seconds": (("mmkd", "mean_losses"), {"overrides": {"student_compute_s": None}}),
    "an unfinished search": (("mmkd",), {"searches": (
        MadeUpSearch("single", (MadeUpSegment(4.0, "kd small_net", teacher="small_net"),),
                     is_complete=False),)}),
    "one teacher": (("mmkd", "mean_losses"), {"teachers": ("small_net",)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_whatever_there_is_of_several_teachers_is_told(tmp_path: Path, case: str) -> None:
    strategies, changes = CASES[case]
    usual = {"scales": (1.0,), "augmentations": ("none",), "seeds": 3}
    study = ensemble_study(*strategies, **(usual | changes))
    summary = summarise(study.write(tmp_path))
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path).verdict == summary.verdict
    said(summary.verdict)
    console = Console(width=120, file=StringIO())
    for table in tables(summary):
        console.print(table)
    assert "nan" not in console.file.getvalue()
    assert "None" not in console.file.getvalue()
    page = Page(render(summary))
    for word in (" None", " nan", " inf", "Undefined", "{"):
        assert word not in page.words.partition("temperatures 1,")[0]
    assert len(page.all("h1")) == 1
