"""The data behind the report's figures, as typed values.

As in ``summary``: accuracies and differences are percentage points (``_pp``), a difference is
learned minus baseline.
"""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class ResponseCurve:
    """Test accuracy against a fixed temperature, in one setting.

    Attributes:
        key: The setting.
        taus: Temperatures with results, ascending.
        mean_pp: Mean over seeds, by temperature.
        low_pp: Lower end of the mean's 95 % t interval; None below 3 seeds.
        high_pp: Upper end, likewise.
        minus_best_pp: ``mean_pp`` minus that at the setting's ``best_tau``; empty without one.
        low_minus_best_pp: ``low_pp`` minus the same.
        high_minus_best_pp: ``high_pp`` minus the same.
        learned_minus_best_pp: What learned temperatures reach, minus the same; None without.
    """

    key: str
    taus: tuple[float, ...]
    mean_pp: tuple[float, ...]
    low_pp: tuple[float | None, ...]
    high_pp: tuple[float | None, ...]
    minus_best_pp: tuple[float, ...]
    low_minus_best_pp: tuple[float | None, ...]
    high_minus_best_pp: tuple[float | None, ...]
    learned_minus_best_pp: float | None


@dataclass(frozen=True)
class CostPoint:
    """Accuracy for compute, averaged over settings: a strategy after ``runs`` of its runs.

    For the grid, ``runs`` = k means the expected test accuracy of the validation best of k
    temperatures, over all subsets of size k (exact). Of any other search they are the runs that it
    began, the median over pairs.
    """

    strategy: str
    runs: int
    step_equivalents: float
    seconds: float
    test_pp: float


@dataclass(frozen=True)
class TransferRegret:
    """What a temperature tuned in one setting costs in another, on test, mean over seeds.

    Attributes:
        keys: Settings, in the order of rows and columns.
        regret_pp: ``[source][target]``: target's own validation-chosen accuracy minus the
            accuracy there of the source's temperature. Positive: the transfer lost accuracy.
        fixed_pp: The same for the default temperature, by target; None if it was not run.
        learned_pp: The same for the learned temperature, by target; None if it was not run.
        mean_pp: Mean of ``regret_pp`` over all moves to another setting.
    """

    keys: tuple[str, ...]
    regret_pp: tuple[tuple[float | None, ...], ...]
    fixed_pp: tuple[float | None, ...]
    learned_pp: tuple[float | None, ...]
    mean_pp: float | None = None


@dataclass(frozen=True)
class Trajectory:
    """Learned temperatures over the epochs of one setting: median over seeds, and the range.

    At most 200 epochs, evenly spread over a longer training.
    """

    key: str
    epochs: tuple[int, ...]
    tau_s_median: tuple[float, ...]
    tau_s_low: tuple[float, ...]
    tau_s_high: tuple[float, ...]
    tau_t_median: tuple[float, ...]
    tau_t_low: tuple[float, ...]
    tau_t_high: tuple[float, ...]


@dataclass(frozen=True)
class SearchGain:
    """What searching k temperatures gains over the default one, on test, at one scale.

    Attributes:
        label: The scale as a reader sees it, for example "30 % of the data".
        scale: The scale itself.
        runs: k, from 1 to the size of the grid.
        grid: By k: expected validation best of k (over all subsets) minus the default temperature.
        learned: Learned minus the default temperature; None if either was not run.
        learned_runs: What a learned run costs, in plain runs, failed ones shared among those with
            a result; steps or seconds, whichever is dearer. None where unknown.
        runs_to_match: The smallest k whose mean gain reaches learning's; None if no k does.
        is_apart: Whether learning's interval lies above those of all k.
    """

    label: str
    scale: float
    runs: tuple[int, ...]
    grid: tuple[Interval, ...]
    learned: Interval | None
    learned_runs: float | None
    runs_to_match: int | None
    is_apart: bool


@dataclass(frozen=True)
class AnytimeCurve:
    """Validation accuracy of the best model so far, if a strategy were stopped after some compute.

    Averaged over the pairs in which every shown strategy is complete. A grid is tried in random
    order: the mean over orders, and the band that holds 80 % of them. Other searches are followed
    in the order in which they asked.

    Attributes:
        strategy: The strategy.
        runs: Compute in plain student runs, ascending; at most 200 points. A learned run ends at
            what it costs (``SearchGain.learned_runs``, of its setting).
        mean_pp: Accuracy in percent.
        low_pp: 10 % of the orders lie below; equal to the mean where there is one order.
        high_pp: 10 % of the orders lie above.
        runs_to_match: The first of ``runs`` at which the mean is what a learned run ends with; None
            if there is none, and of learned runs.
    """

    strategy: str
    runs: tuple[float, ...]
    mean_pp: tuple[float, ...]
    low_pp: tuple[float, ...]
    high_pp: tuple[float, ...]
    runs_to_match: float | None = None


