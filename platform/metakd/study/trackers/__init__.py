"""Experiment trackers (``--log``): one run a trial, once it is in the store, and the verdict.

The store stays what a study is: trackers are written from it, in a thread of their own, and what
one of them does not take ends no study. Trials that a tracker lacks, as it was wanted later or its
process was killed, are logged when the study ends; ``OUT/logged`` says which ones it has.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from metakd.extras import require
from metakd.results.reader import finished_trials, read_steps, read_trials
from metakd.results.searches import SETTING
from metakd.results.writer import FinishedTrial
from metakd.study.options import TRACKERS

if TYPE_CHECKING:
    from types import TracebackType

    from metakd.analysis.summary import Summary

CHOICES = (*SETTING, "seed", "method", "tau_s_init", "tau_t_init", "alpha")
"""Columns of a trial that say what it is; all other numbers are results."""
BETWEEN = " · "
LOGGED_FOLDER = "logged"
READ_AT_ONCE = 200

Value = str | int | float


@dataclass(frozen=True)
class LoggedTrial:
    """A finished trial as trackers take it.

    Attributes:
        id: The trial's.
        name: What a person reads; trials of one group may share it.
        group: Its setting: dataset, scale, augmentation, teacher and student.
        choices: What it was given, by column of the store.
        results: What it reached and cost, likewise.
        started_at: Seconds since 1970; 0 where an old store does not say.
        curve: By epoch: its number, seconds since the start, and numbers by column of the store.
    """

    id: str
    name: str
    group: str
    choices: dict[str, Value]
    results: dict[str, float]
    started_at: float
    curve: tuple[tuple[int, float, dict[str, float]], ...]


@dataclass(frozen=True)
class LoggedVerdict:
    """What a study found, as trackers take it.

    Attributes:
        headline: Its badge and its sentence.
        columns: Heads of a table: a comparison, its difference in points, its interval, in words.
        rows: Of the table.
    """

    headline: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value | None, ...], ...]

    @property
    def markdown(self) -> str:
        """The headline, and the table below it."""
        return f"{self.headline}\n\n{markdown_table(self.columns, self.rows)}\n"


class Tracker(Protocol):
    """One experiment tracker. Whatever its methods raise, the study goes on without it."""

    def log_trial(self, trial: LoggedTrial) -> None:
        """Logs a trial as a run of its own, grouped by its setting."""

    def log_verdict(self, verdict: LoggedVerdict) -> None:
        """Logs what the study found, as a table in a run of its own."""


class Trackers:
    """The trackers of a study, behind a thread.

    Args:
        names: Of ``TRACKERS``.
        out: The study's folder.
        study: Its name.
        note: Prints a line.
    """

    def __init__(
        self, names: Sequence[str], out: Path, study: str, note: Callable[[str], None]
    ) -> None:
        self._names = list(names)
        self._out = out
        self._study = study
        self._note = note
        self._trackers: dict[str, Tracker] = {}
        self._logged: dict[str, set[str]] = {}
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, result: FinishedTrial) -> None:
        """Logs a trial that was committed, later."""
        for name in tuple(self._names):
            self._thread.submit(self._log, name, result.row, result.curve)

    def conclude(self, summary: "Summary") -> None:
        """Logs whatever trackers lack of the study's trials, and its verdict; waits for it."""
        verdict = logged_verdict(summary)
        waiting: list[Future[Any]] = []
        for name in tuple(self._names):
            waiting.append(self._thread.submit(self._catch_up, name))
            waiting.append(self._thread.submit(self._call, name, "log_verdict", verdict))
        for each in waiting:
            each.result()

    def _log(self, name: str, row: pa.Table, curve: pa.Table) -> None:
        trial = logged_trial(row.to_pylist()[0], curve)
        logged = self._known(name)
        if trial.id not in logged and self._call(name, "log_trial", trial):
            logged.add(trial.id)
            with self._record(name).open("a") as record:
                record.write(f"{trial.id}\n")

    def _catch_up(self, name: str) -> None:
        for row, curve in _finished(self._out, frozenset(self._known(name))):
            if name not in self._names:
                return
            self._log(name, row, curve)

    def _call(self, name: str, method: str, *values: object) -> bool:
        """Calls a tracker, and drops it if it raises; says whether it was done."""
        if name not in self._names:
            return False
        try:
            if name not in self._trackers:
                self._trackers[name] = open_tracker(name, self._out, self._study)
            getattr(self._trackers[name], method)(*values)
        except Exception as error:
            self._names.remove(name)
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._note(f"{name} is left out from here on: {reason}")
            return False
        return True

    def _known(self, name: str) -> set[str]:
        """Returns the trials that a tracker has."""
        if name not in self._logged:
            record = self._record(name)
            self._logged[name] = set(record.read_text().split()) if record.exists() else set()
        return self._logged[name]

    def _record(self, name: str) -> Path:
        folder = self._out / LOGGED_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.txt"


