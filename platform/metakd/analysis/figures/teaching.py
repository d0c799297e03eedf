"""A teacher that learns to teach and its student, as runs logged them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.figures.logged_steps import epoch_ends, read_logged_steps, thinned
from metakd.analysis.places import NO_RUN, Row
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix, mean_over_seeds, none_for_nan
from metakd.analysis.statistics.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable

ACCURACIES = ("val_acc", "teacher_val_acc")
LOSSES = ("meta_loss_before", "meta_loss")
DECIMALS = 4
FALLS = {"ahead": "falls", "behind": "rises", "no clear gap": "not shown"}


@dataclass(frozen=True)
class CurveBand:
    """A number along the epochs.

    Attributes:
        mean: Mean over the seeds that logged it; None where none did.
        low: Lower end of its 95 % t interval over seeds; None below 3.
        high: Upper end, likewise.
    """

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class TeachingCurve:
    """One strategy's teacher and student in one setting, epoch by epoch; at most 200 epochs.

    Attributes:
        strategy: The strategy.
        key: The setting.
        seeds: How many runs.
        epochs: Epochs, from 0.
        student_pp: The student's validation accuracy at the end of each epoch, in percent.
        teacher_pp: The teacher's own, likewise.
        quiz_before: The cross-entropy on the quiz before the pilots, mean over an epoch's.
        quiz_after: The same after them.
    """

    strategy: str
    key: str
    seeds: int
    epochs: tuple[int, ...]
    student_pp: CurveBand
    teacher_pp: CurveBand
    quiz_before: CurveBand
    quiz_after: CurveBand


@dataclass(frozen=True)
class QuizFall:
    """By how much one strategy's pilots lower the quiz loss.

    Attributes:
        strategy: The strategy.
        fall_percent: The fall of a run's mean loss, in percent of that before the pilots; over
            settings and seeds.
        claim: "falls" or "rises" where its p value against 0 is below 5 % after Holm's correction
            over the strategies, else "not shown".
    """

    strategy: str
    fall_percent: Interval
    claim: str


def logged_teaching(
    out: Path, table: StudyTable
) -> tuple[tuple[TeachingCurve, ...], tuple[QuizFall, ...]]:
    """Returns what became of teachers and students, and of the quiz loss in pilots.

    Curves are by strategy, then setting; falls by strategy. Only runs that changed their teacher
    are read.

    Args:
        out: The study's folder.
        table: The study.

    Raises:
        StoreError: If a file is damaged.
    """
    runs = {name: found for name, found in _runs(table).items() if (found != NO_RUN).any()}
    if not runs:
        return (), ()
    positions = np.unique(np.concatenate([found[found != NO_RUN] for found in runs.values()]))
    epochs, logged = _read(out, [table.rows[at] for at in positions])
    by_strategy = {name: _by_setting(logged, positions, found) for name, found in runs.items()}
    return (
        tuple(
            curve
            for name, found in by_strategy.items()
            for curve in _curves(name, table.keys, epochs, found)
        ),
        quiz_falls(
            {name: quiz_fall(found[2], found[3]) for name, found in by_strategy.items()},
            table.strata,
        ),
    )


def quiz_fall(before: Matrix, after: Matrix) -> Matrix:
    """Returns by how much pilots lower the quiz loss, in percent, ``[setting, seed]``.

    Args:
        before: Losses, ``[setting, seed, epoch]``, NaN where unknown.
        after: The same after the pilots.
    """
    known = np.isfinite(before) & np.isfinite(after)
    total_before, total_after = (np.where(known, each, 0).sum(axis=-1) for each in (before, after))
    base = np.where(total_before > 0, total_before, np.nan)
    return np.asarray(100 * (total_before - total_after) / base)


def quiz_falls(falls: dict[str, Matrix], strata: Strata | None = None) -> tuple[QuizFall, ...]:
    """Judges the falls of all strategies that logged them, corrected for their number (Holm).

    Args:
        falls: By strategy ``[setting, seed]``, in percent.
        strata: Which settings are independent; None where all share their seeds.
    """
    there = {name: found for name, found in falls.items() if np.isfinite(found).any()}
    effects = {name: mean_interval(found, strata) for name, found in there.items()}
    corrected = holm([mean_p_value(found, strata) for found in there.values()])
    return tuple(
        QuizFall(name, effect, FALLS[claim(effect.mean_pp, p_holm)])
        for (name, effect), p_holm in zip(effects.items(), corrected, strict=True)
    )


def _runs(table: StudyTable) -> dict[str, NDArray[np.intp]]:
    """Returns the runs that changed their teacher, by strategy, ``[setting, seed]``."""
    has_changed = [row.get("teacher_test_acc_last") is not None for row in table.rows]
    changed = np.array([*has_changed, False])
    rows = {runs.strategy: runs.best_row() for runs in table.strategy_runs}
    return {name: np.where(changed[found], found, NO_RUN) for name, found in rows.items()}


def _read(out: Path, rows: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns epochs, and accuracies and losses ``[series, run, epoch]``, NaN where unknown."""
    found = []
    # Apart, as lines that lack one of the columns are left out: epochs of a warm-up have no quiz.
    for names in (ACCURACIES, LOSSES):
        logged = read_logged_steps(out, rows, range(len(rows)), ("epoch", *names))
        found.append(epoch_ends(logged, len(rows), names))
    epochs = np.union1d(found[0][0], found[1][0])
    series = np.full((len(ACCURACIES) + len(LOSSES), len(rows), len(epochs)), np.nan)
    for first, (known, curves) in zip((0, len(ACCURACIES)), found, strict=True):
        series[first : first + len(curves), :, np.searchsorted(epochs, known)] = curves
    # They are logged in float32.
    series[: len(ACCURACIES)] = np.round(100 * series[: len(ACCURACIES)], DECIMALS)
    return epochs, np.where(np.isfinite(series), series, np.nan)


def _by_setting(
    logged: NDArray[np.float64], positions: NDArray[np.intp], runs: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Returns ``[series, run, epoch]`` of the runs at ``positions`` as ``[..., seed, epoch]``."""
    place = np.minimum(np.searchsorted(positions, runs), len(positions) - 1)
    return np.where((runs != NO_RUN)[..., None], logged[:, place], np.nan)


def _curves(
    strategy: str, keys: Sequence[str], epochs: NDArray[np.int64], series: NDArray[np.float64]
) -> Iterator[TeachingCurve]:
    for setting, key in enumerate(keys):
        found = series[:, setting]
        known = thinned(np.flatnonzero(np.isfinite(found).any(axis=(0, 1))))
        if not len(known):
            continue
        student, teacher, before, after = found[..., known]
        yield TeachingCurve(
            strategy=strategy,
            key=key,
            seeds=int(np.isfinite(found).any(axis=(0, 2)).sum()),
            epochs=tuple(epochs[known].tolist()),
            student_pp=curve_band(student, 100.0),
            teacher_pp=curve_band(teacher, 100.0),
            quiz_before=curve_band(before),
            quiz_after=curve_band(after),
        )


def curve_band(values: Matrix, most: float = np.inf) -> CurveBand:
    """Returns the mean over seeds with its interval, kept inside [0, ``most``].

    Args:
        values: ``[seed, epoch]``, NaN where unknown.
        most: The most that there can be.
    """
    mean, low, high = mean_over_seeds(values)
    ends = (np.clip(each, 0.0, most) for each in (low, high))
    return CurveBand(none_for_nan(mean), *(none_for_nan(each) for each in ends))
