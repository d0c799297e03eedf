from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from metakd.analysis.summarise import summarise
from metakd.analysis.terminal import settings_table, verdict_lines
from metakd.analysis.wording import counted, listed, signed_pp, times


def printed(table) -> str:
    console = Console(width=110, file=StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_table_fits_and_shows_every_setting(made_up, tmp_path: Path) -> None:
    text = printed(settings_table(summarise(made_up().write(tmp_path))))
    assert max(map(len, text.splitlines())) <= 110
    assert "…" not in text
    for key in ("10 % · none", "10 % · strong", "100 % · none", "100 % · strong"):
        assert key in text
    assert "(5, 3)" in text


def test_wide_numbers_and_hostile_names_fit_too(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.5, [0.999, 0.1, 0.5, 0.9][seed] if method == "mkd" else 1.0

    study = made_up(
        scales=(1.0,), augmentations=("none", "[red]a long name[/red]"), accuracy=accuracy
    )
    text = printed(settings_table(summarise(study.write(tmp_path))))
    assert max(map(len, text.splitlines())) <= 110
    assert "…" not in text
    assert "[red]a" in text


def test_what_did_not_run_is_a_dash(made_up, tmp_path: Path) -> None:
    study = made_up(scales=(1.0,), augmentations=("none",), strategies=("fixed",))
    row = printed(settings_table(summarise(study.write(tmp_path)))).splitlines()[3]
    assert row.split().count("–") == 5


def test_a_gap_is_named_only_if_it_is_claimed(made_up, tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        ahead = (0.01 + seed / 1000) * (-1, 1)[setting] if method == "mkd" else 0.0
        return 0.9, 0.9 + ahead

    study = made_up(scales=(1.0,), seeds=6, accuracy=accuracy)
    behind, ahead = printed(settings_table(summarise(study.write(tmp_path)))).splitlines()[3:5]
    assert behind.split()[-1] == "behind"
    assert ahead.split()[-1] == "ahead"


def test_the_verdict_comes_first_and_is_wrapped(made_up, tmp_path: Path) -> None:
    summary = summarise(made_up(scales=(1.0,)).write(tmp_path))
    lines = verdict_lines(summary)
    assert lines[0].startswith(f"{summary.verdict.badge}. ")
    assert max(map(len, lines)) <= 100
    said = " ".join(lines)
    for text in (summary.verdict.headline, *summary.verdict.sentences):
        assert text in said


@pytest.mark.parametrize(
    ("value", "text"), [(0.154, "+0.15"), (-0.08, "−0.08"), (-0.004, "0.00"), (12.0, "+12.00")]
)
def test_differences_are_signed(value, text) -> None:
    assert signed_pp(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2"), (3.14, "3.1"), (0.625, "0.62"), (12.3, "12"), (120.4, "120")]
)
def test_factors_have_two_digits(value, text) -> None:
    assert times(value) == f"{text} times"


def test_words_are_joined_as_people_do() -> None:
    assert (counted(1, "seed"), counted(2, "seed")) == ("1 seed", "2 seeds")
    assert [listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
