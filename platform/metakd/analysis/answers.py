"""What a study of a gap, or of transfer, answers: as typed values.

As in ``summary``: accuracies and differences are percentage points (``_pp``).
"""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class GapLevel:
    """One teacher, or one augmentation.

    Attributes:
        name: As settings have it.
        parameters: Of a teacher; None where unknown.
        val_pp: Of a teacher: its own validation accuracy, mean over the study's datasets; None
            where unknown.
        test_pp: Its own test accuracy, likewise.
    """

    name: str
    parameters: int | None = None
    val_pp: float | None = None
    test_pp: float | None = None


@dataclass(frozen=True)
class StrategyGap:
    """How one strategy fares along the levels.

    Attributes:
        strategy: The strategy.
        by_level: What it reaches at each level.
        drop: At the chosen level minus at the last: positive where the last is worse. At the
            gap's ``confidence``.
        drop_p: Of the drop against 0, corrected for the choice of the level; beside the reference
            also for the number of strategies (Holm). None where there is no interval.
        verdict: "there", "not shown", "the reverse", "no data", or, at a declared look, "none":
            within the margin.
        by_held: The drop in each combination of what is held, at the same confidence.
        held_verdicts: As ``verdict``, for each of them; corrected for their number, too (Holm).
        cells_pp: The drops, by combination and seed; None where a run is missing.
        trend: Points by level, from first to last: the least-squares slope of each seed.
        own_level: The level before the last that this strategy's own validation puts first; None
            where its validation is not known.
        own_drop: From there to the last, at the same confidence.
        mending: The reference's drop minus this one's; None for the reference.
        mending_p: Of the mending against 0, corrected as ``drop_p`` is.
        mended: "mended", "reduced", "not shown to be reduced", "enlarged", "nothing to mend" or
            "no data"; None for the reference.
        at_last: "gain", "harm" or "open": what distillation does at the last level; None where
            accuracy is measured, not a gain.
    """

    strategy: str
    by_level: tuple[Interval, ...]
    drop: Interval
    drop_p: float | None
    verdict: str
    by_held: tuple[Interval, ...]
    held_verdicts: tuple[str, ...]
    cells_pp: tuple[tuple[float | None, ...], ...]
    trend: Interval
    own_level: str | None
    own_drop: Interval | None
    mending: Interval | None
    mending_p: float | None
    mended: str | None
    at_last: str | None


@dataclass(frozen=True)
class LevelGap:
    """What becomes of students along better teachers, or along stronger augmentations.

    Attributes:
        factor: "teacher" or "augmentation".
        measure: "accuracy", or "gain": accuracy minus that without a teacher.
        order: "teacher accuracy": levels by the teachers' own validation accuracy; or "study": as
            the study has them.
        levels: The levels in that order; the last is what is asked about.
        held: Combinations of all else, in words.
        reference: The strategy whose gap it is: "fixed".
        chosen: The level before the last with the reference's best mean validation.
        confidence: Of the intervals of drops and mendings: 1 − 5 % / (levels − 1), so that the
            choice cannot make a gap.
        strategies: The reference first, then the others in the study's order.
    """

    factor: str
    measure: str
    order: str
    levels: tuple[GapLevel, ...]
    held: tuple[str, ...]
    reference: str
    chosen: str
    confidence: float
    strategies: tuple[StrategyGap, ...]


@dataclass(frozen=True)
class Moves:
    """Temperatures tuned in one setting and used in another, compared in the latter.

    A target's sources are averaged first, in each seed; intervals are over targets and seeds.

    Attributes:
        along: The one factor in which source and target differ, or "any".
        moves: How many pairs of source and target.
        changed: In how many of them the target's own grid would have chosen another temperature.
        targets: How many targets.
        regret: Tuned in the target minus tuned elsewhere. The target's own temperature is chosen
            for each seed by the others, so that no lucky run chooses itself.
        learned: Learned in the target minus tuned elsewhere.
        default: The default temperature minus tuned elsewhere.
        regret_verdict: As ``Comparison.accuracy_verdict``.
        learned_verdict: Likewise.
        regret_claim: "ahead", "behind" or "no clear gap", after Holm's correction over the factors;
            for "any" without one.
        learned_claim: Likewise.
        share_ahead: Share of moves in which learning is strictly ahead, in the mean over seeds.
        worst_pp: The largest mean loss of a move, both temperatures chosen by all seeds.
        worst_source: Its source's key.
        worst_target: Its target's key.
    """

    along: str
    moves: int
    changed: int
    targets: int
    regret: Interval
    learned: Interval
    default: Interval
    regret_verdict: str
    learned_verdict: str
    regret_claim: str
    learned_claim: str
    share_ahead: float | None
    worst_pp: float
    worst_source: str
    worst_target: str


