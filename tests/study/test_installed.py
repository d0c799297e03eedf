"""Strategies, data sets and models of installed packages: names like those of metakd.

The package is a folder on ``PYTHONPATH`` as an installer leaves it, outside the repository.
"""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from study_command import ROOT, TINY, environment, run

CODE = """
    from dataclasses import dataclass
    from typing import ClassVar

    from metakd.core.distillers import KDConfig
    from metakd.strategies import Segment, Strategy, Style


    @dataclass(frozen=True)
    class SharpConfig(KDConfig):
        method: ClassVar[str] = "sharp"
        version: ClassVar[int] = 3


    def both(choices):
        yield [Segment(SharpConfig(0.5, 0.5, choices.alpha)), Segment(KDConfig(2.0, 2.0, 0.5))]


    SHARP = Strategy("two runs", both, label="the pair", style=Style("Pair", "@teal", "x", "dot"))
    NUMBER = 3


    def images():
        import numpy as np

        rng = np.random.default_rng(0)
        labels = np.arange(80) % 2
        greys = rng.integers(0, 99, (80, 8, 8)) + 100 * labels[:, None, None]
        return greys.astype("uint8"), labels


    def tiny(in_chans, num_classes, width=4):
        from torch import nn

        return nn.Sequential(nn.Conv2d(in_chans, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                             nn.Flatten(), nn.Linear(width, num_classes))
"""
ENTRY_POINTS = """
    [metakd.strategies]
    sharp = sharpening.code:SHARP
    number = sharpening.code:NUMBER
    gone = sharpening.code:GONE
    broken = sharpening.broken:SHARP
    odd = sharpening.code

    [metakd.datasets]
    shades = sharpening.code:images
    broken_shades = sharpening.broken:images

    [metakd.models]
    tiny = sharpening.code:tiny
    broken_tiny = sharpening.broken:tiny
"""
DRY = [*TINY[:-1], "--dry-run", "--scales", "1", "--augmentations", "none", "--out", "out"]


def install(site: Path, package: str, entry_points: str, code: str = "") -> None:
    folder = site / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "code.py").write_text(dedent(code))
    (folder / "broken.py").write_text("import nothing_like_this\n")
    about = site / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(dedent(entry_points))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    place = tmp_path / "site"
    install(place, "sharpening", ENTRY_POINTS, CODE)
    (tmp_path / "here").mkdir()
    return place


def paths(site: Path) -> dict[str, str]:
    known = environment().get("PYTHONPATH", "")
    return {"PYTHONPATH": f"{site}:{known}" if known else str(site)}


