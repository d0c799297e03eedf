"""What the package says of itself is the same everywhere."""

import importlib.metadata
from pathlib import Path

import pytest
import yaml

import metakd
from metakd.dashboards.__main__ import main as render
from metakd.study.command_line import parse
from metakd.study.spec import StudySpec

ROOT = Path(__file__).parent.parent


def test_one_version_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == metakd.__version__ == importlib.metadata.version("metakd")
    for command in (
        lambda: parse(StudySpec(name="s"), ["--version"]),
        lambda: render(["--version"]),
    ):
        with pytest.raises(SystemExit) as ended:
            command()
        assert ended.value.code == 0
        assert capsys.readouterr().out == f"metakd {metakd.__version__}\n"


def test_the_licence_is_named_and_there() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    about = importlib.metadata.metadata("metakd")
    assert about["License-Expression"] == cited["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / about["License-File"]).read_text()


def test_the_papers_behind_the_methods_are_cited() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    papers = {each["identifiers"][0]["value"] for each in cited["references"]}
    assert papers == {"arXiv:2202.07940", "arXiv:2306.06634", "arXiv:2106.04570"}
    assert all(each["authors"] for each in (cited, *cited["references"]))
