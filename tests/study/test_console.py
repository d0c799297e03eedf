"""What others wrote is printed as it is: no markup, no emoji codes, no colours for numbers."""

import io
from pathlib import Path

import pytest
from rich.table import Table

from metakd.study.announce import Failure, announce_failures, announce_places
from metakd.study.console import PlainConsole
from metakd.study.progress import StageProgress, TrialProgress

HOSTILE = (
    "[/old] closes nothing",
    "/data/[v2]/a :train: :100:.png",
    "[enforce fail at alloc_cpu.cpp:127] [red]err == 0[/red] \\[x]",
    "[link=file:/etc]here[/link]",
)


@pytest.fixture
def console() -> PlainConsole:
    console = PlainConsole()
    console.file = io.StringIO()
    return console


def text(console: PlainConsole) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("words", HOSTILE)
def test_lines_tables_and_failures(console: PlainConsole, words: str) -> None:
    console.print(f"data         {words}")
    table = Table(words)
    table.add_row(words)
    console.print(table)
    announce_failures(console, [Failure(words, words)])
    announce_places(console, Path("out") / words, Path("out") / words / "report.html", None)
    assert text(console).count(words) == 7


@pytest.mark.parametrize("words", HOSTILE)
def test_what_moves_in_a_terminal(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console = PlainConsole()
    console.file = io.StringIO()
    console._force_terminal = True
    with StageProgress(console) as stages:
        stages.show(words)
        console.print("beside it")
    with TrialProgress(console, total=2, total_work=2.0) as progress:
        progress.prepare(words)
        progress.finish("id", words, 0.9, 1.0)
        console.print("beside it")
    assert words in text(console)
