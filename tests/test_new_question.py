"""A question that is registered is planned, announced, decided, worded, read and shown."""

import re
from io import StringIO
from pathlib import Path

import distilled_or_not
import pytest
from html_page import Page
from made_up_study import MadeUpStudy, deciding_study, taking_looks
from rich.console import Console

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.summarise import read_summary, summarise, write_summary
from metakd.dashboards import print_verdict, write_report
from metakd.dashboards.questions import PAGES
from metakd.study.decidable import require_decidable
from metakd.study.main import main
from metakd.study.spec import SpecError, StudySpec

NAME = distilled_or_not.NAME


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUESTIONS, NAME, distilled_or_not.QUESTION)
    monkeypatch.setitem(PAGES, NAME, distilled_or_not.PAGE)


def level(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
    """A teacher is worth three points."""
    accuracy = 0.8 + 0.03 * (method != "ce") + 0.001 * ((3 * seed + setting) % 4)
    return accuracy, accuracy


def test_it_is_worded_and_read_back(tmp_path: Path) -> None:
    study = MadeUpStudy(accuracy=level, question=NAME, seed_streams="own")
    summary = summarise(study.write(tmp_path))
    assert (summary.question, summary.learner, summary.baseline) == (NAME, "fixed", "ce")
    assert summary.primary.here.mean_pp == pytest.approx(3.0)
    assert summary.verdict.badge == "Better"
    assert summary.verdict.headline == (
        "The default temperature beats no teacher by more than 0.20 points in these 4 settings."
    )
    assert read_summary(write_summary(tmp_path, summary).parent).verdict == summary.verdict


def test_it_is_shown(tmp_path: Path) -> None:
    summary = summarise(MadeUpStudy(accuracy=level, question=NAME).write(tmp_path))
    text = write_report(tmp_path, summary).read_text(encoding="utf-8")
    assert re.findall(r'data-figure="(\w+)"', text)[0] == "differences"
    page = Page(text)
    assert summary.verdict.headline in page.words.replace("\u00a0", " ")
    assert "Against no teacher" in page.words
    console = Console(width=120, file=StringIO())
    print_verdict(console, summary)
    assert "The default temperature beats no teacher" in console.file.getvalue()


def test_looks_decide_it(tmp_path: Path) -> None:
    taking_looks(deciding_study(0.0, 0.004, question=NAME, accuracy=level), tmp_path)
    summary = summarise(tmp_path)
    assert summary.deciding is not None
    assert summary.deciding.is_decided


def test_a_study_of_it_is_planned_and_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = StudySpec(
        name="small", question=NAME, scales=(0.1,), augmentations=("none",), seeds=2,
        strategies=("ce", "fixed"),
    )  # fmt: skip
    require_decidable(spec)
    assert main(spec, write_report, print_verdict, ["--out", str(tmp_path), "--dry-run"]) == 0
    assert "does a teacher help at all?" in capsys.readouterr().out


def test_without_its_strategies_it_cannot_be_decided() -> None:
    spec = StudySpec(name="small", question=NAME, strategies=("ce", "grid"))
    with pytest.raises(SpecError, match="a study distilled_or_not needs fixed among them"):
        require_decidable(spec)
