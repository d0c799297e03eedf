"""How much each of several teachers counted, over the training and at its end.

Weights are percent: those of all teachers sum to 100 (``_pp``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.figures.logged_steps import thinned
from metakd.analysis.figures.logged_weights import (
    GROUPS,
    OVERALL,
    PARTS,
    RIGHT,
    WRONG,
    LoggedWeights,
    at_the_end,
    last_epochs,
    read_weights,
)
from metakd.analysis.places import NO_RUN
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix, mean_over_seeds, none_for_nan
from metakd.analysis.statistics.strata import Strata, mean_interval
from metakd.analysis.strategy_runs import StrategyRuns
from metakd.analysis.table import StudyTable
from metakd.analysis.teachers import member_labels

DECIMALS = 4
WORDS = {"ahead": "above", "behind": "below", "no clear gap": "not shown"}


@dataclass(frozen=True)
class WeightBand:
    """Weights along the epochs: each field by teacher, then epoch.

    Attributes:
        mean_pp: Mean over the seeds that have such samples; None where none has.
        low_pp: Lower end of its 95 % t interval over seeds; None below 3.
        high_pp: Upper end, likewise.
    """

    mean_pp: tuple[tuple[float | None, ...], ...]
    low_pp: tuple[tuple[float | None, ...], ...]
    high_pp: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class WeightsCurve:
    """What one strategy gave each teacher in one setting, epoch by epoch; at most 200 epochs.

    What one strategy gave each teacher in one setting, in percent of all weight; at most 200
    epochs, evenly spread. Means over samples count each sample once, means over seeds each seed.

    Attributes:
        strategy: The strategy.
        key: The setting.
        of: "logits" or "features".
        teachers: Their names, in the order of the setting.
        equal_share_pp: What each would have if all counted alike.
        seeds: How many runs.
        epochs: Epochs, from 0.
        overall: Among all samples.
        right_pp: Mean among those that the student got right before its step, by teacher and epoch;
            None where there are none.
        wrong_pp: Among those that it got wrong, likewise.
        wrong_minus_right: The difference, seed by seed.
    """

    strategy: str
    key: str
    of: str
    teachers: tuple[str, ...]
    equal_share_pp: float
    seeds: int
    epochs: tuple[int, ...]
    overall: WeightBand
    right_pp: tuple[tuple[float | None, ...], ...]
    wrong_pp: tuple[tuple[float | None, ...], ...]
    wrong_minus_right: WeightBand


@dataclass(frozen=True)
class FinalWeight:
    """What one teacher counted at the end of training, over settings and seeds.

    "Above" and "below" need a p value below 5 % after Holm's correction: over the teachers, or over
    all teachers and classes.

    Attributes:
        teacher: Its name.
        overall: Its weight among all samples.
        preference: That minus an equal share.
        preferred: "above", "below" or "not shown": the preference against 0.
        right: Its weight among samples that the student gets right.
        wrong: Among those that it gets wrong.
        wrong_minus_right: The difference.
        leaning: "above", "below" or "not shown": that difference against 0.
        by_class_pp: Its mean weight among the samples of each class; None where there are none.
        class_minus_overall_pp: By class: the mean difference to its weight among all samples, over
            the settings and seeds that have both.
        class_leaning: By class, likewise: that difference against 0.
    """

    teacher: str
    overall: Interval
    preference: Interval
    preferred: str
    right: Interval
    wrong: Interval
    wrong_minus_right: Interval
    leaning: str
    by_class_pp: tuple[float | None, ...]
    class_minus_overall_pp: tuple[float | None, ...]
    class_leaning: tuple[str, ...]


@dataclass(frozen=True)
class FinalWeights:
    """What one strategy gave the same teachers at the end of training, on one dataset.

    What one strategy gave the same teachers at the end of training, over the settings of one
    dataset and their seeds.

    Attributes:
        strategy: The strategy.
        of: "logits" or "features".
        dataset: The dataset.
        ensemble: The teachers as settings name them.
        settings: Over how many settings.
        epochs: Over how many of the last epochs, each counted by its samples.
        classes: Labels.
        equal_share_pp: What each teacher would have if all counted alike.
        teachers: One for each teacher.
    """

    strategy: str
    of: str
    dataset: str
    ensemble: str
    settings: int
    epochs: int
    classes: tuple[int, ...]
    equal_share_pp: float
    teachers: tuple[FinalWeight, ...]


def teacher_weights(
    out: Path, table: StudyTable
) -> tuple[tuple[WeightsCurve, ...], tuple[FinalWeights, ...]]:
    """Returns what strategies gave their teachers: by epoch, and at the end of training.

    Curves are by strategy, then what is weighed, then setting; the end is by strategy, then what is
    weighed, then dataset and teachers. Only runs with several teachers are read.

    Args:
        out: The study's folder.
        table: The study.

    Raises:
        StoreError: If a file is damaged.
    """
    runs = {each.strategy: _of_several(table, each) for each in table.strategy_runs}
    positions = {at for found in runs.values() for at in found[found != NO_RUN].tolist()}
    if not positions:
        return (), ()
    logged = read_weights(out, table.rows, positions)
    weighed = [
        _Weighed(table, name, found, logged.of(np.isin(logged.row, found)))
        for name, found in runs.items()
    ]
    return (
        tuple(curve for each in weighed for curve in each.curves()),
        tuple(end for each in weighed for end in each.ends()),
    )


def shares(
    logged: LoggedWeights, runs: NDArray[np.intp], teachers: int, along: NDArray[np.int64] | None
) -> Matrix:
    """Returns mean weights of each run, counted by samples, in percent.

    Args:
        logged: Lines, all of one part.
        runs: Runs (S,), −1 where there is none.
        teachers: K.
        along: Ascending epochs to keep apart (E,); None takes all lines together.

    Returns:
        ``[group, epoch, seed, teacher]``, NaN where a run has no such sample.
    """
    groups = max(int(logged.group.max(initial=0)) + 1, len(GROUPS))
    epochs = 1 if along is None else len(along)
    seed_of = np.full(max(int(runs.max(initial=0)), int(logged.row.max(initial=0))) + 1, NO_RUN)
    seed_of[runs[runs != NO_RUN]] = np.flatnonzero(runs != NO_RUN)
    here = seed_of[logged.row] != NO_RUN
    epoch = np.zeros_like(logged.epoch)
    if along is not None:
        epoch = np.searchsorted(along, logged.epoch)
        here &= along[np.minimum(epoch, epochs - 1)] == logged.epoch
    lines = logged.of(here)
    place = (lines.group, epoch[here], seed_of[lines.row])
    samples = np.zeros((groups, epochs, len(runs)))
    totals = np.zeros((*samples.shape, teachers))
    np.add.at(samples, place, lines.samples)
    np.add.at(totals, place, lines.samples[:, None] * lines.weights[:, :teachers])
    known = np.where(samples > 0, samples, np.nan)
    # They are logged in float32: what rounding does must not look like a preference.
    return np.round(100 * totals / known[..., None], DECIMALS)


def band(values: Matrix) -> WeightBand:
    """Returns the means over seeds with their t intervals.

    Args:
        values: ``[epoch, seed, teacher]``, NaN where unknown.
    """
    mean, low, high = (
        tuple(none_for_nan(of_teacher) for of_teacher in ends.T)
        for ends in mean_over_seeds(values.swapaxes(0, 1))
    )
    return WeightBand(mean, low, high)


def _of_several(table: StudyTable, runs: StrategyRuns) -> NDArray[np.intp]:
    """Returns the run that validation chose, if it had several teachers, ``[setting, seed]``."""
    chosen = runs.best_row()
    for setting, seed in runs.cells():
        labels = member_labels(table.rows[chosen[setting, seed]]["teacher"])
        if len(labels) < 2 or labels != member_labels(table.settings[setting]["teacher"]):
            chosen[setting, seed] = NO_RUN
    return chosen


@dataclass(frozen=True)
class _Weighed:
    """One strategy's runs, ``[setting, seed]``, and what they logged."""

    table: StudyTable
    strategy: str
    runs: NDArray[np.intp]
    logged: LoggedWeights

    def curves(self) -> Iterator[WeightsCurve]:
        for part in self._parts():
            logged = self.logged.of((self.logged.part == part) & (self.logged.group < len(GROUPS)))
            for setting, key in enumerate(self.table.keys):
                runs = self.runs[setting]
                here = logged.of(np.isin(logged.row, runs))
                if len(here.row):
                    labels = member_labels(self.table.settings[setting]["teacher"])
                    yield _curve(self.strategy, key, PARTS[part], labels, here, runs)

    def ends(self) -> Iterator[FinalWeights]:
        strata = self.table.strata
        last = at_the_end(self.logged.row, self.logged.epoch)
        places = [(setting["dataset"], setting["teacher"]) for setting in self.table.settings]
        for part in self._parts():
            logged = self.logged.of(last & (self.logged.part == part))
            for dataset, ensemble in dict.fromkeys(places):
                where = [at for at, place in enumerate(places) if place == (dataset, ensemble)]
                runs = self.runs[where]
                here = logged.of(np.isin(logged.row, runs))
                if not len(here.row):
                    continue
                labels = member_labels(ensemble)
                by_setting = [shares(here, each, len(labels), None)[:, 0] for each in runs]
                found = np.stack(by_setting, axis=1)  # [group, setting, seed, teacher]
                classes = np.flatnonzero(np.isfinite(found[len(GROUPS) :]).any(axis=(1, 2, 3)))
                yield FinalWeights(
                    strategy=self.strategy,
                    of=PARTS[part],
                    dataset=dataset,
                    ensemble=str(ensemble),
                    settings=int((runs != NO_RUN).any(axis=1).sum()),
                    epochs=last_epochs(here),
                    classes=tuple(classes.tolist()),
                    equal_share_pp=equal_share_pp(labels),
                    teachers=final_weights(
                        labels,
                        {name: found[at] for at, name in enumerate(GROUPS)},
                        found[len(GROUPS) :][classes],
                        None if strata is None else strata.of(where),
                    ),
                )

    def _parts(self) -> list[int]:
        return [part for part in range(len(PARTS)) if (self.logged.part == part).any()]


