"""Which students stay: the best of each setting whatever the order, those selected, or all."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.analysis.students import is_of, kept_students
from metakd.results.study import Setting
from metakd.results.writer import FinishedTrial, finished_trial
from metakd.student_card import KeepStudents, StudentCard, preference, read_card
from metakd.study.kept_students import KeptStudents, keep_selected, sweep_students
from metakd.train.folder import StudyFolder

SMALL: Setting = {
    "dataset": "digits", "scale": 0.3, "augmentation": "none", "teacher": "t", "student": "s",
}  # fmt: skip
LARGE: Setting = {**SMALL, "scale": 1.0}
OTHER: Setting = {**SMALL, "teacher": "u+v"}
SETTINGS = (SMALL, LARGE, OTHER)
LABELLED = {"small": SMALL, "large": LARGE, "other": OTHER}


def trial(
    trial_id: str,
    val_acc: float,
    setting: Setting = SMALL,
    *,
    teacher: str | None = "t",
    learned: int = 0,
    kept: KeepStudents = "best",
) -> FinishedTrial:
    row = {
        **setting, "trial_id": trial_id, "pair_id": "p", "name": f"trial {trial_id}",
        "teacher": teacher, "val_acc_last": val_acc, "test_acc_last": val_acc - 0.01,
        "validation_samples_learned": learned,
    }  # fmt: skip
    card = StudentCard("s", (1, 8, 8), ("a", "b"), (0.5,), (0.2,), kept)
    return finished_trial(row, [], card)


def run(folder: StudyFolder, trials: Iterable[FinishedTrial], keep: KeepStudents = "best") -> None:
    students = KeptStudents(keep, folder, SETTINGS)
    for each in trials:
        folder.students.mkdir(exist_ok=True)
        (folder.students / f"{each.id}.safetensors").write_text("weights")
        students.add(each)


def left(folder: StudyFolder) -> set[str]:
    names = {path.name for path in folder.students.iterdir()}
    ids = {name.partition(".")[0] for name in names}
    assert names == {f"{i}.{suffix}" for i in ids for suffix in ("safetensors", "json")}
    return ids


TRIALS = [
    trial("a", 0.8),
    trial("b", 0.9),
    trial("c", 0.9),
    trial("d", 0.95, learned=20),
    trial("e", 0.7, LARGE),
    trial("f", 0.85, LARGE, teacher=None),
    trial("g", 0.6, OTHER, teacher="u+v"),
    trial("h", 0.5, OTHER, teacher="v"),
]


@given(st.permutations(TRIALS))
def test_the_best_of_each_setting_stays_whatever_the_order(order: list[FinishedTrial]) -> None:
    with TemporaryDirectory() as out:
        stays_the_best(StudyFolder(Path(out)), order)


def stays_the_best(folder: StudyFolder, order: list[FinishedTrial]) -> None:
    run(folder, order)
    # Of equal ones the first id; one that learned from the held-out samples is no judge of itself.
    assert left(folder) == {"b", "f", "g"}
    found = kept_students(folder.out, LABELLED)
    assert [(s.setting, s.file) for s in found] == [
        ("small", "students/b.safetensors"),
        ("large", "students/f.safetensors"),
        ("other", "students/g.safetensors"),
    ]
    assert found[0].name == "trial b"
    assert (found[0].val_pp, found[0].test_pp) == pytest.approx((90.0, 89.0))


def test_a_run_without_a_teacher_is_of_every_teacher_s_setting(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    run(folder, [trial("a", 0.5), trial("ce", 0.9, teacher=None), trial("b", 0.95)])
    # It is still the best of the other setting.
    assert left(folder) == {"ce", "b"}
    run(folder, [trial("g", 0.96, OTHER, teacher="u")])
    assert left(folder) == {"b", "g"}


def test_a_later_run_goes_on_from_the_best_so_far(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    run(folder, [trial("a", 0.8)])
    run(folder, [trial("b", 0.7)])
    assert left(folder) == {"a"}
    run(folder, [trial("c", 0.9)])
    assert left(folder) == {"c"}


@pytest.mark.parametrize("keep", ["all", "selected"])
def test_others_stay_whatever_a_later_run_keeps(tmp_path: Path, keep: KeepStudents) -> None:
    folder = StudyFolder(tmp_path)
    run(folder, [trial("a", 0.8, kept=keep), trial("b", 0.7, kept=keep)], keep)
    assert left(folder) == {"a", "b"}
    run(folder, [trial("c", 0.6), trial("d", 0.75)])
    assert left(folder) == {"a", "b", "d"}
    keep_selected(folder, {"b"})
    assert left(folder) == ({"a", "b", "d"} if keep == "all" else {"b", "d"})
    assert kept_students(folder.out, {"small": SMALL})[0].file == (
        f"students/{'a' if keep == 'all' else 'd'}.safetensors"
    )


def test_a_trial_that_left_no_student_is_passed_over(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    KeptStudents("best", folder, SETTINGS).add(replace(trial("a", 0.9), student=None))
    assert not folder.students.exists()
    assert kept_students(folder.out, LABELLED) == ()


def test_weights_without_a_card_are_swept_and_damaged_cards_stay(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    run(folder, [trial("a", 0.9)])
    (folder.students / "lost.safetensors").write_text("weights")
    for suffix in ("safetensors", "json"):
        (folder.students / f"damaged.{suffix}").write_text("{")
    sweep_students(folder)
    assert left(folder) == {"a", "damaged"}
    run(folder, [trial("b", 0.95)])
    assert left(folder) == {"b", "damaged"}
    assert [student.file for student in kept_students(folder.out, {"small": SMALL})] == [
        "students/b.safetensors"
    ]


def test_the_card_has_the_trial(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    run(folder, [trial("a", 0.9)])
    card = read_card(folder.students / "a.safetensors")
    assert card.trial["val_acc_last"] == 0.9
    assert (card.kept, card.classes) == ("best", ("a", "b"))


ROWS = st.fixed_dictionaries(
    {
        "validation_samples_learned": st.sampled_from([0, 20]),
        "val_acc_last": st.floats(0, 1),
        "trial_id": st.text(),
    }
)


@given(ROWS, ROWS)
def test_one_is_preferred_unless_they_are_the_same(one: dict, other: dict) -> None:
    assert (preference(one) == preference(other)) == (
        one["trial_id"] == other["trial_id"]
        and (
            one["val_acc_last"] == other["val_acc_last"]
            and one["validation_samples_learned"] == other["validation_samples_learned"]
        )
    )
    if one["validation_samples_learned"] < other["validation_samples_learned"]:
        assert preference(one) < preference(other)
    elif one["validation_samples_learned"] == other["validation_samples_learned"]:
        assert (preference(one) < preference(other)) or one["val_acc_last"] <= other["val_acc_last"]


def test_settings_are_told_apart_by_every_factor() -> None:
    row = trial("a", 0.5).row.to_pylist()[0]
    assert is_of(row, SMALL)
    for factor, value in (
        ("dataset", "cifar"), ("scale", 0.1), ("augmentation", "strong"), ("student", "x"),
        ("teacher", "x"), ("teacher", None),
    ):  # fmt: skip
        assert not is_of(row, {**SMALL, factor: value})  # type: ignore[typeddict-item]