def open_tracker(name: str, out: Path, study: str) -> Tracker:
    """Returns a tracker.

    Args:
        name: One of ``TRACKERS``.
        out: The study's folder.
        study: Its name.
    """
    module = import_module(f"metakd.study.trackers.{name}")
    tracker: Tracker = module.open_tracker(out, study)
    return tracker


def check_trackers(names: Sequence[str], out: Path) -> list[str]:
    """Returns where trackers keep a study's runs, in a line each.

    Raises:
        UserError: If one of them cannot be used here.
    """
    lines = []
    for name in names:
        require(TRACKERS[name], f"--log {name}")
        lines.append(import_module(f"metakd.study.trackers.{name}").place(out))
    return lines


def logged_trial(row: dict[str, Any], curve: pa.Table) -> LoggedTrial:
    """Returns a trial as trackers take it.

    Args:
        row: Values by column of ``schema.TRIALS``.
        curve: Rows of ``schema.STEPS``, in order.
    """
    steps = curve.drop_columns(["trial_id", "teacher_weights"]).to_pylist()
    return LoggedTrial(
        id=row["trial_id"],
        name=row["name"] or row["trial_id"],
        group=BETWEEN.join(_in_words(row[column]) for column in SETTING if row[column] is not None),
        choices={column: row[column] for column in CHOICES if row[column] is not None},
        results=_numbers(row, {*CHOICES}),
        started_at=0.0 if row["started"] is None else row["started"].timestamp(),
        curve=tuple(
            (step["epoch"], step["elapsed_s"] or 0.0, _numbers(step, {"epoch", "elapsed_s"}))
            for step in steps
        ),
    )


def logged_verdict(summary: "Summary") -> LoggedVerdict:
    """Returns what a study found as trackers take it."""
    comparisons = (*summary.comparisons, *(each.overall for each in summary.baselines))
    return LoggedVerdict(
        f"{summary.verdict.badge}. {summary.verdict.headline}",
        ("learned − it", "points", "low", "high", "level", "verdict"),
        tuple(
            (
                each.label,
                *(
                    _rounded(value)
                    for value in (each.effect.mean_pp, each.effect.low_pp, each.effect.high_pp)
                ),
                each.effect.level,
                each.accuracy_verdict,
            )
            for each in comparisons
        ),
    )


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Value | None]]) -> str:
    """Returns a table in Markdown, empty where there is no value."""
    lines = (head, ("---",) * len(head), *rows)
    cells = (["" if value is None else str(value) for value in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _finished(out: Path, logged: Collection[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yields the row and the curve of each trial in the store that is not logged."""
    wanted = sorted(finished_trials(out).difference(logged))
    for start in range(0, len(wanted), READ_AT_ONCE):
        chosen = wanted[start : start + READ_AT_ONCE]
        rows, steps = read_trials(out, chosen), read_steps(out, chosen)
        for at in range(rows.num_rows):
            row = rows.slice(at, 1)
            yield row, steps.filter(pc.equal(steps["trial_id"], row["trial_id"][0]))


def _numbers(values: dict[str, Any], without: Collection[str]) -> dict[str, float]:
    """Returns what is a finite number among some values."""
    return {
        name: value
        for name, value in values.items()
        if name not in without and isinstance(value, int | float) and math.isfinite(value)
    }


def _in_words(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