def study(site: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return run(*DRY, *words, cwd=site.parent / "here", extra=paths(site))


def in_python(site: Path, code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", dedent(code)], cwd=site.parent / "here", text=True, check=True,
        env=environment() | paths(site), capture_output=True,
    ).stdout.strip()  # fmt: skip


def test_all_of_them_are_planned_by_their_names(site: Path) -> None:
    words = ["--strategies", "ce", "sharp", "--dataset", "shades", "--student", "tiny,width=6"]
    done = study(site, *words)
    assert done.returncode == 0, done.stderr
    assert "strategies   ce, sharp" in done.stdout
    assert "shades: 2 classes (0, 1), 8×8 grey" in done.stdout
    # A model is its code, however it was named.
    assert "student sharpening.code:tiny@" in done.stdout
    assert ",width=6 (74 parameters)" in done.stdout
    by_place = study(site, *words[:-1], "sharpening.code:tiny,width=6")
    assert [line for line in by_place.stdout.splitlines() if line.startswith("models ")] == [
        line for line in done.stdout.splitlines() if line.startswith("models ")
    ]


def test_names_are_known_and_nothing_is_imported_for_them(site: Path) -> None:
    shown = run("--help", cwd=site.parent / "here", extra=paths(site))
    assert shown.returncode == 0
    assert "gone, number, odd, sharp" in " ".join(shown.stdout.split())
    assert "broken_shades, shades" in " ".join(shown.stdout.split())
    printed = in_python(
        site,
        """
        import sys
        from metakd.data.catalogue import dataset_names, require_known_dataset
        from metakd.models.names import require_known_model
        from metakd.strategies import STRATEGIES, label_of
        require_known_dataset("shades")
        require_known_model("tiny,width=3")
        assert "sharp" in STRATEGIES and "sharp" not in STRATEGIES.built_in
        assert len(STRATEGIES) == len(list(STRATEGIES)) > len(STRATEGIES.built_in)
        print("sharpening" in sys.modules, "torch" in sys.modules, "numpy" in sys.modules)
        """,
    )
    assert printed == "False False False"


def test_a_trial_is_its_content_and_a_dataset_its_pixels(site: Path) -> None:
    """Its own distiller stands in it with its version; reports name it as its package says."""
    code = """
        import json
        from pathlib import Path
        from metakd.data.datasets import open_dataset
        from metakd.strategies import STRATEGIES, label_of, style_of
        from metakd.strategies.strategy import Choices, first_segments
        from metakd.train.content import content_json

        choices = Choices((1.0, 4.0), 4.0, 0.9, 2.0, 2, 10, 0)
        segments = first_segments(STRATEGIES["sharp"], choices)
        shades = [open_dataset(n, Path("cache")) for n in ("shades", "sharpening.code:images")]
        print(json.dumps({
            "distillers": [content_json(segment.distiller) for segment in segments],
            "label": label_of("sharp"), "style": style_of("sharp").name,
            "fingerprints": [each.fingerprint for each in shades],
            "names": [each.name for each in shades],
        }))
    """
    found = json.loads(in_python(site, code))
    assert '"versions":{"sharp":3}' in found["distillers"][0]
    assert '"method":"kd"' in found["distillers"][1]
    assert (found["label"], found["style"]) == ("the pair", "Pair")
    assert found["names"] == ["shades", "sharpening.code:images"]
    assert len(set(found["fingerprints"])) == 1
    place = site / "sharpening" / "code.py"
    place.write_text(place.read_text().replace("default_rng(0)", "default_rng(1)"))
    assert json.loads(in_python(site, code))["fingerprints"] != found["fingerprints"]


def test_other_code_is_another_model(site: Path) -> None:
    code = 'from metakd.models.own import with_version; print(with_version("tiny", (1, 8, 8), 2))'
    before = in_python(site, code)
    place = site / "sharpening" / "code.py"
    place.write_text(place.read_text().replace("ReLU", "GELU"))
    after = in_python(site, code)
    assert before.partition("@")[0] == after.partition("@")[0] == "sharpening.code:tiny"
    assert before != after


def test_all_are_those_of_metakd_whatever_is_installed(site: Path) -> None:
    done = study(site, "--strategies", "all")
    assert done.returncode == 0, done.stderr
    assert "sharp" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--strategies number", "'number' must be a metakd.strategies.Strategy, got int"),
        ("--strategies gone", "strategy 'gone': sharpening.code has nothing called 'GONE'"),
        ("--strategies broken", "strategy 'broken': sharpening.broken cannot be imported: Module"),
        ("--strategies odd", "registers 'odd' for 'sharpening.code', which is not written MODULE:"),
        ("--strategies sharpe", "choose from ce, fixed, "),
        ("--dataset broken_shades", "dataset 'broken_shades': sharpening.broken cannot be impor"),
        ("--dataset shades:3", "unknown dataset 'shades:3', expected one of digits, cifar10"),
        ("--student broken_tiny", "sharpening.broken cannot be imported: ModuleNotFoundError"),
        ("--student tiny,width=no", "'sharpening.code:tiny,width=no' failed: TypeError"),
        ("--student tinny", "did you mean tiny?"),
    ],
)
def test_what_cannot_be_used_is_one_line(site: Path, words: str, said: str) -> None:
    done = study(site, *words.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "group", "name"),
    [
        ("--strategies ce grid", "strategies", "grid"),
        ("--dataset synthetic:samples=200", "datasets", "synthetic"),
        ("--student digit_mlp", "models", "digit_mlp"),
        ("--teacher digit_cnn+digit_mlp --strategies ce", "models", "digit_cnn"),
    ],
)
def test_a_name_of_metakd_that_a_package_takes_is_refused_where_it_is_used(
    site: Path, words: str, group: str, name: str
) -> None:
    install(site, "greedy", f"[metakd.{group}]\n{name} = greedy.code:MINE\n")
    done = study(site, *words.split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    said = "but the installed package greedy registers greedy.code:MINE by this name, too"
    assert f"error: {name!r} is metakd's, {said}" in done.stderr
    assert run("--help", cwd=site.parent / "here", extra=paths(site)).returncode == 0


def test_a_name_of_two_packages_is_refused(site: Path) -> None:
    install(site, "other", "[metakd.strategies]\nsharp = other.code:SHARP\n")
    done = study(site, "--strategies", "ce", "sharp")
    assert done.returncode == 2
    assert (
        "'sharp' is registered twice, other.code:SHARP by other and sharpening.code:SHARP by "
        "sharpening: uninstall one, or take MODULE:NAME" in done.stderr
    )


def test_reports_start_without_them(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "metakd.dashboards", "--help"], cwd=ROOT, capture_output=True,
        text=True, env=environment() | paths(site), check=True,
    )  # fmt: skip
    assert "usage" in done.stdout
