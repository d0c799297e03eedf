"""What a study found, as typed data: the one source of every number that anyone prints or draws.

The terminal, the HTML report and the tests all read a :class:`Summary`; nothing computes a
statistic a second time. Accuracies and their differences are in percentage points (``_pp``).
A difference is always learned minus rival: positive means that learning the temperature is ahead.
"""

from dataclasses import dataclass

SUMMARY_VERSION = 1


@dataclass(frozen=True)
class Interval:
    """A mean of paired differences with its 95 % interval.

    Attributes:
        mean_pp: The mean difference; None when there is no complete pair.
        low_pp: Lower end; None when too few pairs carry an interval.
        high_pp: Upper end; None likewise.
        pairs: How many complete pairs went in.
        method: How the interval was made, in words.
    """

    mean_pp: float | None
    low_pp: float | None
    high_pp: float | None
    pairs: int
    method: str


@dataclass(frozen=True)
class Comparison:
    """Learned temperature against one rival, over all settings and seeds.

    Attributes:
        rival: "full_grid", "equal_cost_grid" or "no_search".
        label: The rival in words, as a reader sees it.
        effect: The difference at the last epoch (headline).
        effect_selected: The same at the validation-selected epoch.
        share_ahead: Fraction of pairs in which learning is strictly ahead; None without pairs.
        accuracy_verdict: One of "better", "slightly better", "equivalent", "not worse",
            "undecided", "slightly worse", "worse", "no data".
        cost_ratio_steps: Rival's cost over the learned run's, in student-step equivalents.
        cost_ratio_seconds: The same in measured seconds.
        missing_pairs: Planned pairs that have no complete data.
    """

    rival: str
    label: str
    effect: Interval
    effect_selected: Interval
    share_ahead: float | None
    accuracy_verdict: str
    cost_ratio_steps: float | None
    cost_ratio_seconds: float | None
    missing_pairs: int


@dataclass(frozen=True)
class StrategyScore:
    """Mean test accuracy of one strategy in one setting, last epoch and validation-selected."""

    strategy: str
    test_pp: float
    test_selected_pp: float
    sem_pp: float | None
    runs_charged: float
    seeds: int


@dataclass(frozen=True)
class SettingResult:
    """One setting: what each strategy reached, and learned against the grid's validation best.

    Attributes:
        key: Short unique label, for example "30 % · strong".
        versus_grid: Paired difference to the full grid (grid's best chosen on validation).
        differences_pp: Those differences by seed, in the order of ``seeds``.
        verdict: As in :class:`Comparison`, descriptive (no correction for many settings).
        best_tau: The grid's temperature with the best mean validation accuracy.
        best_tau_by_seed: The one that validation chose for each seed.
        learned_tau_s: Median final student temperature over seeds.
        learned_tau_t: Median final teacher temperature over seeds.
    """

    key: str
    dataset: str
    scale: float
    augmentation: str
    teacher: str
    student: str
    train_samples: int
    scores: tuple[StrategyScore, ...]
    versus_grid: Interval
    seeds: tuple[int, ...]
    differences_pp: tuple[float, ...]
    verdict: str
    best_tau: float | None
    best_tau_by_seed: tuple[float, ...]
    learned_tau_s: float | None
    learned_tau_t: float | None


@dataclass(frozen=True)
class ResponseCurve:
    """Test accuracy against a fixed temperature, mean over seeds with a paired-free t band.

    ``learned_*`` is where the learned temperature ended (median) and what it reached (mean).
    """

    key: str
    taus: tuple[float, ...]
    mean_pp: tuple[float, ...]
    low_pp: tuple[float | None, ...]
    high_pp: tuple[float | None, ...]
    best_tau: float | None
    ce_pp: float | None
    learned_tau_s: float | None
    learned_tau_t: float | None
    learned_pp: float | None


@dataclass(frozen=True)
class CostPoint:
    """Accuracy for compute, averaged over settings: a strategy after ``runs`` of its runs.

    For the grid, ``runs`` = k means the expected test accuracy of the validation best of k
    temperatures, over all subsets of size k (exact).
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
    """

    keys: tuple[str, ...]
    regret_pp: tuple[tuple[float | None, ...], ...]
    fixed_pp: tuple[float | None, ...]
    learned_pp: tuple[float | None, ...]


@dataclass(frozen=True)
class Trajectory:
    """Learned temperatures over the epochs of one setting: median over seeds, and the range."""

    key: str
    epochs: tuple[int, ...]
    tau_s_median: tuple[float, ...]
    tau_s_low: tuple[float, ...]
    tau_s_high: tuple[float, ...]
    tau_t_median: tuple[float, ...]
    tau_t_low: tuple[float, ...]
    tau_t_high: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """The study's answer in words, computed from the numbers by fixed rules.

    Attributes:
        badge: A few words, for example "Not worse, 3.1 times cheaper".
        headline: One sentence.
        sentences: Two to five further sentences: effect and interval, cost, the clearest
            exception, what is missing.
    """

    badge: str
    headline: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """What was planned and what there is. Trials shared by strategies count once."""

    planned: int
    finished: int
    failed: int
    planned_pairs: int
    complete_pairs: int
    student_compute_s: float
    trial_wall_s: float


@dataclass(frozen=True)
class Summary:
    """Everything that a study found; written to ``summary.json``."""

    summary_version: int
    study: str
    created: str
    margin_pp: float
    fixed_tau: float
    temperatures: tuple[float, ...]
    strategies: tuple[str, ...]
    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    settings: tuple[SettingResult, ...]
    responses: tuple[ResponseCurve, ...]
    costs: tuple[CostPoint, ...]
    transfer: TransferRegret | None
    trajectories: tuple[Trajectory, ...]
    inventory: Inventory
    provenance: dict[str, str]
