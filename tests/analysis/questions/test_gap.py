from itertools import product

import numpy as np
import pytest
from verdict_words import answered, said

from metakd.analysis.questions.gap import BADGES, HEADLINES, MENDED_BADGES, MENDING
from metakd.results.study import StoreError
from metakd.results.teacher_scores import TeacherScore

TEACHERS = ("t0", "t1", "t2", "t3")
AUGMENTATIONS = ("none", "some", "strong")
SCORES = tuple(
    TeacherScore("digits", name, 10, 0.9 + i / 100, 0.9) for i, name in enumerate(TEACHERS)
)


def accuracy_of(levels, default, learned):
    """Accuracies by level: at any fixed temperature, and learned; in points below 90 %."""

    def accuracy(method, tau, setting, seed):
        code = {"ce": 1, "kd": 2, "mkd": 3}[method]
        noise = np.random.default_rng([setting, seed, code]).normal(0, 0.0003)
        means = {"ce": [-3.0] * levels, "kd": default, "mkd": learned}[method]
        score = 0.9 + means[setting % levels] / 100
        return score, score + noise

    return accuracy


def teachers(made_up, default, learned, **changes):
    usual = {
        "scales": (1.0,), "augmentations": ("none",), "teachers": TEACHERS, "seeds": 6,
        "question": "teacher_gap", "teacher_scores": SCORES,
        "accuracy": accuracy_of(4, default, learned),
    }  # fmt: skip
    return answered(made_up(**(usual | changes)))


HUMP, LEVEL, RISING = (0.0, 1.0, 2.0, -1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("default", "learned", "badge", "headline"),
    [
        (
            HUMP, LEVEL, "The gap is there, mended",
            "The most accurate teacher (t3) makes a worse student than t2 does at the default "
            "τ = 4; the learned temperature mends it.",
        ),
        (
            HUMP, (0.0, 1.0, 2.0, 1.0), "The gap is there, reduced",
            "The most accurate teacher (t3) makes a worse student than t2 does at the default "
            "τ = 4; the learned temperature reduces it.",
        ),
        (
            HUMP, HUMP, "The gap is there, not shown to be reduced",
            "The most accurate teacher (t3) makes a worse student than t2 does at the default "
            "τ = 4; the learned temperature is not shown to reduce it.",
        ),
        (
            HUMP, (0.0, 1.0, 2.0, -3.0), "The gap is there, enlarged",
            "The most accurate teacher (t3) makes a worse student than t2 does at the default "
            "τ = 4; the learned temperature enlarges it.",
        ),
        (
            LEVEL, RISING, "No gap shown",
            "No other teacher is shown to make a better student than the most accurate teacher "
            "(t3) does.",
        ),
        (
            RISING, RISING, "The reverse", "The most accurate teacher (t3) makes the best student.",
        ),
    ],
)  # fmt: skip
def test_the_headline_says_what_was_found(made_up, default, learned, badge, headline) -> None:
    verdict = teachers(made_up, default, learned)
    text = said(verdict)
    assert verdict.badge == badge
    assert verdict.headline == headline
    assert "Teachers are in the order of their own validation accuracy: t0 90.0 %" in text
    assert "about these very teachers" in text
    assert "98.3 % interval" in verdict.sentences[0]


def test_a_small_gap_is_said_to_be_small(made_up) -> None:
    small = (1.0, 1.0, 1.0, 0.85)
    verdict = teachers(made_up, small, LEVEL)
    said(verdict)
    assert "than t0 does, maybe by less than 0.20 points, at" in verdict.headline


def test_unknown_teachers_are_not_called_accurate(made_up) -> None:
    text = said(teachers(made_up, HUMP, LEVEL, teacher_scores=()))
    assert "The last teacher (t3) makes a worse student" in text
    assert "in the study's order, as their own accuracies are not known" in text


