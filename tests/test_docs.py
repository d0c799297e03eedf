"""README and documentation: their Python runs, and their commands are understood."""

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
import timm
import torch
from made_up_study import MadeUpStudy
from torch import Tensor, nn

from metakd import __main__ as console
from metakd.models.create import create_model
from metakd.models.own import with_version
from metakd.models.student_files import write_weights
from metakd.strategies import STRATEGIES
from metakd.student_card import StudentCard, write_card
from metakd.study.command_line import parse, study_parser
from metakd.study.main import main
from metakd.study.spec import StudySpec
from metakd.testing.strategy import check_strategy

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
# Of a page that shows what another one shows, too, once.
BLOCKS = list(dict.fromkeys(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)))
SEVERAL = (ROOT / "docs" / "how-to" / "several-teachers.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
STRATEGY_TABLE = (ROOT / "docs" / "reference" / "strategies.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^(?:\w+=\S+ )?((?:python|metakd|ray|make|pip|sphinx-build) .*)$", re.M)
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
    exec(compile(block, "a page", "exec"), names)
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


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_a_model_of_ones_own(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [block for block in BLOCKS if "# mymodels.py" in block and f"def {name}(" in block]
    (tmp_path / f"models_of_{name}.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    model = with_version(f"models_of_{name}:{name},width=4", (3, 8, 8), 5)
    assert create_model(model, (3, 8, 8), 5, seed=0)(torch.zeros(2, 3, 8, 8)).shape == (2, 5)


def test_the_trained_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [block for block in BLOCKS if "student.card.classes" in block]
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


def test_every_block_of_python_has_its_test() -> None:
    # Those of tutorials are files, which test_wheel.py writes and runs.
    files = [block for block in BLOCKS if re.match(r"# (pictures|use|train_teacher)\.py", block)]
    assert len(files) == 3
    # mymodels.py stands in a tutorial and in a how-to, each with a model of its own.
    assert len(BLOCKS) - len(files) == 7, "a new block needs a test here"


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) <= 150
    for page in PAGES[:2]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), link


def test_pages_are_generated_from_the_code() -> None:
    command = [sys.executable, "docs/generated.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "searchindex.js").exists()
    assert "MetaTemperature" in (tmp_path / "reference" / "api.html").read_text(encoding="utf-8")


def test_every_option_has_its_row() -> None:
    named = set(re.findall(r"--[a-z][a-z-]+", OPTIONS))
    spellings = {"--datasets", "--teachers", "--students", "--teacher", "--student", "--help"}
    options = set(study_parser(StudySpec("s"))._option_string_actions) - {"-h"}
    assert options - spellings - {"--version"} <= named
    assert named <= options


def test_every_strategy_has_its_row() -> None:
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", STRATEGY_TABLE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    # A row of variants gives their endings.
    named |= {f"meta{name}" for name in named if name.startswith("-")}
    several = {name for name, strategy in STRATEGIES.items() if strategy.takes_several}
    learning = {name for name in STRATEGIES if name.startswith("metadistil")}
    assert set(STRATEGIES.built_in) - several - learning <= named
    teaching = (ROOT / "docs" / "how-to" / "learning-teacher.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in teaching for name in learning)


def commands() -> list[str]:
    """Returns the commands of all pages, a line each."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    text = "\n".join(fenced).replace("\\\n", " ")
    return sorted({line.partition("  #")[0].strip() for line in COMMAND.findall(text)})


def plan(study: str, words: list[str], place: Path) -> None:
    """Plans a study, where it needs nothing that a page's reader has and this machine lacks."""
    spec, options = parse(import_module(f"metakd.studies.{study}").STUDY, words)
    names = [*spec.datasets, *spec.teachers, *spec.students]
    is_here = spec.datasets == ("digits",) and not any("mymodels" in name for name in names)
    if is_here and options.power_of is None and options.cluster in ("auto", "local"):
        here = ["--dry-run", "--cluster", "local", "--out", str(place / "out")]
        here += ["--cpus-per-trial", "1"]  # of workers that share it, on a machine of any size
        study_of = import_module(f"metakd.studies.{study}").STUDY
        assert main(study_of, nothing, nothing, [*words, *here]) == 0


def nothing(*given: object) -> NoReturn:
    raise AssertionError("a plan renders nothing")


def test_commands_for_several_teachers_are_among_them() -> None:
    script = "python studies/multi_teacher.py"
    shown = {line.strip() for line in SEVERAL.splitlines() if line.startswith(script)}
    assert len(shown) == 3
    assert shown <= set(commands())


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_a_command_is_understood(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("mymodels", "mystrategies", "mydata"):
        (tmp_path / f"{module}.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    words = shlex.split(command)
    if words[:2] == ["ray", "job"]:
        words = words[words.index("--") + 1 :]
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
        settings = {word.partition("=")[0] for word in words[1:] if "=" in word}
        assert settings <= set(re.findall(r"\$\((\w+)\)", makefile))
        assert {word for word in words[1:] if "=" not in word} <= targets
    elif words[0] == "metakd" and words[1] in ("run", "plan"):
        plan(words[2], words[3:], tmp_path)
    elif words[0] == "metakd":
        assert words[1] in (*console.COMMANDS, "--version")
    elif words[0] == "python" and words[1] == "-m":
        assert words[2] == "dashboards"
    elif words[0] == "python" and "studies" in words[1]:
        plan(Path(words[1]).stem, words[2:], tmp_path)
    elif words[0] == "python" and "/" in words[1]:
        assert (ROOT / words[1]).exists()
    else:
        assert words[0] in ("python", "pip", "ray", "sphinx-build")


def test_every_strategy_of_several_teachers_has_its_row() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", SEVERAL, re.MULTILINE)
    assert sorted(rows) == sorted(name for name, s in STRATEGIES.items() if s.takes_several)
    said = dict(re.findall(r"`([^`]+)`\s+is\s+`([^`]+)`", SEVERAL))
    assert said == {name: STRATEGIES[name].with_one_teacher for name in ("mmkd-logits", "mmkd-tau")}
