"""What a report opens with, by what its study asks."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from html_page import Page
from hypothesis import given
from hypothesis import strategies as st
from made_up_answers import ANSWERS

from metakd.analysis.along import Level
from metakd.analysis.figures.degradations import LevelChange
from metakd.analysis.questions.gap_numbers import LevelGap, LevelGaps
from metakd.analysis.sentences import Verdict
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summary import Summary
from metakd.dashboards.figures import FIGURES
from metakd.dashboards.questions import opening
from metakd.dashboards.questions.gap import LINE, WIDTH, apart, levels_plot
from metakd.dashboards.questions.transfer import reuse_plot
from metakd.dashboards.report import render

QUESTIONS = ("teacher_gap", "augmentation_gap", "transfer")
NOTHING = Interval(None, None, None, 0, "no complete pair")
HOSTILE = "</svg><script>window.hacked=1</script>"


def asking(summary: Summary, question: str) -> Summary:
    return replace(summary, question=question, answer=ANSWERS[question])


def teacher_gap() -> LevelGap:
    return ANSWERS["teacher_gap"].main


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answer_comes_first(summary: Summary, question: str) -> None:
    text = render(asking(summary, question))
    page = Page(text)
    assert "None" not in page.words.replace("none", "")
    first = {"teacher_gap": "teachers", "augmentation_gap": "augmentations"}
    figures = re.findall(r'data-figure="(\w+)"', text)
    assert figures[:2] == ["looks", first.get(question, "transfer")]
    assert sorted(figures) == sorted(set(FIGURES) - {"starts"})
    for word in ("One.", "Two.", "Learning against its three baselines", "Where learning is ahead"):
        assert word in page.words
    assert "that decide it" not in page.words
    assert text.index('id="answer"') < text.index('data-figure="') < text.index('id="three"')
    assert text.count('class="curve') + text.count('class="interval meta"') >= 1


def test_the_usual_report_stays_as_it_is(summary: Summary) -> None:
    page = Page(render(replace(summary, deciding=None)))
    assert "The three comparisons that decide it" in page.words
    assert "Students along the teachers" not in page.words
    assert "What is gained over" not in page.words


def test_a_gaps_numbers_and_words_are_there(summary: Summary) -> None:
    page = Page(render(asking(summary, "teacher_gap")))
    for words in (
        "Drop at τ = 4", "+1.50", "97.5 % interval [+1.00, +2.00]; medium minus large",
        "Drop where τ is learned", "Less than at τ = 4 by", "mended", "reduced", "93.0 %",
        "teachers’ own validation accuracy",
    ):  # fmt: skip
        assert words in page.words, words


def test_the_numbers_of_transfer_are_there(summary: Summary) -> None:
    page = Page(render(asking(summary, "transfer")))
    for words in (
        "Learned there, over τ from elsewhere", "+0.50", "8 of 12", "worst move −1.50 points",
        "1.6 runs", "τ from elsewhere 1, or 4.0 with its tuning; tuned there 3.0", "share of data",
    ):  # fmt: skip
        assert words in page.words, words


@pytest.mark.parametrize(
    ("verdict", "mended", "tone"),
    [
        ("there", "mended", "good"),
        ("there", "reduced", "good"),
        ("there", "enlarged", "bad"),
        ("there", "not shown to be reduced", "bad"),
        ("the reverse", "nothing to mend", "good"),
        ("not shown", "nothing to mend", "neutral"),
    ],
)
def test_a_gap_is_bad_news_and_its_mending_good(
    summary: Summary, verdict: str, mended: str, tone: str
) -> None:
    gap = teacher_gap()
    fixed, grid, meta = gap.strategies
    told = replace(
        gap, strategies=(replace(fixed, verdict=verdict), grid, replace(meta, mended=mended))
    )
    asked = replace(asking(summary, "teacher_gap"), answer=LevelGaps((told,)))
    assert opening(asked).tone == tone


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_data_the_verdict_stands_alone(summary: Summary, question: str) -> None:
    bare = replace(
        asking(summary, question), answer=None,
        verdict=Verdict("One teacher only", "There is no gap.", ("Finished: 1 of 2.",)),
    )  # fmt: skip
    shown = opening(bare)
    assert (shown.tone, shown.drawing, shown.keys) == ("neutral", None, ())
    page = Page(render(bare))
    assert "There is no gap." in page.words
    assert 'id="answer"' not in render(bare)


def test_a_study_of_starts_opens_with_what_the_wrong_one_costs(summary: Summary) -> None:
    asked = asking(summary, "start_range")
    shown = opening(asked)
    assert shown.tone == "good"
    assert [key.number for key in shown.keys] == ["+6.00", "+1.00", "+0.50", "4 of 4"]
    assert "wrong fixed τ +6.00" in str(shown.drawing)
    page = Page(render(asked))
    assert "How much the start decides" in page.words
    assert (
        "The wrong start costs 6.00 points where it is kept, 1.00 where temperatures" in page.words
    )
    bare = replace(asked, answer=None)
    assert (opening(bare).drawing, opening(bare).keys) == (None, ())
    assert "How much the start decides" not in Page(render(bare)).words


def test_a_strategy_without_data_is_a_dash(summary: Summary) -> None:
    gap = teacher_gap()
    fixed, _, meta = gap.strategies
    empty = replace(
        meta, by_level=(NOTHING,) * 3, drop=NOTHING, mending=NOTHING, verdict="no data",
        mended="no data",
    )  # fmt: skip
    told = replace(gap, strategies=(fixed, empty))
    asked = replace(asking(summary, "teacher_gap"), answer=LevelGaps((told,)))
    page = Page(render(asked))
    assert "no data" in page.words
    assert "None" not in page.words.replace("none", "")
    nothing = replace(gap, strategies=(replace(fixed, by_level=(NOTHING,) * 3),))
    assert levels_plot(nothing) is None


def test_names_are_escaped_and_told_to_who_does_not_see(summary: Summary) -> None:
    gap = teacher_gap()
    named = replace(gap, levels=(Level(HOSTILE), *gap.levels[1:]))
    svg = str(levels_plot(named))
    assert "<script" not in svg
    assert "meta 89.00, 90.00, 90.00" in svg
    reuse = ANSWERS["transfer"]
    assert "learned there, 1.6 runs +0.50" in str(reuse_plot(reuse, 0.2, 4.0, summary.runs))
    overall = reuse.moves[0]
    bare = replace(overall, regret=NOTHING, learned=NOTHING, default=NOTHING)
    assert reuse_plot(replace(reuse, moves=(bare,)), 0.2, 4.0, summary.runs) is None


@given(st.lists(st.floats(0, 300), min_size=1, max_size=3))
def test_labels_keep_a_line_apart_and_in_order(heights: list[float]) -> None:
    moved = apart(heights)
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    for above, below in pairwise(order):
        assert moved[below] - moved[above] >= 0.9 * LINE


@pytest.mark.parametrize("letters", [1, 8, 12, 30])
@pytest.mark.parametrize("levels", [2, 4, 5, 8])
def test_names_of_levels_do_not_touch(summary: Summary, levels: int, letters: int) -> None:
    gap = teacher_gap()
    names = ["n" * letters] * levels
    level = Interval(90.0, None, None, 1, "")
    fixed = replace(gap.strategies[0], by_level=(level,) * levels)
    gap = replace(gap, levels=tuple(Level(name) for name in names), strategies=(fixed,))
    svg = str(levels_plot(gap))
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle">([^<]+)<', svg)
    assert len(found) == len(names)
    by_line: dict[str, list[tuple[float, float]]] = {}
    for x, y, text in found:
        half = 6.4 * len(text) / 2
        by_line.setdefault(y, []).append((float(x) - half, float(x) + half))
    for spans in by_line.values():
        assert spans[-1][1] <= WIDTH + 60
        for (_, end), (start, _) in pairwise(spans):
            assert end <= start + 1


@pytest.mark.parametrize("letters", [5, 30])
def test_better_teachers_stand_to_the_right(summary: Summary, letters: int) -> None:
    small, medium, large = (name.ljust(letters, "_") for name in ("small", "medium", "large"))
    curves = tuple(
        replace(
            curve,
            levels=(large, small, medium),
            own_pp=(93.0, 90.0, 92.0),
            mean_pp=(curve.mean_pp[2], *curve.mean_pp[:2]),
        )
        for curve in summary.degradations
        if curve.factor == "teacher"
    )
    changes = (LevelChange("teacher", "meta", -0.2, -0.2),)
    made = replace(summary, degradations=curves, level_changes=changes)
    figure = FIGURES["teachers"].draw(made)
    assert figure is not None
    learned = next(trace for trace in figure.traces if trace.get("name") == "learned")
    assert learned["y"] == [91.2, 90.0, 91.0]
    ticks = figure.layout["xaxis"]["ticktext"]
    assert [tick[:5] for tick in ticks] == ["large", "small", "mediu"]
    assert [tick[-6:] for tick in ticks] == ["93.0 %", "90.0 %", "92.0 %"]
    assert "-0.2" in figure.title.replace("−", "-")
    assert figure.columns[2:] == (large, small, medium)
    unordered = FIGURES["teachers"].draw(
        replace(summary, degradations=tuple(replace(curve, order="study") for curve in curves))
    )
    assert unordered is not None
    assert "in the study's order" in unordered.subtitle
    assert unordered.columns[2:] == curves[0].levels
