from io import StringIO
from pathlib import Path

from made_up_study import MadeUpStudy
from rich.console import Console

from metakd.analysis.summarise import summarise
from metakd.dashboards import print_verdict
from metakd.dashboards.terminal import basics_lines, settings_table, verdict_lines


def printed(table) -> str:
    text = StringIO()
    Console(width=110, file=text).print(table)
    return text.getvalue()


def test_the_table_fits_and_shows_every_setting(tmp_path: Path) -> None:
    text = printed(settings_table(summarise(MadeUpStudy().write(tmp_path))))
    assert max(map(len, text.splitlines())) <= 110
    assert "…" not in text
    for key in ("10 % · none", "10 % · strong", "100 % · none", "100 % · strong"):
        assert key in text
    assert "(5, 3)" in text


def test_wide_numbers_and_hostile_names_fit_too(tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        return 0.5, [0.999, 0.1, 0.5, 0.9][seed] if method == "mkd" else 1.0

    study = MadeUpStudy(
        scales=(1.0,), augmentations=("none", "[red]a long name[/red]"), accuracy=accuracy
    )
    text = printed(settings_table(summarise(study.write(tmp_path))))
    assert max(map(len, text.splitlines())) <= 110
    assert "…" not in text
    assert "[red]a" in text


def test_what_did_not_run_is_a_dash(tmp_path: Path) -> None:
    study = MadeUpStudy(scales=(1.0,), augmentations=("none",), strategies=("fixed",))
    row = printed(settings_table(summarise(study.write(tmp_path)))).splitlines()[3]
    assert row.split().count("–") == 5


def test_a_gap_is_named_only_if_it_is_claimed(tmp_path: Path) -> None:
    def accuracy(method, tau, setting, seed):
        ahead = (0.01 + seed / 1000) * (-1, 1)[setting] if method == "mkd" else 0.0
        return 0.9, 0.9 + ahead

    study = MadeUpStudy(scales=(1.0,), seeds=6, accuracy=accuracy)
    behind, ahead = printed(settings_table(summarise(study.write(tmp_path)))).splitlines()[3:5]
    assert behind.split()[-1] == "behind"
    assert ahead.split()[-1] == "ahead"


def test_the_verdict_comes_first_and_is_wrapped(tmp_path: Path) -> None:
    summary = summarise(MadeUpStudy(scales=(1.0,)).write(tmp_path))
    lines = verdict_lines(summary)
    assert lines[0].startswith(f"{summary.verdict.badge}. ")
    assert max(map(len, lines)) <= 100
    said = " ".join(lines)
    for text in (summary.verdict.headline, *summary.verdict.sentences):
        assert text in said


def test_a_study_prints_its_verdict_and_then_its_tables(tmp_path: Path) -> None:
    summary = summarise(MadeUpStudy(scales=(1.0,), question="transfer").write(tmp_path))
    text = StringIO()
    print_verdict(Console(width=110, file=text), summary)
    lines = text.getvalue().splitlines()
    first = basics_lines(summary)
    assert lines[1 : len(first) + 1] == first
    assert lines[len(first) + 2] == verdict_lines(summary)[0]
    heads = [line.split()[0] for line in lines if line.split()[:1] in (["moved"], ["setting"])]
    assert heads == ["moved", "setting"]
