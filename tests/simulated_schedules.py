"""Whole schedules of a study that decides, thousands at once, by their sufficient statistics.

A study is a row of arrays ``[study, group]``: what a block brings to a group of settings is the
number of its new differences, their sum, and their sum of squares.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.statistics.looks import AHEAD, BEHIND, EQUIVALENT, OPEN, Schedule, decision
from metakd.analysis.statistics.planning import next_counts
from metakd.analysis.statistics.strata import FEWEST_SEEDS, StratifiedMean, stratified_mean

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Block = Callable[[np.random.Generator, Counts], tuple[Array, Array]]
"""Draws, around the true mean, the sum and the sum of squares of so many steps."""

# The default study: 10, 30 and 100 % of digits, each under three augmentations.
SPREADS_PP = np.array([1.2, 1.4, 3.6, 0.5, 0.5, 1.3, 0.2, 0.6, 0.8])
SECONDS = np.array([1.3, 1.3, 1.3, 3.0, 3.0, 3.0, 10.0, 10.0, 10.0])
"""Of one seed of each setting on 2 cores, with all that is compared."""


def normal(random: np.random.Generator, counts: Counts) -> tuple[Array, Array]:
    """Steps of the standard normal: their mean and their variance are independent."""
    sums = np.sqrt(counts) * random.standard_normal(counts.shape)
    within = np.where(counts > 1, random.chisquare(np.maximum(counts - 1, 1)), 0.0)
    return sums, within + sums**2 / np.maximum(counts, 1)


def drawn(draw: Callable[[np.random.Generator, Counts], Array]) -> Block:
    """Steps drawn one by one; ``draw`` is given the group of each."""

    def block(random: np.random.Generator, counts: Counts) -> tuple[Array, Array]:
        flat = counts.ravel()
        steps = draw(random, np.repeat(np.tile(np.arange(counts.shape[-1]), len(counts)), flat))
        some = flat > 0
        starts = (np.cumsum(flat) - flat)[some]
        sums, squares = np.zeros(len(flat)), np.zeros(len(flat))
        if len(starts):
            sums[some] = np.add.reduceat(steps, starts)
            squares[some] = np.add.reduceat(steps**2, starts)
        return sums.reshape(counts.shape), squares.reshape(counts.shape)

    return block


@dataclass(frozen=True)
class Settings:
    """Independent groups of equal weight, and how their differences come about.

    The true mean over the groups is 0: differences that are shifted together change neither a count
    nor an interval's width, so that every truth can be read off the same studies.

    Attributes:
        scales_pp: What one step is, in points; 0 where seeds never differ, ``[group]``.
        apart_pp: How far the true mean of each group is from that of all, ``[group]``.
        block: Draws steps.
        units_pp: The smallest step of a difference that the analysis knows of.
        failing: How often a pair is lost.
        seconds: Of one seed, ``[group]``.
    """

    scales_pp: Array
    apart_pp: Array | float = 0.0
    block: Block = normal
    units_pp: float = 0.0
    failing: float = 0.0
    seconds: tuple[float, ...] = tuple(SECONDS)

    @property
    def costs(self) -> Array:
        return np.array(self.seconds[: len(self.scales_pp)])


@dataclass(frozen=True)
class Studies:
    """What was found at each look, by studies that go on to the end whatever they find.

    Attributes:
        schedule: Of all.
        seconds: Compute behind each look.
        levels: Of each look.
        looks: The estimates of errors: around a truth of 0; each field ``[study]``.
        counts: Pairs at each look, ``[look, study, group]``.
    """

    schedule: Schedule
    seconds: Array
    levels: Array
    looks: tuple[StratifiedMean, ...]
    counts: Counts

    @property
    def missed(self) -> NDArray[np.bool_]:
        """Whether the interval of a look leaves out the truth, ``[look, study]``."""
        halves = [one.half_width(level) for one, level in zip(self.looks, self.levels, strict=True)]
        return np.abs([one.mean for one in self.looks]) > np.array(halves) + 1e-9

    @property
    def ever_missed(self) -> float:
        """The share of studies in which the interval of any look leaves out the truth."""
        return float(self.missed.any(axis=0).mean())

    def under(self, schedule: Schedule) -> "Studies":
        """The same looks, against another margin."""
        return replace(self, schedule=schedule)

    def words(self, truth_pp: float) -> tuple[NDArray[np.str_], Array]:
        """The first word of each study, open where there is none, and the seconds until then."""
        found = np.array(
            [
                decision(one._replace(mean=one.mean + truth_pp), level, self.schedule.margin_pp)[1]
                for one, level in zip(self.looks, self.levels, strict=True)
            ]
        )
        decided = found != OPEN
        first = np.where(decided.any(axis=0), decided.argmax(axis=0), len(found) - 1)
        words = np.take_along_axis(found, first[None], axis=0)[0]
        return words, np.where(words == OPEN, np.inf, self.seconds[first])

    def false_words(self, truth_pp: float) -> float:
        """The share of studies whose word is wrong."""
        words, _ = self.words(truth_pp)
        wrong = np.zeros(len(words), dtype=bool)
        if abs(truth_pp) >= self.schedule.margin_pp:
            wrong |= words == EQUIVALENT
        if truth_pp <= 0:
            wrong |= words == AHEAD
        if truth_pp >= 0:
            wrong |= words == BEHIND
        return float(wrong.mean())


def equal_seeds(
    counts: Counts,
    variances: Array,
    costs: Array,
    weights: Array,
    budget: Array,
    units: float = 0.0,
) -> Counts:
    """Returns counts that grow alike in all groups."""
    return counts + np.floor(budget / costs.sum() + 1e-9).astype(np.int64)[..., None]


def simulate(
    settings: Settings,
    schedule: Schedule,
    studies: int,
    *,
    seed: int = 0,
    allocate: Callable[..., Counts] = next_counts,
    reads_means: bool = False,
    estimate: Callable[..., StratifiedMean] = stratified_mean,
    level: float | None = None,
) -> Studies:
    """Runs studies from the pilot to the last look.

    Args:
        settings: What is compared.
        schedule: The declared looks.
        studies: How many.
        seed: Of all draws.
        allocate: How a block is allocated.
        reads_means: Whether it is given the means, which it must not have.
        estimate: The mean over groups.
        level: Of every look; None for the schedule's own.
    """
    random = np.random.default_rng(seed)
    shape = studies, len(settings.scales_pp)
    costs, weights = settings.costs, np.ones(shape[1]) / shape[1]
    pairs, run = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    new, sums, squares = np.full(shape, schedule.pilot_seeds), np.zeros(shape), np.zeros(shape)
    pilot = schedule.pilot_seeds * float(costs.sum())
    looks, counts = [], []
    for pilots in (*schedule.pilots[1:], None):
        kept = random.binomial(new, 1 - settings.failing) if settings.failing else new
        run, pairs = run + new, pairs + kept
        fresh = settings.block(random, kept)
        sums, squares = sums + fresh[0], squares + fresh[1]
        # A group of one pair has no variance yet: it is left out, and gets more as the others do.
        there, n = pairs >= FEWEST_SEEDS, np.maximum(pairs, FEWEST_SEEDS)
        means = settings.apart_pp + settings.scales_pp * sums / np.maximum(pairs, 1)
        within = np.maximum(squares - sums**2 / n, 0.0) / (n - 1)
        variances = np.where(there, settings.scales_pp**2 * within, np.nan)
        share = weights * there / (weights * there).sum(axis=-1, keepdims=True)
        looks.append(estimate(means, np.nan_to_num(variances), n, share, settings.units_pp))
        counts.append(pairs)
        if pilots is not None:
            known = np.where(there, variances, np.nanmean(variances, axis=-1, keepdims=True))
            left = np.maximum(pilots * pilot - run @ costs, 0.0)
            extra = (means,) if reads_means else ()
            after = allocate(pairs, known, costs, weights, left, settings.units_pp, *extra)
            new = after - pairs
    levels = [schedule.level(look) if level is None else level for look in range(len(looks))]
    seconds = np.array(schedule.pilots) * pilot
    return Studies(schedule, seconds, np.array(levels), tuple(looks), np.array(counts))
