"""The wheel, alone in an environment: it has what it needs, by extra, and works in any folder.

An environment holds what the wheel's own metadata require, linked from the one that runs the tests,
and nothing else: a requirement that is not declared is missing there.
"""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from made_up_study import MadeUpStudy
from packaging.requirements import Requirement
from study_command import default_signals

import metakd

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIALS = ROOT / "docs" / "tutorials"

Environment = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place))
    # A build folder in the checkout would bring files back that are there no more.
    source = place / "source"
    names = ("pyproject.toml", "README.md", "LICENSE", "platform", "dashboards", "studies")
    source.mkdir()
    for name in names:
        (source / name).symlink_to(ROOT / name)
    run([sys.executable, "-m", "pip", *build, str(source)], place)
    (file,) = place.glob("*.whl")
    return file


def run(
    command: list[str], cwd: Path, programs: Path | None = None, **options: bool
) -> subprocess.CompletedProcess[str]:
    """Runs a command without what would let it find this checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RAY"))}
    if programs is not None:
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=options.get("check", True),
        preexec_fn=default_signals,
    )


def required(wheel: Path, extras: Iterable[str]) -> list[Distribution]:
    """Returns what the wheel requires with some extras, and what that requires in turn."""
    with zipfile.ZipFile(wheel) as files:
        unpacked = wheel.parent / "unpacked"
        files.extractall(unpacked)
    (metadata,) = unpacked.glob("*.dist-info")
    found: dict[str, Distribution] = {}
    waiting = [(PathDistribution(metadata), frozenset(extras))]
    done = set()
    while waiting:
        wanting, chosen = waiting.pop()
        for text in wanting.requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": e}) for e in (*chosen, "")):
                continue
            if requirement.name == "metakd":
                waiting.append((wanting, frozenset(requirement.extras)))
            elif (key := (requirement.name, frozenset(requirement.extras))) not in done:
                done.add(key)
                found[requirement.name] = distribution(requirement.name)
                waiting.append((found[requirement.name], key[1]))
    return list(found.values())


@pytest.fixture(scope="module")
def environment(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """Makes an environment with the wheel and some of its extras; returns what runs in it."""

    def make(*extras: str) -> Environment:
        place = tmp_path_factory.mktemp("environment")
        venv.create(place, symlinks=True)
        python = str(place / "bin" / "python")
        install = ("--python", python, "install", "--quiet", "--no-deps", "--no-index")
        run([sys.executable, "-m", "pip", *install, str(wheel)], place)
        (site,) = place.glob("lib/python*/site-packages")
        for each in required(wheel, extras):
            for name in {file.parts[0] for file in each.files or ()} - {".."}:
                link = site / name
                if not link.exists() and not name.endswith(".pth"):
                    link.symlink_to(Path(str(each.locate_file(name))))

        def call(*words: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
            programs = place / "bin"
            program = str(programs / ("python" if words[0] == "-c" else "metakd"))
            command = [*words] if words[0] == "sh" else [program, *words]
            return run(command, cwd, programs, check=check)

        return call

    return make


def test_the_core_alone_learns_temperatures_and_names_the_extras_of_the_rest(
    environment: Callable[..., Environment], tmp_path: Path
) -> None:
    call = environment()
    (loop,) = [
        b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "MetaTemperature(" in b
    ]
    before = (
        "import torch\n"
        "def model(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))\n"
        "student, teacher = model(), model().eval()\n"
        "optimiser = torch.optim.SGD(student.parameters(), 0.1)\n"
        "loader = [(torch.randn(8, 4), torch.randint(3, (8,))) for _ in range(9)]\n"
    )
    printed = call("-c", before + loop, cwd=tmp_path).stdout
    assert re.search(r"\d\.\d+", printed)
    for words, line in (
        (("run", "grid_vs_meta"), "running studies needs ray: pip install 'metakd[study]'"),
        (("report", "out"), "a report needs plotly: pip install 'metakd[report]'"),
    ):
        refused = call(*words, cwd=tmp_path, check=False)
        assert (refused.returncode, refused.stderr) == (2, f"error: {line}\n")
    assert call("--version", cwd=tmp_path).stdout == f"metakd {metakd.__version__}\n"


def test_reports_and_tables_need_no_ray_and_no_torch_vision(
    environment: Callable[..., Environment], tmp_path: Path
) -> None:
    call = environment("report")
    out = MadeUpStudy().write(tmp_path / "out")
    call("report", "out", cwd=tmp_path)
    call("compare", "out", "out", "--output", "both.html", cwd=tmp_path)
    call("export", "csv", "out", cwd=tmp_path)
    call("export", "latex", "out", cwd=tmp_path)
    assert (out / "report.html").stat().st_size > 1e6
    assert (tmp_path / "both.html").exists()
    assert {file.suffix for file in (out / "tables").iterdir()} == {".csv", ".tex"}


def follow(page: str, call: Environment, place: Path) -> dict[str, str]:
    """Does what a tutorial says, to the letter: writes its files, runs its commands.

    Returns:
        What each command printed.
    """
    text = (TUTORIALS / page).read_text(encoding="utf-8")
    printed = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            name = block.partition("\n")[0].removeprefix("# ")
            (place / name).write_text(block)
        elif language == "bash":
            done = call("sh", "-e", "-c", block, cwd=place, check=False)
            assert (done.returncode, done.stderr) == (0, ""), (block, done.stdout, done.stderr)
            printed[block.strip()] = done.stdout
    return printed


@pytest.mark.slow
def test_the_first_study_is_as_its_tutorial_says(
    environment: Callable[..., Environment], tmp_path: Path
) -> None:
    plan, run = follow("first-study.md", environment("study"), tmp_path).values()
    text = (TUTORIALS / "first-study.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(data .*?)^```$", text, re.DOTALL | re.MULTILINE)
    for line in shown.splitlines():
        assert line in plan
    assert "Undecided" in run
    # The tree that it shows is what lies there.
    (tree,) = re.findall(r"^```text\nfirst/\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    for line in tree.splitlines():
        for name in re.findall(r"^  (\S+(?: \S+/)*)", line)[0].split():
            assert (tmp_path / "first" / name).exists(), name


@pytest.mark.slow
def test_from_pictures_and_a_trained_teacher_to_a_student_in_any_folder(
    environment: Callable[..., Environment], tmp_path: Path
) -> None:
    call = environment("study")
    printed = follow("your-pictures.md", call, tmp_path)
    (card,) = tmp_path.glob("pictures-study/students/*.json")
    row = json.loads(card.read_text())
    assert float(printed["python use.py"]) == pytest.approx(row["trial"]["test_acc_last"], abs=1e-6)
    assert row["classes"] == ["dots", "lines", "plain"]

    printed = follow("your-teacher.md", call, tmp_path)
    plan = next(text for command, text in printed.items() if command.startswith("metakd plan"))
    (accuracy,) = re.findall(r"(\d+\.\d+) % of \d+ validation images", plan)
    assert float(accuracy) > 60, plan
    out = tmp_path / "teacher-study"
    assert (out / "report.html").exists()
    record = json.loads((out / "study.json").read_text())
    assert record["command"].startswith("metakd run grid_vs_meta --dataset")
    assert record["git_commit"] == ""
    events = list(out.glob("tensorboard/*/*/events.*"))
    assert len(events) == len(record["planned_trials"])
