"""The README's Python runs as it stands there, given what it names."""

import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from made_up_study import MadeUpStudy
from torch import Tensor, nn

from metakd.models.create import create_model
from metakd.models.own import with_version
from metakd.models.student_files import write_weights
from metakd.strategies import STRATEGIES
from metakd.student_card import StudentCard, write_card
from metakd.study.command_line import parse
from metakd.study.spec import StudySpec
from metakd.testing.strategy import check_strategy

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SEVERAL = TEXT.partition("## Several teachers")[2].partition("\n## ")[0]
STEPS, BATCH, CLASSES = 20, 16, 5


def models() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    student, teacher = (
        timm.create_model(
            "vit_tiny_patch16_224",
            img_size=16,
            patch_size=8,
            num_classes=CLASSES,
            embed_dim=width,
            depth=1,
            num_heads=2,
        )
        for width in (8, 16)
    )
    return student, teacher


def batches(seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    for step in itertools.count(seed):
        generator = torch.Generator().manual_seed(step)
        yield (
            torch.randn(BATCH, 3, 16, 16, generator=generator),
            torch.randint(CLASSES, (BATCH,), generator=generator),
        )


def run(block: str, names: dict[str, Any]) -> dict[str, Any]:
    exec(compile(block, str(README), "exec"), names)
    return names


def test_the_loop(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "MetaTemperature(" in block]
    student, teacher = models()
    names = run(
        block,
        {
            "torch": torch,
            "student": student.train(),
            "teacher": teacher.eval(),
            "optimiser": torch.optim.AdamW(student.parameters(), lr=1e-3),
            "loader": list(itertools.islice(batches(0), STEPS)),
        },
    )
    assert names["temps"].temperatures != (4.0, 4.0)
    assert names["temps"].steps == STEPS
    assert str(names["temps"].temperatures) in capsys.readouterr().out


def test_timms_task() -> None:
    (block,) = [block for block in BLOCKS if "MetaTemperatureTask(" in block]
    student, teacher = models()
    task = run(block, {"torch": torch, "student": student, "teacher": teacher})["task"].train()
    optimiser = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9)
    for images, target in itertools.islice(batches(0), STEPS):
        optimiser.zero_grad()
        task(images, target)["loss"].backward()
        optimiser.step()
    assert task.temperatures.temperatures != (4.0, 4.0)


def test_a_figure_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [block for block in BLOCKS if "draw(" in block]
    MadeUpStudy().write(tmp_path / "results" / "grid_vs_meta")
    monkeypatch.chdir(tmp_path)
    assert run(block, {})["figure"].layout.width == 700
    assert (tmp_path / "differences.html").stat().st_size > 1e6


def test_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [block for block in BLOCKS if "# mymodels.py" in block]
    (tmp_path / "readme_models.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = with_version("readme_models:small,width=4", (3, 8, 8), 5)
    assert create_model(name, (3, 8, 8), 5, seed=0)(torch.zeros(2, 3, 8, 8)).shape == (2, 5)


def test_the_trained_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [block for block in BLOCKS if "load_student(" in block]
    place = tmp_path / "results" / "grid_vs_meta" / "students" / "TRIAL.safetensors"
    write_weights(place, create_model("digit_mlp", (1, 8, 8), 2, seed=0).state_dict())
    write_card(place, StudentCard("digit_mlp", (1, 8, 8), ("a", "b"), (0.5,), (0.2,), "best"))
    monkeypatch.chdir(tmp_path)
    images = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8)
    run(block, {"images": images, "labels": torch.zeros(6, dtype=torch.int64)})
    assert "('a', 'b')" in capsys.readouterr().out


def test_a_strategy_of_ones_own() -> None:
    (block,) = [block for block in BLOCKS if "check_strategy(" in block]
    strategy = run(block, {"__name__": "__main__"})["HALVING"]
    with pytest.raises(AssertionError, match=r"spends 1\.5 runs of a budget of 1"):
        check_strategy(replace(strategy, min_runs=1))
    assert len(BLOCKS) == 6, "a new block needs a test here"


def test_every_strategy_of_several_teachers_has_its_row() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", SEVERAL, re.MULTILINE)
    assert sorted(rows) == sorted(name for name, s in STRATEGIES.items() if s.takes_several)
    said = dict(re.findall(r"`([^`]+)`\s+is\s+`([^`]+)`", SEVERAL))
    assert said == {name: STRATEGIES[name].with_one_teacher for name in ("mmkd-logits", "mmkd-tau")}


def test_commands_for_several_teachers_are_understood() -> None:
    script = "python studies/multi_teacher.py"
    commands = [line for line in SEVERAL.splitlines() if line.startswith(script)]
    assert len(commands) == 3
    for command in commands:
        study = StudySpec("multi_teacher", question="multi_teacher", teachers=("ensemble",))
        parse(study, command.removeprefix(script).split())
