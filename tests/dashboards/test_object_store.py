"""``python -m dashboards`` on results in an object store."""

from pathlib import Path

import pytest
from made_up_study import MadeUpStudy
from object_store_server import Server, address_on

from metakd.dashboards.__main__ import main
from metakd.results.object_store import ObjectStore


def stored(server: Server, name: str, out: Path) -> ObjectStore:
    """Returns where a made-up study lies."""
    store, study = ObjectStore(address_on(server, name)), MadeUpStudy()
    study.write(out)
    store.push([(out / "study.json", "study.json")])
    store.push((file, file.relative_to(out).as_posix()) for file in sorted(out.glob("*/*.parquet")))
    return store


@pytest.mark.parametrize("words", [[], ["--watch", "1"]])
def test_it_reads_there_and_puts_the_page_there(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    store = stored(server, f"study-{len(words)}", tmp_path)
    assert main([store.uri, *words]) == 0
    assert store.address("report.html") in capsys.readouterr().out
    assert str(store.read("report.html")).startswith("<!doctype html>")
    assert store.size("summary.json")


def test_another_place_leaves_the_store_untouched(server: Server, tmp_path: Path) -> None:
    store = stored(server, "read-only", tmp_path / "study")
    before = store.names()
    assert main([store.uri, "--output", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").stat().st_size > 1e6
    assert store.names() == before


def test_a_study_there_is_compared_with_one_here(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, here = stored(server, "compared", tmp_path / "one"), tmp_path / "two"
    MadeUpStudy(seeds=5).write(here)
    assert main([str(here), "--compare", store.uri]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == here / "comparison.html"
    assert page.is_file()


def test_what_is_not_there_is_one_line(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for uri in (address_on(server, "nothing"), address_on(server, bucket="nowhere"), "ftp://a/b"):
        assert main([uri]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