def _curve(
    strategy: str,
    key: str,
    of: str,
    labels: tuple[str, ...],
    logged: LoggedWeights,
    runs: NDArray[np.intp],
) -> WeightsCurve:
    epochs = np.unique(logged.epoch)
    epochs = epochs[thinned(np.arange(len(epochs)))]
    found = shares(logged, runs, len(labels), epochs)
    by_group = {name: found[at] for at, name in enumerate(GROUPS)}
    return WeightsCurve(
        strategy=strategy,
        key=key,
        of=of,
        teachers=labels,
        equal_share_pp=equal_share_pp(labels),
        seeds=int((runs != NO_RUN).sum()),
        epochs=tuple(epochs.tolist()),
        overall=band(by_group[OVERALL]),
        right_pp=band(by_group[RIGHT]).mean_pp,
        wrong_pp=band(by_group[WRONG]).mean_pp,
        wrong_minus_right=band(by_group[WRONG] - by_group[RIGHT]),
    )


def equal_share_pp(labels: Sequence[str]) -> float:
    """Returns the weight in percent that each teacher would have if all counted alike."""
    return 100 / len(labels)


def final_weights(
    labels: tuple[str, ...],
    by_group: Mapping[str, Matrix],
    by_class: Matrix,
    strata: Strata | None = None,
) -> tuple[FinalWeight, ...]:
    """Judges the weights at the end of training, teacher by teacher.

    Args:
        labels: The teachers' names.
        by_group: Of each of ``GROUPS`` ``[setting, seed, teacher]`` in percent, NaN where unknown.
        by_class: The same by class, ``[class, setting, seed, teacher]``.
        strata: Which settings are independent; None where all share their seeds.
    """
    overall = by_group[OVERALL]
    preference = overall - equal_share_pp(labels)
    leaning = by_group[WRONG] - by_group[RIGHT]
    preferred, leanings = _words(preference[None], strata)[0], _words(leaning[None], strata)[0]
    by_class_minus = by_class - overall
    class_leanings = _words(by_class_minus, strata)
    return tuple(
        FinalWeight(
            teacher=label,
            overall=mean_interval(overall[..., k], strata),
            preference=mean_interval(preference[..., k], strata),
            preferred=preferred[k],
            right=mean_interval(by_group[RIGHT][..., k], strata),
            wrong=mean_interval(by_group[WRONG][..., k], strata),
            wrong_minus_right=mean_interval(leaning[..., k], strata),
            leaning=leanings[k],
            by_class_pp=tuple(
                float(np.nanmean(values)) if np.isfinite(values).any() else None
                for values in by_class[..., k]
            ),
            class_minus_overall_pp=tuple(
                mean_interval(values, strata).mean_pp for values in by_class_minus[..., k]
            ),
            class_leaning=tuple(words[k] for words in class_leanings),
        )
        for k, label in enumerate(labels)
    )


def _words(differences: Matrix, strata: Strata | None) -> list[list[str]]:
    """Returns by group, then teacher, what is shown; all that is looked at is corrected (Holm).

    Args:
        differences: ``[group, setting, seed, teacher]``.
        strata: Which settings are independent; None where all share their seeds.
    """
    groups, _, _, teachers = differences.shape
    each = [differences[g, ..., k] for g in range(groups) for k in range(teachers)]
    corrected = holm([mean_p_value(values, strata) for values in each])
    words = [
        WORDS[claim(mean_interval(values, strata).mean_pp, p)]
        for values, p in zip(each, corrected, strict=True)
    ]
    return [words[at : at + teachers] for at in range(0, len(words), teachers)]