def test_without_learning_the_grid_is_asked(made_up) -> None:
    verdict = teachers(made_up, HUMP, HUMP, strategies=("fixed", "grid"))
    said(verdict)
    assert verdict.headline.endswith("; the grid is not shown to reduce it.")
    alone = teachers(made_up, HUMP, HUMP, strategies=("fixed",))
    said(alone)
    assert alone.headline.endswith("at the default τ = 4.")


def augmentations(made_up, default, learned, **changes):
    usual = {
        "scales": (1.0,), "augmentations": AUGMENTATIONS, "seeds": 6,
        "question": "augmentation_gap", "accuracy": accuracy_of(3, default, learned),
    }  # fmt: skip
    return answered(made_up(**(usual | changes)))


def test_gains_over_no_teacher_come_first_where_they_are_known(made_up) -> None:
    verdict = augmentations(made_up, (0.0, 0.0, -4.0), (0.0, 0.0, -1.0))
    text = said(verdict)
    assert verdict.headline == (
        "Distillation gains less under strong than under none at the default τ = 4; "
        "the learned temperature reduces it."
    )
    assert "at the default τ: a harm" in text
    assert "where τ is chosen: still a gain" in text
    raw = augmentations(made_up, (0.0, 0.0, -4.0), LEVEL, strategies=("fixed", "meta"))
    text = said(raw)
    assert "Distilled students are worse under strong than under none" in raw.headline
    assert "it is open whether distillation or the augmentation itself costs this" in text


def test_what_two_scales_show_by_themselves_is_said(made_up) -> None:
    def accuracy(method, tau, setting, seed):
        validation, test = accuracy_of(3, (0.0, 0.0, -2.0), (0.0, 0.0, 0.0))(
            method, tau, setting, seed
        )
        # So unequal that two scales say little about a third.
        return validation, test - (0.04 if method == "kd" and setting == 5 else 0.0)

    verdict = augmentations(made_up, (), (), scales=(0.1, 1.0), accuracy=accuracy)
    text = said(verdict)
    assert verdict.badge == "There in 2 of 2 combinations"
    assert "in 2 of 2 combinations taken by themselves; over all it is open." in text
    assert "Taken by themselves, 2 of 2 combinations show it (Holm): +" in text


@pytest.mark.parametrize(
    ("changes", "badge"),
    [
        ({"teachers": ("t0",)}, "One teacher only"),
        ({"strategies": ("grid", "meta")}, "Nothing at the default"),
        ({"absent": lambda row: row["teacher"] == "t1"}, "No complete row"),
        ({"absent": lambda row: True}, "No complete row"),
        ({"seeds": 1}, "No gap shown"),
        (
            {"absent": lambda row: row["method"] == "mkd"},
            "The gap is there, not shown to be reduced",
        ),
        (
            {"absent": lambda row: row["seed"] == 5 and row["method"] == "mkd"},
            "The gap is there, mended",
        ),
    ],
)
def test_nothing_is_claimed_that_data_do_not_carry(made_up, changes, badge) -> None:
    verdict = teachers(made_up, HUMP, LEVEL, **changes)
    text = said(verdict)
    assert verdict.badge == badge
    if "absent" in changes:
        assert "Finished:" in text
    if "seeds" in changes:
        assert "95 % interval" not in text


def test_a_study_of_another_question_has_the_usual_verdict(made_up) -> None:
    usual = teachers(made_up, HUMP, LEVEL, question=None)
    assert "whether learning the temperature matches the grid" in usual.headline
    with pytest.raises(StoreError, match="is about 'why', which this version of metakd does not"):
        teachers(made_up, HUMP, LEVEL, question="why")


def test_every_case_has_its_words() -> None:
    measured = (("teacher", "accuracy"), ("augmentation", "gain"), ("augmentation", "accuracy"))
    assert set(HEADLINES) == {(*m, verdict) for m, verdict in product(measured, BADGES)}
    assert set(MENDING) == set(MENDED_BADGES)