@dataclass(frozen=True)
class Reuse:
    """What it takes to tune a temperature in one setting and use it in another.

    Attributes:
        moves: Over all moves ("any"), then along each factor that varies.
        tuning_runs: What the tuning costs, in plain runs: the size of the grid.
        reusing_runs: The same with the run that uses its result.
    """

    moves: tuple[Moves, ...]
    tuning_runs: int
    reusing_runs: int


@dataclass(frozen=True)
class StartsOfSetting:
    """What each start reaches in a setting, at the last epoch, over the seeds that have all runs.

    Attributes:
        key: The setting's.
        seeds: How many seeds that are.
        fixed_pp: Mean test accuracy at each fixed temperature, in the order of the starts.
        learned_pp: Of temperatures that are learned from there, likewise.
        learned_tau_s: Median student temperature at the end, by start.
        learned_tau_t: Median teacher temperature at the end, likewise.
        scale_free_pp: Of fixed temperatures whose teacher's gradient is as large as at τ = 4, as
            that of learned ones is; empty without.
        aligned_pp: Mean test accuracy of the alignment rule, which has no start; None without.
        fixed_range_pp: Largest minus smallest of ``fixed_pp``.
        learned_range_pp: Largest minus smallest of ``learned_pp``.
        scale_free_range_pp: Of ``scale_free_pp``; None without.
        fixed_wrong: What the wrong fixed temperature costs, see ``StartRange``.
        learned_wrong: What the wrong start of a learned one costs.
        regret: The fixed temperature that validation chooses minus the mean over learned starts.
    """

    key: str
    seeds: int
    fixed_pp: tuple[float, ...]
    learned_pp: tuple[float, ...]
    learned_tau_s: tuple[float, ...]
    learned_tau_t: tuple[float, ...]
    scale_free_pp: tuple[float, ...]
    aligned_pp: float | None
    fixed_range_pp: float
    learned_range_pp: float
    scale_free_range_pp: float | None
    fixed_wrong: Interval
    learned_wrong: Interval
    regret: Interval


@dataclass(frozen=True)
class StartRange:
    """Whether a learned temperature depends on where it starts, beside fixed ones at the same τ.

    What the wrong start costs is the test accuracy of the start that validation ranks first minus
    that of the one it ranks last, both by the mean of the other seeds: where starts do not matter
    it is 0 on average, which the range of means, inflated by noise, is not.

    Attributes:
        starts: The temperatures.
        settings: Those that have a result.
        fixed_wrong: What the wrong fixed temperature costs, the mean over these settings; this
            and the next ones with the interval over seeds (``seeds_interval``).
        learned_wrong: What the wrong start of a learned one costs, likewise.
        saved: The first minus the second.
        saved_elsewhere: The same with an interval for other settings like these: two-way, settings
            and seeds as samples of more.
        beyond_quarter: The second minus a quarter of the first: below 0 where learning removes
            three quarters or more.
        regret: The fixed temperature that validation chooses minus the mean over learned starts.
        aligned_regret: The same, minus the alignment rule; None without it.
        scale_free_wrong: What the wrong fixed temperature costs at the learned ones' scale; None
            without.
        scale_free_regret: ``regret`` against fixed temperatures at that scale; None without.
        verdict: "forgets", "depends less", "depends more", "depends as much" (at a declared
            look, within the margin), "undecided", "nothing to forget" (the wrong fixed temperature
            is not shown to cost anything) or "no data".
        wide_settings: Settings whose fixed range is above 2 points.
        forgetting_settings: Those of them whose learned range is at most a quarter of it.
    """

    starts: tuple[float, ...]
    settings: tuple[StartsOfSetting, ...]
    fixed_wrong: Interval
    learned_wrong: Interval
    saved: Interval
    saved_elsewhere: Interval
    beyond_quarter: Interval
    regret: Interval
    aligned_regret: Interval | None
    scale_free_wrong: Interval | None
    scale_free_regret: Interval | None
    verdict: str
    wide_settings: int
    forgetting_settings: int
