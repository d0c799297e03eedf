"""A study of a student and a teacher of a user's own, from a folder outside the repository."""

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from study_command import TINY, run

import metakd
from metakd.analysis.summary import read_summary
from metakd.results.reader import read_study, read_trials

MODELS = """
    from torch import nn


    def small(in_chans, num_classes, width=8):
        return nn.Sequential(
            nn.Conv2d(in_chans, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, num_classes),
        )
"""
OWN = ["--student", "mymodels:small", "--teacher", "mymodels:small,width=24", "--no-report"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "mymodels.py").write_text(dedent(MODELS))
    return tmp_path


def test_it_runs_is_found_again_and_is_another_with_other_code(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*TINY[:-1], "--teacher", "digit_mlp", *OWN, "--strategies", "ce", "fixed", "meta"]
    words += ["--augmentations", "none", "--out"]
    first = run(*words, "out", cwd=place)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "teacher mymodels:small@" in first.stdout
    (setting,) = read_study(place / "out").settings
    assert setting["student"].startswith("mymodels:small@")
    assert setting["teacher"] is not None
    assert setting["teacher"].endswith(",width=24")
    rows = read_trials(place / "out").to_pylist()
    assert {row["status"] for row in rows} == {"done"}

    (student,) = read_summary(place / "out").students
    monkeypatch.chdir(place)
    loaded = metakd.load_student(place / "out" / student.file)
    assert loaded(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 10)

    again = run(*words, "out", cwd=place)
    assert again.returncode == 0, again.stderr
    assert f"{len(rows)} finished, 0 to run" in again.stdout
    (place / "mymodels.py").write_text(dedent(MODELS).replace("ReLU", "GELU"))
    changed = run(*words, "out", "--dry-run", cwd=place)
    assert changed.returncode == 0, changed.stderr
    assert "0 finished" in changed.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--student yourmodels:small", "there is no module 'yourmodels'"),
        ("--student mymodels:large", "mymodels has no function or class 'large'"),
        ("--teacher mymodels:small,depth=2", "unexpected keyword argument 'depth'"),
        (
            "--student digits:small --teacher digit_mlp+mymodels:small",
            "there is no module 'digits'",
        ),
        ("--student digit_mlp+mymodels:small", "several at once may teach, not learn"),
    ],
)
def test_what_is_wrong_is_one_line_of_the_plan(place: Path, words: str, said: str) -> None:
    failed = run(*TINY, "out", "--dry-run", *words.split(), cwd=place)
    assert failed.returncode == 2, failed.stdout
    assert said in failed.stderr
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert not (place / "out" / "study.json").exists()
