"""``python -m dashboards`` on studies that are whole, small, broken, running or no studies."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from html_page import Page
from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy

from metakd.analysis.summary import Summary
from metakd.dashboards.__main__ import main
from metakd.dashboards.export import ExportError
from metakd.dashboards.live import Place, watch
from metakd.results.searches import write_searches
from metakd.results.study import StoreError
from metakd.results.writer import finished_trial, write_failure, write_study, write_trials

Capture = pytest.CaptureFixture[str]


def refused(argv: list[str | Path], capsys: Capture) -> str:
    """Returns the one line that the command ends with."""
    assert main([str(word) for word in argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def rendered(out: Path, *words: str) -> Page:
    assert main([str(out), *words]) == 0
    return Page((out / "report.html").read_text(encoding="utf-8"))


def fail(study: MadeUpStudy, out: Path, count: int) -> None:
    """Has the first trials of a study fail."""
    for row in study.rows()[:count]:
        (out / "trials" / f"{row['trial_id']}.parquet").unlink()
        write_failure(
            out, row | {"status": "failed", "name": row["trial_id"], "error": "OutOfMemoryError: 2"}
        )


def test_it_says_where_the_page_is(tmp_path: Path, capsys: Capture) -> None:
    out = MadeUpStudy().write(tmp_path / "study")
    page = rendered(out)
    assert capsys.readouterr().out.strip() == str(out / "report.html")
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["verdict"]["headline"] in page.words


def test_another_place_leaves_the_folder_untouched(tmp_path: Path) -> None:
    out = MadeUpStudy().write(tmp_path / "study")
    before = sorted(out.iterdir())
    file = tmp_path / "new" / "page.html"
    assert main([str(out), "--output", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main([str(out), "--output", str(file), "--watch"]) == 0
    assert sorted(out.iterdir()) == before


@pytest.mark.parametrize(
    "study",
    [
        MadeUpStudy(absent=lambda row: True),
        MadeUpStudy(seeds=1),
        MadeUpStudy(seeds=1, scales=(1.0,), augmentations=("none",)),
        MadeUpStudy(absent=lambda row: row["seed"] > 1 or row["scale"] == 1.0),
        *(MadeUpStudy(strategies=(only,)) for only in ("ce", "fixed", "grid", "meta")),
        MadeUpStudy(strategies=("fixed", "meta")),
        MadeUpStudy(temperatures=(4.0,)),
    ],
    ids=[str(number) for number in range(10)],
)
def test_whatever_there_is_of_a_study_makes_a_page(study: MadeUpStudy, tmp_path: Path) -> None:
    page = rendered(study.write(tmp_path / "study"))
    for word in (" None", " nan", " inf", "Undefined", "Traceback"):
        assert word not in page.words
    assert len(page.all("h1")) == 1


def test_failed_trials_are_counted_and_named(tmp_path: Path) -> None:
    study = MadeUpStudy()
    out = study.write(tmp_path / "study")
    fail(study, out, 3)
    words = rendered(out).words
    planned = len(study.rows())
    assert f"Some trials failed: {planned - 3} of {planned} trials are there, 3 failed" in words
    assert words.count("OutOfMemoryError: 2") == 3


def test_what_is_no_study_is_refused(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "holiday.txt").write_text("sun")
    for out in (tmp_path / "nowhere", foreign, foreign / "holiday.txt"):
        assert "study" in refused([out], capsys)
        assert refused([out, "--watch"], capsys)
        good = MadeUpStudy().write(tmp_path / "study")
        assert refused([good, "--compare", out], capsys)
    assert sorted(p.name for p in foreign.iterdir()) == ["holiday.txt"]


def test_a_damaged_file_is_named(tmp_path: Path, capsys: Capture) -> None:
    out = MadeUpStudy().write(tmp_path / "study")
    torn = next((out / "trials").iterdir())
    torn.write_bytes(torn.read_bytes()[:100])
    assert torn.name in refused([out], capsys)
    (out / "study.json").write_text('{"study": ')
    assert "study.json is damaged" in refused([out], capsys)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: Capture) -> None:
    out = MadeUpStudy().write(tmp_path / "study")
    (tmp_path / "file").write_text("")
    assert "file" in refused([out, "--output", tmp_path / "file" / "page.html"], capsys)
    (tmp_path / "folder").mkdir()
    assert "folder" in refused([out, "--output", tmp_path / "folder"], capsys)


@pytest.mark.parametrize(
    "words", [["--watch", "0"], ["--watch", "soon"], ["--watch", "5", "--compare", "b"], []]
)
def test_words_that_mean_nothing_are_refused(words: list[str], capsys: Capture) -> None:
    refused(["study", *words] if words else [], capsys)


def test_figures_can_be_had_beside_the_page(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = MadeUpStudy().write(tmp_path / "study")
    asked = []

    def export(summary: Summary, folder: Path, format: str) -> list[Path]:
        asked.append((summary.study, folder, format))
        return [folder / "gains.svg"]

    monkeypatch.setattr("metakd.dashboards.export.export_figures", export)
    assert main([str(out), "--export", "svg"]) == 0
    assert asked == [("made up", out / "figures", "svg")]
    assert capsys.readouterr().out.split() == [
        str(out / "report.html"),
        str(out / "figures" / "gains.svg"),
    ]


def test_what_exporting_lacks_is_said(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = MadeUpStudy().write(tmp_path / "study")

    def export(summary: Summary, folder: Path, format: str) -> list[Path]:
        raise ExportError("exporting figures needs kaleido")

    monkeypatch.setattr("metakd.dashboards.export.export_figures", export)
    assert "kaleido" in refused([out, "--export", "png"], capsys)


class Study:
    """A study that does something whenever the watcher sleeps."""

    def __init__(self, out: Path, *acts: Callable[[], object]) -> None:
        self.pages: list[Page] = []
        self._out, self._acts = out, list(acts)

    def __call__(self, seconds: float) -> None:
        if (self._out / "report.html").exists():
            self.pages.append(Page((self._out / "report.html").read_text(encoding="utf-8")))
        assert self._acts, "the watcher should have ended"
        self._acts.pop(0)()


def reloads(page: Page) -> bool:
    return "refresh" in [a.get("http-equiv") for a in page.all("meta")]


def test_watching_renders_what_changes_until_all_is_there(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = MadeUpStudy(scales=(1.0,), augmentations=("none",)), tmp_path / "study"
    rows = made.rows()

    def commit(count: int) -> None:
        for row in rows[:count]:
            write_trials(out, [finished_trial(row, [])])

    def tear() -> None:
        (out / "trials" / f"{rows[6]['trial_id']}.parquet").write_bytes(b"PAR1")

    out.mkdir()
    (out / "trials").mkdir()
    study = Study(
        out,
        lambda: write_study(out, made.record()),
        lambda: commit(5),
        lambda: None,
        tear,
        lambda: None,
        lambda: commit(len(rows)),
    )
    monkeypatch.setattr("time.sleep", study)
    watch(Place(out), None, 3)
    lines = capsys.readouterr().out.splitlines()
    assert "study.json is missing" in lines[0]
    assert lines[1].startswith(f"0/{len(rows)} trials")
    assert lines[2].startswith(f"5/{len(rows)} trials")
    assert lines[3].startswith("waiting: ")
    assert lines[4].startswith(f"{len(rows)}/{len(rows)} trials")
    assert len(lines) == 5
    assert study.pages
    assert all(reloads(page) for page in study.pages)
    assert not reloads(Page((out / "report.html").read_text(encoding="utf-8")))


def test_watching_goes_on_while_a_search_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its trials are there, and it may still ask for more."""

    def made(is_complete: bool) -> MadeUpStudy:
        asked = MadeUpSearch("new", (MadeUpSegment(3.0),), is_complete=is_complete)
        return MadeUpStudy(scales=(1.0,), augmentations=("none",), seeds=1, searches=(asked,))

    out = made(False).write(tmp_path)
    study = Study(out, lambda: write_searches(out, made(True).search_rows()))
    monkeypatch.setattr("time.sleep", study)
    watch(Place(out), None, 3)
    assert [reloads(page) for page in study.pages] == [True]
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert not reloads(page)
    assert "unfinished" not in page.words


def test_watching_ends_when_the_rest_has_failed(tmp_path: Path) -> None:
    study, out = MadeUpStudy(), tmp_path / "study"
    study.write(out)
    fail(study, out, 2)
    assert main([str(out), "--watch", "1"]) == 0
    assert not reloads(Page((out / "report.html").read_text(encoding="utf-8")))


def test_watching_stops_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = MadeUpStudy(absent=lambda row: row["seed"] == 0).write(tmp_path / "study")

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert main([str(out), "--watch"]) == 130
    assert (out / "report.html").exists()


def test_watching_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no folder"):
        watch(Place(tmp_path / "nowhere"), None, 1)
