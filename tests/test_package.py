"""What the package says of itself is the same everywhere."""

import importlib.metadata
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import metakd
from metakd import __main__ as console
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
        lambda: console.main(["--version"]),
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


def test_every_study_can_be_run_by_its_name() -> None:
    scripts = {path.stem for path in (ROOT / "studies").glob("*.py")} - {"__init__"}
    assert set(console.studies()) == scripts
    for name in console.studies():
        assert import_module(f"metakd.studies.{name}").STUDY.name == name


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "--help"], ["compare", "--help"]])
def test_the_command_lists_what_there_is(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        console.main(words)
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: metakd {words[0] if len(words) > 1 else ''}")
    named = {"run": ["transfer"], "compare": ["OUT2"]}
    assert all(name in printed for name in named.get("".join(words[:-1]), console.COMMANDS))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rn"], "invalid choice: 'rn' (choose from 'run', 'plan', "),
        (["run"], "required: STUDY (metakd run --help lists"),
        (["plan", "grid"], "invalid choice: 'grid' (choose from 'augmentation_gap', "),
        (["plan", "transfer", "--sceles", "1"], "did you mean --scales?"),
        (["report"], "required: OUT (metakd report --help lists"),
        (["report", "nowhere"], "nowhere holds no study (study.json is missing)"),
        (["compare", "nowhere"], "required: OUT2"),
        (["export", "nowhere"], "invalid choice: 'nowhere' (choose from 'csv', 'latex', "),
        (["export", "csv", "nowhere"], "nowhere holds no study (study.json is missing)"),
    ],
)
def test_what_it_does_not_understand_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.main(words) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("error: ")
    assert line in printed.err
