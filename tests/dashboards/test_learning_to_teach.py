"""The report of a study of a teacher that learns to teach."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Page
from hypothesis import given
from hypothesis import strategies as st
from made_up_teaching import teaching_study

from metakd.analysis.figures.teaching import QuizFall
from metakd.analysis.questions.learning_to_teach import LearningTeacher
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import all_figures, draw
from metakd.dashboards.figures.teaching import quizzes_title, teaching_title
from metakd.dashboards.questions import opening
from metakd.dashboards.questions.learner import baselines_plot
from metakd.dashboards.report import render
from metakd.dashboards.side_by_side import named, render_comparison


def test_the_answer_comes_first(taught: Summary) -> None:
    text = render(taught)
    page = Page(text)
    assert re.findall(r'data-figure="(\w+)"', text)[:3] == ["differences", "teaching", "quizzes"]
    for words in (
        taught.verdict.headline, *taught.verdict.sentences, "The learning teacher minus baseline",
        "What helps", "held-out quizzes", "The teacher itself", "Its own test accuracy was 95.00",
        "Where the learning teacher is ahead of the fixed teacher", "arXiv 2106.04570",
        "fixed, learned τ", "learning teacher ahead", "The teacher’s own accuracy",
    ):  # fmt: skip
        assert words in page.words, words
    for words in ("full grid", "Full grid", "best temperature", "None", "fixed τ", "MMKD"):
        assert words not in page.words, words
    assert text.index('id="baselines"') < text.index('id="answer"') < text.index('data-figure="')
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_numbers_are_the_summarys(taught: Summary) -> None:
    assert taught.answer is not None
    words = Page(render(taught)).words
    for teacher in taught.answer.teachers:
        assert f"{teacher.test.mean_pp:.2f}" in words
        assert f"{abs(teacher.change.mean_pp or 0.0):.2f}" in words
    difference, own, *_ = opening(taught).keys
    assert difference.label == "Against the fixed teacher"
    assert own.number == f"{taught.answer.teachers[0].change.mean_pp:+.2f}".replace("-", "−")
    drawn = baselines_plot(taught)
    assert drawn is not None
    assert drawn.count('class="dot meta"') == len(taught.baselines) - 1


def test_figures_say_nothing_of_a_grid_that_was_not_run(taught: Summary) -> None:
    assert "grid" not in taught.strategies
    figures = {figure.id: figure for figure in all_figures(taught)}
    learned = figures["trajectories"]
    assert "grid" not in f"{learned.subtitle} {learned.columns}"
    assert not [trace for trace in learned.traces if "grid" in str(trace.get("name"))]
    assert figures["anytime"].title.startswith("The learning teacher ends at ")


def test_each_strategy_and_setting_has_its_panel(taught: Summary) -> None:
    # Without pilots there is no quiz.
    for name, panels in (("teaching", 5 * 2), ("quizzes", 4 * 2)):
        drawn = draw(taught, name, "dark")
        assert len([trace for trace in drawn.data if trace.showlegend]) == 2
        assert len([trace for trace in drawn.data if trace.name]) == 2 * panels
    figure = next(figure for figure in all_figures(taught) if figure.id == "quizzes")
    assert {len(row) for row in figure.rows} == {len(figure.columns)}


def test_studies_stand_beside_others(taught: Summary, whole: Summary) -> None:
    page = Page(render_comparison(named([(Path("a"), taught), (Path("b"), whole)])))
    assert "The learning teacher against the fixed teacher" in page.words
    assert "MMKD against the mean of losses" in page.words


# Titles


def teacher(changed: str, mean: float | None = -0.5) -> LearningTeacher:
    test = Interval(95.0, 94.0, 96.0, 8, "")
    return LearningTeacher("metadistil", test, Interval(mean, None, None, 8, ""), 0.01, changed)


@pytest.mark.parametrize(
    ("found", "title"),
    [
        (None, "The teacher’s own accuracy against its student’s"),
        (teacher("not shown", None), "The teacher’s own accuracy against its student’s"),
        (teacher("loses"),
         "The teacher loses 0.50 points of its own test accuracy as it learns to teach"),
        (teacher("gains", 0.5),
         "The teacher gains 0.50 points of its own test accuracy as it learns to teach"),
    ],
)  # fmt: skip
def test_what_the_teacher_loses_is_named_where_it_is_shown(found, title) -> None:
    assert teaching_title(found) == title


@given(st.sampled_from(["gains", "loses", "not shown"]), st.floats(-5, 5))
def test_no_gain_and_no_loss_is_claimed_without_a_test(changed: str, mean: float) -> None:
    title = teaching_title(teacher(changed, mean))
    assert ("The teacher loses" in title) == (changed == "loses")
    assert ("The teacher gains" in title) == (changed == "gains")


@pytest.mark.parametrize(
    ("claim", "title"),
    [
        ("falls", "A pilot lowers the quiz loss by 1.2 % on average"),
        ("rises", "A pilot raises the quiz loss by 1.2 % on average"),
        ("not shown", "A pilot is not shown to lower the quiz loss"),
    ],
)  # fmt: skip
def test_a_pilots_fall_is_named_where_it_is_shown(claim, title) -> None:
    sign = -1 if claim == "rises" else 1
    fall = QuizFall("metadistil", Interval(1.23 * sign, None, None, 8, ""), claim)
    assert quizzes_title(fall) == title
    assert quizzes_title(None) == "The quiz loss before and after each pilot"


# Whatever there is


CASES = {
    "learned alone": {"strategies": ()},
    "nothing run": {"absent": lambda row: True},
    "one seed": {"seeds": 1},
    "all failed": {"overrides": {"status": "failed", "error": "OOM"}},
    "half of it": {"absent": lambda row: row["seed"] > 1},
    "nothing logged": {"curve": lambda row, epoch: {}, "teacher_scores": ()},
    "with a grid": {"strategies": ("fixed", "grid")},
}


@pytest.mark.parametrize("case", CASES)
def test_whatever_there_is_is_told(tmp_path: Path, case: str) -> None:
    usual = {"scales": (1.0,), "augmentations": ("none",), "seeds": 3}
    study = teaching_study("metadistil", "metadistil-no-pilot", **(usual | CASES[case]))
    page = Page(render(summarise(study.write(tmp_path))))
    for word in (" None", " nan", " inf", "Undefined", "{"):
        assert word not in page.words
    assert len(page.all("h1")) == 1


def test_costs_that_disagree_are_mixed(taught: Summary) -> None:
    baseline, *others = taught.baselines
    overall = replace(baseline.overall, cost_verdict="mixed")
    words = Page(
        render(replace(taught, baselines=(replace(baseline, overall=overall), *others)))
    ).words
    assert "mixed 1.0" in words
