"""One calm progress display: a live line in a terminal, a line now and then elsewhere."""

import math
import time
from dataclasses import dataclass, field

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
        self._status = console.status(Text("preparing    ..."))
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
            self._status.update(Text(words))
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
        total: Trials to run now; None where searches decide that as they go.
        total_work: Their expected work, in student-step equivalents, with that of trials to come.
        is_over: Whether all have ended.
        running: How many run now.
        preparing: What is being prepared beside them, in words.
    """

    console: Console
    total: int | None
    total_work: float
    is_over: bool = False
    running: int = 0
    preparing: str = ""
    done: int = 0
    failed: int = 0
    work_done: float = 0.0
    best: tuple[float, str] | None = None
    _started: float = 0.0
    _last_line: float = -math.inf
    _last_words: str = ""
    _bar: Progress | None = None
    _under_way: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> "TrialProgress":
        self._started = time.monotonic()
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
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

    def finish(self, trial_id: str, name: str, val_acc: float, work: float) -> None:
        """Notes a finished trial, its validation accuracy in [0, 1] and its expected work."""
        self.done += 1
        if self.best is None or val_acc > self.best[0]:
            self.best = (val_acc, name)
        self._end(trial_id, work)

    def fail(self, trial_id: str, work: float) -> None:
        """Notes a trial that failed, and its expected work."""
        self.failed += 1
        self._end(trial_id, work)

    def advance(self, trial_id: str, work: float) -> None:
        """Notes how much of its work a running trial has done."""
        self._under_way[trial_id] = work
        self._show()

    def prepare(self, words: str) -> None:
        """Notes what is being prepared, in words; "" for nothing."""
        self.preparing = words
        self._show()

    def words(self) -> str:
        """Returns the state in words."""
        parts = []
        if self.total != 0:
            parts.append(f"{self.done}{'' if self.total is None else f'/{self.total}'} done")
        if self.total is None and self.total_work and not self.is_over:
            parts.append(f"{100 * min(1.0, self.work_so_far / self.total_work):.0f} % of the work")
        if not self.is_over:
            parts.append(f"{self.running} running")
        if self.preparing:
            parts.append(self.preparing)
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.best is not None:
            parts.append(f"best validation {100 * self.best[0]:.1f} % ({self.best[1]})")
        left = None if self.is_over else self.seconds_left()
        if left is not None:
            parts.append(f"{duration(left)} left")
        return " · ".join(parts)

    def seconds_left(self) -> float | None:
        """Returns the expected time to the end, None before there is anything to judge by."""
        so_far = self.work_so_far
        if so_far < JUDGED_FROM * self.total_work or so_far == 0:
            return None
        rate = so_far / (time.monotonic() - self._started)
        return max(0.0, self.total_work - so_far) / rate

    @property
    def work_so_far(self) -> float:
        """Work of finished trials, and what running ones have done of theirs."""
        return self.work_done + sum(self._under_way.values())

    def _end(self, trial_id: str, work: float) -> None:
        self._under_way.pop(trial_id, None)
        self.work_done += work
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.work_so_far)
            return
        if self.is_over or time.monotonic() - self._last_line > PLAIN_INTERVAL_S:
            self._last_line = time.monotonic()
            words = self.words()
            if words and words != self._last_words:
                self._last_words = words
                self.console.print(words)


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
