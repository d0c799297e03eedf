"""Whether distillation helps at all is said first, and no louder than the numbers allow."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_study import MadeUpStudy

from metakd.analysis.basics import Basics, DistillationGain, _whether
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summarise import summarise
from metakd.results.teacher_scores import TeacherScore, write_teachers

MARGIN = 0.2
TEACHER = TeacherScore("digits", "big", 10_000, 0.96, 0.95)


def basics(out: Path, study: MadeUpStudy | None = None, *teachers: TeacherScore) -> Basics:
    study = study or MadeUpStudy()
    study.write(out)
    if teachers:
        write_teachers(out, teachers)
    return summarise(out).basics


def test_it_says_what_was_studied(tmp_path: Path) -> None:
    found = basics(tmp_path, None, TEACHER)
    assert found.sentences[0] == (
        "100 to 1,000 labelled images of digits train small, taught by big (95.00 % on test)."
    )


def test_it_helps_where_a_strategy_is_clearly_ahead_of_no_teacher(tmp_path: Path) -> None:
    found = basics(tmp_path)
    assert found.helps == "helps"
    assert [gain.strategy for gain in found.gains] == ["meta", "grid"]
    assert found.sentences[1].startswith("Distillation helps here: the learned temperature is +")
    assert found.sentences[1].endswith("against no teacher, corrected for 2 strategies (Holm).")


def test_without_runs_without_a_teacher_it_is_not_known(tmp_path: Path) -> None:
    study = MadeUpStudy(strategies=("fixed", "grid", "meta"))
    found = basics(tmp_path, study)
    assert (found.helps, found.gains) == ("unknown", ())
    assert found.sentences[1] == (
        "Whether distillation helps here at all is not known: no strategy without a teacher (ce) "
        "is among these."
    )


def test_it_names_temperatures(tmp_path: Path) -> None:
    found = basics(tmp_path)
    assert found.sentences[2].startswith("Temperatures: of the grid, validation prefers τ = ")
    assert "learned ones end at τ_s " in found.sentences[2]


def test_a_teacher_below_its_student_is_warned_of(tmp_path: Path) -> None:
    weak = replace(TEACHER, test_acc=0.5)
    (warning,) = basics(tmp_path, None, weak).warnings
    assert warning.startswith("the teacher big has 50.00 % on test, less than its student: ")
    assert basics(tmp_path, None, TEACHER).warnings == ()


def gain(mean: float, half: float | None, claim: str) -> DistillationGain:
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return DistillationGain("meta", Interval(mean, low, high, 8, "made up"), 0.5, 0.5, claim)


@pytest.mark.parametrize(
    ("gains", "word"),
    [
        ([], "unknown"),
        ([gain(2.0, 0.5, "ahead")], "helps"),
        ([gain(2.0, 0.5, "ahead"), gain(-2.0, 0.5, "behind")], "helps"),
        ([gain(-2.0, 0.5, "behind"), gain(-3.0, 0.5, "behind")], "harms"),
        ([gain(-2.0, 0.5, "behind"), gain(-1.0, 3.0, "no clear gap")], "not shown"),
        ([gain(0.01, 0.1, "no clear gap"), gain(-0.02, 0.1, "no clear gap")], "changes nothing"),
        ([gain(0.01, 0.1, "no clear gap"), gain(-0.02, 1.0, "no clear gap")], "not shown"),
        ([gain(0.01, None, "no clear gap")], "not shown"),
    ],
)
def test_one_word_follows_from_claims_and_margin(gains: list[DistillationGain], word: str) -> None:
    assert _whether(gains, MARGIN) == word


@given(
    st.lists(
        st.builds(
            gain,
            st.floats(-5, 5),
            st.one_of(st.none(), st.floats(0.01, 5)),
            st.sampled_from(["ahead", "behind", "no clear gap"]),
        ),
        max_size=3,
    )
)
def test_help_and_harm_are_said_of_claims_alone(gains: list[DistillationGain]) -> None:
    word, claims = _whether(gains, MARGIN), [each.claim for each in gains]
    assert (word == "helps") == ("ahead" in claims)
    if word == "harms":
        assert set(claims) == {"behind"}
