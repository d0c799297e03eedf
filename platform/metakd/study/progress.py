"""One calm progress display: a live line in a terminal, a line now and then elsewhere."""

import time
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

PLAIN_INTERVAL_S = 20.0
# Below this share of the work the workers' start would pass for the pace of the rest.
JUDGED_FROM = 0.03


class StageProgress:
    """Says what is being prepared: a live line in a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("preparing    ...")
        self._last_line = time.monotonic()

    def __enter__(self) -> "StageProgress":
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._status.stop()

    def show(self, stage: str) -> None:
        """Shows a stage."""
        words = f"preparing    {stage}"
        if self._console.is_terminal:
            self._status.update(words)
        elif time.monotonic() - self._last_line > PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            self._console.print(words)


@dataclass
class TrialProgress:
    """Counts a study's trials while they run.

    Time left is judged by the work that is done, not by the number of trials: a trial on all data
    costs many on a tenth of them.

    Attributes:
        console: Where to show it.
        total: Trials to run now.
        total_work: Their expected work, in student-step equivalents.
        slots: How many run at once.
    """

    console: Console
    total: int
    total_work: float
    slots: int
    done: int = 0
    failed: int = 0
    work_done: float = 0.0
    best: tuple[float, str] | None = None
    _started: float = 0.0
    _last_line: float = 0.0
    _bar: Progress | None = None

    def __enter__(self) -> "TrialProgress":
        self._started = self._last_line = time.monotonic()
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("[progress.description]{task.description}"),
                BarColumn(bar_width=24),
                _Words(self),
                console=self.console,
                refresh_per_second=4,
            )
            self._bar.start()
            self._bar.add_task("students", total=self.total_work)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def finish(self, name: str, val_acc: float, work: float) -> None:
        """Notes a finished trial, its validation accuracy in [0, 1] and its expected work."""
        self.done += 1
        if self.best is None or val_acc > self.best[0]:
            self.best = (val_acc, name)
        self._advance(work)

    def fail(self, work: float) -> None:
        """Notes a trial that failed."""
        self.failed += 1
        self._advance(work)

    def words(self) -> str:
        """Returns the state in words."""
        ended = self.done + self.failed
        running = min(self.slots, self.total - ended)
        parts = [f"{self.done}/{self.total} done", f"{running} running"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.best is not None:
            parts.append(f"best validation {100 * self.best[0]:.1f} % ({self.best[1]})")
        left = self.seconds_left()
        if left is not None:
            parts.append(f"{duration(left)} left")
        return " · ".join(parts)

    def seconds_left(self) -> float | None:
        """Returns the expected time to the end, None before there is anything to judge by."""
        if self.work_done < JUDGED_FROM * self.total_work or self.work_done == 0:
            return None
        rate = self.work_done / (time.monotonic() - self._started)
        return max(0.0, self.total_work - self.work_done) / rate

    def _advance(self, work: float) -> None:
        self.work_done += work
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.work_done)
        elif (
            time.monotonic() - self._last_line > PLAIN_INTERVAL_S
            or self.done + self.failed == self.total
        ):
            self._last_line = time.monotonic()
            self.console.print(self.words())


class _Words(ProgressColumn):
    """The state in words, beside the bar."""

    def __init__(self, progress: TrialProgress) -> None:
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        return Text(self._progress.words())


def duration(seconds: float) -> str:
    """Returns a duration as a person says it: "40 s", "4 min", "2 h 10 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
