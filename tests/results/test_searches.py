import pytest

from metakd.results.schema import SEARCHES
from metakd.results.searches import SEARCHES_FILE, read_searches, write_searches
from metakd.results.study import StoreError
from metakd.results.teacher_scores import TEACHERS_FILE, TeacherScore, read_teachers, write_teachers

LEG = {
    "strategy": "optuna",
    "dataset": "digits",
    "scale": 0.1,
    "augmentation": "none",
    "teacher": "big",
    "student": "small",
    "seed": 0,
    "position": 0,
    "trial_id": "abc",
    "from_epoch": 0,
    "until_epoch": 40,
    "is_complete": False,
}


def test_what_was_written_is_read_and_replaces_what_was_there(tmp_path):
    write_searches(tmp_path, [LEG, LEG | {"position": 1, "trial_id": "def"}])
    later = [LEG | {"teacher": None, "is_complete": True}]
    write_searches(tmp_path, later)
    assert read_searches(tmp_path).to_pylist() == later


def test_a_study_of_basic_strategies_has_no_searches(tmp_path):
    assert read_searches(tmp_path).num_rows == 0
    assert read_searches(tmp_path).schema.names == SEARCHES.names


def test_a_segment_without_its_trial_is_refused(tmp_path):
    with pytest.raises(StoreError, match="every row of searches needs 'trial_id'"):
        write_searches(tmp_path, [{k: v for k, v in LEG.items() if k != "trial_id"}])


def test_a_torn_file_is_named(tmp_path):
    (tmp_path / SEARCHES_FILE).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"searches\.parquet is damaged"):
        read_searches(tmp_path)


def test_teachers_are_read_as_they_were_written(tmp_path):
    teachers = tuple(TeacherScore("digits", "big", 100, 0.99, 0.98, seed) for seed in (0, 1))
    assert [teacher.name for teacher in teachers] == ["big", "big (2)"]
    assert read_teachers(tmp_path) == ()
    write_teachers(tmp_path, teachers)
    assert read_teachers(tmp_path) == teachers
    (tmp_path / TEACHERS_FILE).write_text("[{}]")
    with pytest.raises(StoreError, match=r"teachers\.json is damaged"):
        read_teachers(tmp_path)