@dataclass(frozen=True)
class DegradationCurve:
    """Test accuracy of one strategy along teachers of rising size, or stronger augmentations.

    Attributes:
        factor: "teacher" or "augmentation".
        held: What is held, in words, for example "100 % of the data".
        strategy: The strategy.
        levels: Names along the factor, in the order of its ``LevelGap``, or else the study's.
        mean_pp: Mean test accuracy by level; None where there is no run.
        low_pp: Lower end of the mean's 95 % t interval over seeds; None below 3 seeds.
        high_pp: Upper end, likewise.
        change_pp: The last level's mean minus the first one's; None if either is unknown.
    """

    factor: str
    held: str
    strategy: str
    levels: tuple[str, ...]
    mean_pp: tuple[float | None, ...]
    low_pp: tuple[float | None, ...]
    high_pp: tuple[float | None, ...]
    change_pp: float | None


@dataclass(frozen=True)
class LossProfile:
    """How often a strategy loses how much against the best fixed temperature of its setting.

    The best fixed temperature is chosen by mean validation accuracy over seeds.

    Attributes:
        strategy: The strategy.
        loss_pp: Losses on test, ascending; negative where it is ahead. At most 200 quantiles.
        share: By loss: the share of pairs that lose at most that, in (0, 1].
        share_not_behind: Share of pairs that lose nothing.
        pairs: How many pairs.
        at_shares: Some shares, ascending, ...
        loss_at_share_pp: ... and the least loss that so many of the pairs do not exceed.
    """

    strategy: str
    loss_pp: tuple[float, ...]
    share: tuple[float, ...]
    share_not_behind: float
    pairs: int
    at_shares: tuple[float, ...]
    loss_at_share_pp: tuple[float, ...]


@dataclass(frozen=True)
class SelectionOptimism:
    """How much a reported accuracy flatters a grid of k, by what is quoted; 0 at k = 1.

    All against the honest score: chosen on validation, read on test. Exact over subsets of k.

    Attributes:
        runs: k.
        validation_quoted_pp: The winner's own validation accuracy is quoted, minus the mean gap of
            validation and test.
        test_picked_pp: The winner is picked on test.
        pairs: How many pairs the means are over.
    """

    runs: tuple[int, ...]
    validation_quoted_pp: tuple[float, ...]
    test_picked_pp: tuple[float, ...]
    pairs: int


@dataclass(frozen=True)
class DetectableDifference:
    """The difference to the full grid that a study would show, by its size, at a power of 80 %.

    Computed with the spread that this study saw: of settings with seeds of their own the variance
    of each, else variance components of settings, seeds and rest.

    Attributes:
        seeds: Numbers of seeds.
        one_setting_pp: By seeds: in a single setting (paired t).
        average_pp: Over this study's settings, with seeds of their own in these very ones (Welch's
            t), else in as many (two-way t); empty below 2 settings.
        average_doubled_pp: In twice as many settings; empty with seeds of their own, too.
        settings_now: This study's settings with complete pairs.
        settings_doubled: Twice as many.
        seeds_now: Its seeds, the fewest of any of them.
        now_pp: What it can show overall; None with fewer than 2 settings or seeds.
        twice_the_seeds_pp: What it could with twice the seeds; likewise.
        is_of_these_settings: Whether that is said of these very settings, as with seeds of their
            own.
        more_settings_help_more: Whether doubling settings lowers it more than doubling seeds.
    """

    seeds: tuple[int, ...]
    one_setting_pp: tuple[float, ...]
    average_pp: tuple[float, ...]
    average_doubled_pp: tuple[float, ...]
    settings_now: int
    settings_doubled: int
    seeds_now: int
    now_pp: float | None
    twice_the_seeds_pp: float | None
    is_of_these_settings: bool
    more_settings_help_more: bool


@dataclass(frozen=True)
class WallClock:
    """How long it takes to get one setting's student, if p runs can go at once; medians, seconds.

    A grid's runs go side by side, a learned run cannot be split.

    Attributes:
        workers: p.
        grid_s: ceil(K / p) plain runs.
        learned_s: One learned run.
        done_first: "grid", "learned" or "both".
    """

    workers: tuple[int, ...]
    grid_s: tuple[float, ...]
    learned_s: tuple[float, ...]
    done_first: tuple[str, ...]
