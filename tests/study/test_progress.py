import io

import pytest
from rich.console import Console

from metakd.study.progress import TrialProgress, duration


def progress(total: int | None = 4) -> TrialProgress:
    console = Console(file=io.StringIO(), width=200)
    return TrialProgress(console, total=total, total_work=100.0)


def test_it_counts_what_is_done_running_failed_and_best() -> None:
    with progress() as shown:
        shown.finish("id-a", "a", 0.5, 10.0)
        shown.finish("id-b", "b", 0.75, 10.0)
        shown.fail("id-c", 10.0)
        shown.running = 1
        words = shown.words()
    assert "2/4 done" in words
    assert "1 running" in words
    assert "1 failed" in words
    assert "best validation 75.0 % (b)" in words


def test_time_left_is_judged_by_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("metakd.study.progress.time.monotonic", lambda: now[0])
    with progress() as shown:
        assert shown.seconds_left() is None
        now[0] = 30.0
        shown.finish("id-a", "a", 0.5, 25.0)
        assert shown.seconds_left() == pytest.approx(90.0)


def test_work_of_running_trials_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("metakd.study.progress.time.monotonic", lambda: now[0])
    with progress() as shown:
        now[0] = 10.0
        shown.advance("id-a", 5.0)
        shown.advance("id-a", 10.0)
        shown.advance("id-b", 10.0)
        assert shown.seconds_left() == pytest.approx(40.0)
        shown.finish("id-a", "a", 0.5, 25.0)
        assert shown.work_so_far == 35.0
        shown.fail("id-b", 25.0)
        assert shown.work_so_far == 50.0


def test_away_from_a_terminal_a_long_run_says_only_what_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("metakd.study.progress.time.monotonic", lambda: now[0])
    with progress() as shown:
        for _ in range(5):
            now[0] += 30.0
            shown.advance("id-a", 0.1)
        shown.running = 1
        now[0] += 30.0
        shown.advance("id-a", 0.1)
    assert isinstance(shown.console.file, io.StringIO)
    lines = shown.console.file.getvalue().splitlines()
    assert lines == ["0/4 done · 0 running", "0/4 done · 1 running"]


def test_away_from_a_terminal_beginning_and_end_are_a_line_each() -> None:
    with progress(total=2) as shown:
        shown.finish("id-a", "a", 0.5, 50.0)
        shown.is_over = True
        shown.finish("id-b", "b", 0.6, 50.0)
    assert isinstance(shown.console.file, io.StringIO)
    lines = shown.console.file.getvalue().splitlines()
    assert lines == [
        "1/2 done · 0 running · best validation 50.0 % (a) · 1 s left",
        "2/2 done · best validation 60.0 % (b)",
    ]


def test_where_searches_decide_as_they_go_it_counts_work() -> None:
    with progress(total=None) as shown:
        shown.finish("id-a", "a", 0.5, 40.0)
        assert shown.words().startswith("1 done · 40 % of the work · 0 running")
        shown.is_over = True
        shown.finish("id-b", "b", 0.6, 20.0)
        assert shown.words() == "2 done · best validation 60.0 % (b)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (40, "40 s"), (200, "3 min"), (7800, "2 h 10 min")],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, words: str) -> None:
    assert duration(seconds) == words
