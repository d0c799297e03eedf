"""When trials that have ended are committed: together, and soon."""

from pathlib import Path
from typing import Any

import pytest

from metakd.study import commits
from metakd.study.commits import INTERVAL_S, LONGEST_WAIT_S, SHARE_OF_TIME, Commits
from metakd.train.folder import StudyFolder


class Clock:
    """Time that passes where a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Slow:
    """Commits that take so long."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.sizes: list[int] = []

    def __call__(self, results: list[Any], folder: StudyFolder) -> None:
        self.clock.now += self.seconds
        self.sizes.append(len(results))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.01, INTERVAL_S),
        (0.5, 0.5 / SHARE_OF_TIME),
        # However slow the disk: what waits is lost if the driver is killed.
        (30.0, LONGEST_WAIT_S),
    ],
)
def test_trials_wait_for_each_other_but_not_long(
    seconds: float, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    slow = Slow(clock, seconds)
    monkeypatch.setattr(commits, "time", clock)
    monkeypatch.setattr(commits, "commit", slow)
    done: list[Any] = []
    waiting = Commits(StudyFolder(tmp_path), lambda job, result: done.append(job))
    job: Any = type("Job", (), {"trial": None})()
    result: Any = None
    waiting.add(job, result)
    waiting.commit_if_due()
    assert slow.sizes == [1]
    ended = clock.now
    for _ in range(3):
        waiting.add(job, result)
    clock.now = ended + expected - 0.001
    waiting.commit_if_due()
    assert slow.sizes == [1]
    clock.now = ended + expected
    waiting.commit_if_due()
    assert slow.sizes == [1, 3]
    assert len(done) == 4
