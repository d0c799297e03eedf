"""What is said of a teacher that learns to teach: by cases, by hand, and from a store."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from made_up_teaching import BEFORE, FAMILY, levels, teaching_study
from rich.console import Console
from verdict_words import answered, said

from metakd.analysis.comparison import Pair, compare_baselines, grid_at_equal_cost
from metakd.analysis.costs import costs_of
from metakd.analysis.figures.teaching import curve_band, quiz_fall, quiz_falls
from metakd.analysis.grid import choose
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.analysis import pair_of
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.analysis.table import make_table
from metakd.dashboards.questions import tables


def verdict(*strategies: str, points: dict[str, float] | None = None, **changes):
    return answered(teaching_study(*strategies, accuracy=levels(**(points or {})), **changes))


def table_of(study):
    return make_table(study.record(), tuple(study.rows()), study.search_rows())


# The verdict


@pytest.mark.parametrize(
    ("level", "badge", "headline"),
    [
        (3.0, "Better, 3 times dearer",
         "A teacher that learns to teach beats the fixed teacher by more than 0.20 points; it "
         "costs 3 times as much."),
        (0.5, "Worse, 3 times dearer",
         "A teacher that learns to teach loses to the fixed teacher by more than 0.20 points; it "
         "costs 3 times as much."),
    ],
)  # fmt: skip
def test_the_headline_is_of_the_fixed_teacher(level, badge, headline) -> None:
    found = verdict("metadistil", points={"metadistil": level})
    said(found)
    assert (found.badge, found.headline) == (badge, headline)


def test_everything_that_was_asked_is_answered() -> None:
    text = said(verdict())
    assert "in plain runs: the learning teacher 3.0, the fixed teacher 1.0." in text
    assert "the fixed teacher with learned temperatures (+" in text
    assert "learning teachers help (+0.88 at fixed temperatures and +1.03 at learned" in text
    assert "pilots help (+0.73 over the student’s real steps)" in text
    assert "held-out quizzes are not shown to do anything (+0.07 over quizzes" in text
    assert "learned temperatures help (+0.21 with a learning teacher)" in text
    assert "corrected for 6 differences (Holm)" in text
    assert "default temperature" not in text


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (-1.5, "The teacher’s own test accuracy falls from 95.00 % to 93.5"),
        (1.5, "The teacher’s own test accuracy rises from 95.00 % to 96.5"),
        (0.0, "The teacher’s own test accuracy is not shown to change: 95.00 % before, 9"),
    ],
)
def test_what_became_of_the_teacher(gain, words) -> None:
    text = said(verdict("metadistil", gains={"metadistil": gain}))
    assert words in text
    assert "points (95 % interval" in text
    # One strategy is not corrected for.
    assert "corrected for 1" not in text


def test_before_it_was_the_one_of_its_name_that_is_asked() -> None:
    again = replace(BEFORE, seed=1, test_acc=0.1)
    one = verdict("metadistil", teacher_scores=(BEFORE,))
    assert verdict("metadistil", teacher_scores=(BEFORE, again)) == one


def test_of_a_teacher_unknown_before_only_the_end_is_told() -> None:
    text = said(verdict("metadistil", teacher_scores=()))
    assert "At the end the teacher itself reaches 93.5" in text


def test_one_seed_tells_nothing_apart() -> None:
    found = verdict("metadistil", seeds=1, scales=(1.0,))
    assert found.badge.startswith("Undecided")
    text = said(found)
    assert "Too few runs to tell a teacher that learns to teach from the fixed teacher" in text
    assert "is not shown to change" in text
    assert "(no interval: one seed" in text


@pytest.mark.parametrize(
    ("strategies", "changes", "badge"),
    [
        (("metadistil",), {"searches": ()}, "Nothing learned"),
        (("metadistil",), {"strategies": ()}, "Nothing to compare"),
        (("metadistil",), {"absent": lambda row: row["method"] == "kd",
                           "strategies": ("fixed",)}, "No complete pair"),
    ],
)  # fmt: skip
def test_without_a_pair_the_scores_stand_alone(strategies, changes, badge) -> None:
    found = verdict(*strategies, **changes)
    assert found.badge == badge
    assert "Mean test accuracy" in said(found)


@pytest.mark.parametrize(
    ("learners", "planned", "pair"),
    [
        (FAMILY, ("ce", "fixed", "meta"), Pair("metadistil", "fixed")),
        (FAMILY[1:], ("ce", "meta"), Pair("metadistil+tau", "meta")),
        (FAMILY[2:], ("ce", "grid"), Pair("metadistil-no-pilot", "grid")),
        (FAMILY[4:], ("ce",), Pair("metadistil-reference", "ce")),
    ],
)
def test_who_is_compared(learners, planned, pair) -> None:
    table = table_of(teaching_study(*learners, strategies=planned))
    reached = reached_by_strategy(table, choose(table))
    assert pair_of(QUESTIONS["learning_to_teach"], table.strategies, reached) == pair


# Equal cost


def test_a_grid_has_as_many_temperatures_as_learning_pays_for() -> None:
    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        return (0.5 + tau / 100,) * 2 if method == "kd" else (0.9, 0.9)

    study = teaching_study("metadistil", strategies=("grid",), accuracy=accuracy)
    table = table_of(study)
    grid = choose(table)
    found = grid_at_equal_cost(table, grid, costs_of(table), "metadistil")
    # Three of the temperatures 1, 2, 4, 8: the best of them is 8 in three subsets of four.
    assert found == pytest.approx(np.full((4, 4), 0.5 + (3 * 8 + 4) / 400))
    [baseline] = compare_baselines(table, grid, costs_of(table), "metadistil")
    assert baseline.overall.effect.mean_pp == pytest.approx(32.0)
    assert baseline.equal_cost.mean_pp == pytest.approx(33.0)


# Curves


def test_a_fall_is_of_mean_losses_where_both_are_known() -> None:
    before = np.array([[[1.0, 1.0, np.nan], [0.0, 0.0, np.nan], [np.nan] * 3]])
    after = np.array([[[0.5, 0.7, 0.1], [0.0, 0.0, np.nan], [np.nan] * 3]])
    assert quiz_fall(before, after) == pytest.approx(
        np.array([[40.0, np.nan, np.nan]]), nan_ok=True
    )


def test_falls_are_claimed_after_correction() -> None:
    sure = np.array([[10.0, 10.5, 9.5, 10.2]])
    falls = quiz_falls({"a": sure, "b": -sure, "c": sure - 10, "d": np.full((1, 4), np.nan)})
    assert [(fall.strategy, fall.claim) for fall in falls] == [
        ("a", "falls"), ("b", "rises"), ("c", "not shown"),
    ]  # fmt: skip


def test_bands_stay_where_accuracies_can_be() -> None:
    band = curve_band(np.array([[99.0, 50.0], [100.0, np.nan], [99.5, np.nan]]), 100.0)
    assert band.mean == pytest.approx((99.5, 50.0))
    assert band.high == (100.0, None)
    assert band.low[0] == pytest.approx(99.5 - 4.302653 * 0.5 / 3**0.5)


def test_a_study_from_its_store_to_its_tables(tmp_path: Path) -> None:
    summary = summarise(teaching_study(augmentations=("none",)).write(tmp_path))
    assert (summary.learner, summary.baseline) == ("metadistil", "fixed")
    assert [(c.strategy, c.key) for c in summary.teaching_curves[:3]] == [
        ("metadistil", "10 % · none"),
        ("metadistil", "100 % · none"),
        ("metadistil+tau", "10 % · none"),
    ]
    first, reference = summary.teaching_curves[0], summary.teaching_curves[-1]
    assert (first.epochs, first.seeds) == ((0, 1, 2, 3), 4)
    assert first.teacher_pp.mean[0] == pytest.approx(100 * BEFORE.val_acc)
    assert first.teacher_pp.mean[-1] == pytest.approx(94.5, abs=0.3)
    assert first.student_pp.mean[-1] == pytest.approx(89.0, abs=0.5)
    assert first.quiz_after.mean[1] == pytest.approx(0.45, abs=0.02)
    # Its teacher stays as it is for two epochs.
    assert reference.strategy == "metadistil-reference"
    assert reference.quiz_before.mean[:2] == (None, None)
    assert None not in reference.student_pp.mean
    assert {fall.claim for fall in summary.quiz_falls} == {"falls"}
    assert read_summary(write_summary(tmp_path, summary).parent).teaching_curves[0].key == first.key

    strategies, settings = tables(summary)
    console = Console(width=100, file=StringIO())
    for table in (strategies, settings):
        console.print(table)
    lines = console.file.getvalue().splitlines()
    assert "…" not in "".join(lines)
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert rows["metadistil"][1:] == [f"{summary.answer.teachers[0].test.mean_pp:.2f}", "3.0"]
    assert rows["fixed"][1:3] == ["95.00", "1.0"]
    assert rows["ce"][1] == "–"
    assert rows["fixed"][-2:] == ["better", "ahead"]
    assert str(settings.columns[-2].header) == "learning teacher −\nfixed teacher"
