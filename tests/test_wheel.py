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

MODELS = """\
from torch import nn

def tiny(in_chans, num_classes, width=8):
    return nn.Sequential(
        nn.Conv2d(in_chans, width, 3, 2), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(width, num_classes),
    )
"""
PICTURES = """\
import numpy as np
from pathlib import Path
from PIL import Image

random = np.random.default_rng(0)
for split, count in (("train", 60), ("test", 40)):
    for at, name in enumerate(("dots", "lines", "plain")):
        folder = Path("pictures") / split / name
        folder.mkdir(parents=True)
        for number in range(count):
            height, width = random.integers(20, 60, 2)
            pixels = random.normal(120, 40, (height, width, 3))
            pixels[:: (2, 3, 99)[at], :: (2, 99, 99)[at]] += random.uniform(20, 120)
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image = image.convert(("RGB", "L", "P", "CMYK")[number % 4])
            image.save(folder / f"{number}.{'jpg' if image.mode == 'CMYK' else 'png'}")
"""
TEACHER = """\
import torch
from mymodels import tiny
from safetensors.torch import save_file

images, labels = test_set("pictures/train")
teacher = tiny(3, 3, width=24)
optimiser = torch.optim.Adam(teacher.parameters(), 0.01)
for _ in range(60):
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(teacher(images / 255 - 0.5), labels).backward()
    optimiser.step()
save_file(teacher.state_dict(), "teacher.safetensors")
"""
TEST_SET = """\
import torch
from timm.data import create_transform
from torchvision.datasets import ImageFolder

def test_set(folder):
    as_in_the_study = create_transform(16, crop_pct=0.875, interpolation="bicubic", normalize=False)
    pictures = ImageFolder(folder, as_in_the_study)
    return torch.stack([image for image, _ in pictures]), torch.tensor(pictures.targets)
"""
FIVE_LINES = """\
images, labels = test_set("pictures/test")
student = metakd.load_student(file)
with torch.no_grad():
    logits = student(images)
print((logits.argmax(1) == labels).float().mean().item())
"""

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


def run(command: list[str], cwd: Path, **options: bool) -> subprocess.CompletedProcess[str]:
    """Runs a command without what would let it find this checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RAY"))}
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
            program = python if words[0] == "-c" else str(place / "bin" / "metakd")
            return run([program, *words], cwd, check=check)

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


@pytest.mark.slow
def test_from_pictures_and_a_trained_teacher_to_a_student_in_any_folder(
    environment: Callable[..., Environment], tmp_path: Path
) -> None:
    call = environment("study")
    (tmp_path / "mymodels.py").write_text(MODELS)
    call("-c", PICTURES, cwd=tmp_path)
    call("-c", TEST_SET + TEACHER, cwd=tmp_path)
    words = [
        *("grid_vs_meta", "--dataset", "imagefolder:pictures,size=16"),
        *("--student", "mymodels:tiny", "--teacher", "mymodels:tiny,width=24"),
        *("--teacher-weights", "teacher.safetensors", "--teacher-normalise", "0.5/1"),
        *("--strategies", "ce", "fixed", "grid", "meta", "--temperatures", "2", "4"),
        *("--scales", "1", "--augmentations", "none", "--seeds", "2", "--epochs", "8"),
        *("--log", "tensorboard", "--out", "results"),
    ]
    plan = call("plan", *words, cwd=tmp_path).stdout
    (accuracy,) = re.findall(r"(\d+\.\d+) % of \d+ validation images", plan)
    assert float(accuracy) > 60, plan
    assert not (tmp_path / "results" / "study.json").exists()

    done = call("run", *words, cwd=tmp_path)
    assert done.stderr == ""
    assert (tmp_path / "results" / "report.html").exists()
    record = json.loads((tmp_path / "results" / "study.json").read_text())
    assert record["command"].startswith("metakd run grid_vs_meta --dataset")
    assert record["git_commit"] == ""
    assert len(list(tmp_path.glob("results/tensorboard/*/*/events.*"))) == len(
        record["planned_trials"]
    )
    (file,) = re.findall(r'metakd\.load_student\("(.*)"\)', done.stdout)
    found = call("-c", f"import metakd\nfile = {file!r}\n{TEST_SET}\n{FIVE_LINES}", cwd=tmp_path)
    card = json.loads((tmp_path / file).with_suffix(".json").read_text())
    assert float(found.stdout) == pytest.approx(card["trial"]["test_acc_last"], abs=1e-6)
    assert card["classes"] == ["dots", "lines", "plain"]
