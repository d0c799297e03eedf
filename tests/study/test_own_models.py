"""A study of a student and a teacher of a user's own, from a folder outside the repository."""

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from sklearn.datasets import load_digits
from study_command import TINY, run

import metakd
from metakd.analysis.summary import read_summary
from metakd.results.reader import finished_trials, read_study, read_trials
from metakd.results.teacher_scores import read_teachers
from metakd.student_card import read_card

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


@pytest.mark.slow
def test_images_a_student_and_a_strategy_of_ones_own_run_together(place: Path) -> None:
    (place / "mydata.py").write_text(
        "import numpy as np\n"
        "from sklearn.datasets import load_digits\n"
        "def load():\n"
        "    images, labels = load_digits(return_X_y=True)\n"
        "    return (images.reshape(-1, 8, 8) * 15).astype(np.uint8), [f'a {n}' for n in labels]\n"
    )
    (place / "mystrategies.py").write_text(
        "from metakd.core.distillers import KDConfig\n"
        "from metakd.strategies import Segment, Strategy\n"
        "def warm(choices):\n"
        "    yield [Segment(KDConfig(8.0, 8.0, choices.alpha))]\n"
        "WARM = Strategy('a warm run', warm)\n"
    )
    words = [*TINY[:-3], "--teacher", "digit_mlp", "--student", "mymodels:small", "--no-report"]
    words += ["--strategies", "ce", "fixed", "mystrategies:WARM", "--augmentations", "none"]
    words += ["--dataset", "mydata:load", "--out", "out"]
    done = run(*words, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mydata:load: 10 classes (a 0, a 1, " in done.stdout
    rows = read_trials(place / "out").to_pylist()
    assert {row["status"] for row in rows} == {"done"}
    assert {row["dataset"] for row in rows} == {"mydata:load"}
    (student,) = read_summary(place / "out").students
    assert read_card(place / "out" / student.file).classes[3] == "a 3"


TRAINED = ["--teacher", "mymodels:small,width=24", "--teacher-weights", "teacher.pt"]


def train_teacher(place: Path) -> float:
    """Trains a teacher in a loop of a user's own, and returns its accuracy on held-out digits."""
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = (images.float().reshape(-1, 1, 8, 8) / 16 - 0.5) / 0.5
    sys.path.append(str(place))
    try:
        model = importlib.import_module("mymodels").small(1, 10, width=24)
    finally:
        sys.path.remove(str(place))
        del sys.modules["mymodels"]
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    for _ in range(25):
        for ids in order[:1400].split(32):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(images[ids]), labels[ids]).backward()
            optimiser.step()
    torch.save({"epoch": 25, "model": model.state_dict()}, place / "teacher.pt")
    found = model.eval()(images[order[1400:]]).argmax(1)
    return float((found == labels[order[1400:]]).float().mean())


def test_a_trained_teacher_teaches_as_accurate_as_it_was(place: Path) -> None:
    own = train_teacher(place)
    words = [*TINY[:-3], *TRAINED, "--no-report", "--strategies", "ce", "fixed", "--seeds", "1"]
    words += ["--augmentations", "none"]
    plan = run(*words, "--teacher-normalise", "none", "--out", "out", "--dry-run", cwd=place)
    assert "warning      that is little (chance: 10 %)" in plan.stdout, plan.stderr
    plan = run(*words, "--teacher-normalise", "0.5/0.5", "--out", "out", "--dry-run", cwd=place)
    assert plan.returncode == 0, plan.stderr
    assert "warning" not in plan.stdout
    assert not (place / "out" / "teachers").exists()
    done = run(*words, "--teacher-normalise", "0.5/0.5", "--out", "out", cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    (score,) = read_teachers(place / "out")
    # Most of the study's test images were in its training.
    assert 100 * score.test_acc > 100 * own - 3
    assert [path.name for path in (place / "out" / "teachers").glob("*/given*")] == []
    assert len(finished_trials(place / "out")) == 2
    # The same file elsewhere is the same teacher.
    (place / "elsewhere").mkdir()
    (place / "teacher.pt").rename(place / "elsewhere" / "teacher.pt")
    words[words.index("teacher.pt")] = "elsewhere/teacher.pt"
    again = run(*words, "--teacher-normalise", "0.5/0.5", "--out", "out", cwd=place)
    assert again.returncode == 0, again.stderr
    assert "2 finished, 0 to run" in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--teacher-weights nothing.pt --teacher-normalise none",
            "nothing.pt cannot be read",
        ),
        ("--teacher-weights mymodels.py --teacher-normalise none", "holds more than weights"),
        ("--teacher-weights a.pt", "say how their images were normalised"),
        (
            "--teacher-weights a.pt --teacher-normalise half",
            "normalise is none, dataset, timm",
        ),
        ("--teacher-normalise none", "belong to --teacher-weights FILE"),
        (
            "--teachers digit_mlp digit_cnn --teacher-weights a.pt --teacher-normalise none",
            "--teacher-weights is of one teacher",
        ),
        ("--teacher-weights a,b.pt --teacher-normalise none", "may hold no comma and no plus"),
        (
            "--teacher-weights other.pt --teacher-normalise none",
            "the weights are not those of",
        ),
        ("--student digit_mlp,weights=a.pt,normalise=none", "weights= is for teachers"),
    ],
)
def test_what_is_wrong_with_weights_is_one_line_of_the_plan(
    place: Path, words: str, said: str
) -> None:
    torch.save({"layer.weight": torch.zeros(2, 2)}, place / "other.pt")
    failed = run(*TINY, "out", "--dry-run", *words.split(), cwd=place)
    assert failed.returncode == 2, failed.stdout
    assert said in failed.stderr
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1


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
