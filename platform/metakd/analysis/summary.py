"""What a study found, as typed data: the one source of every number that anyone prints or draws.

The terminal, the HTML report and the tests all read a :class:`Summary`; nothing computes a
statistic a second time. Accuracies and their differences are in percentage points (``_pp``).
A difference is always learned minus baseline: positive means that learning the temperature (in a study
of several teachers their weights, in one of a teacher that learns to teach the teacher) is ahead.
"""

from dataclasses import dataclass

from metakd.analysis.answers import LevelGap, Reuse, StartRange
from metakd.analysis.curves import (
    AnytimeCurve,
    CostPoint,
    DegradationCurve,
    DetectableDifference,
    LossProfile,
    ResponseCurve,
    SearchGain,
    SelectionOptimism,
    Trajectory,
    TransferRegret,
    WallClock,
)
from metakd.analysis.decision import Deciding, PrimaryComparison
from metakd.analysis.findings import GainsOverScales, LevelChange, TauSpans
from metakd.analysis.learner_answers import Ensemble, Teaching
from metakd.analysis.made_with import MadeWith
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.teaching_curves import QuizFall, TeachingCurve
from metakd.analysis.weight_curves import FinalWeights, WeightsCurve

SUMMARY_VERSION = 8


@dataclass(frozen=True)
class Comparison:
    """Learned temperature against one baseline, over all settings and seeds.

    Attributes:
        baseline: "full_grid", "equal_cost_grid" or "no_search"; in a :class:`Baseline` its strategy.
        label: The baseline in words, as a reader sees it.
        effect: The difference at the last epoch (headline).
        effect_selected: The same at the validation-selected epoch.
        share_ahead: Fraction of pairs in which learning is strictly ahead; None without pairs.
        accuracy_verdict: One of "better", "slightly better", "equivalent", "not worse",
            "undecided", "slightly worse", "worse", "no data".
        cost_ratio_steps: Baseline's cost over the learned run's, in student-step equivalents; on both
            sides failed runs are shared among those with a result.
        cost_ratio_seconds: The same in measured seconds.
        missing_pairs: Planned pairs that have no complete data.
        cost_verdict: "cheaper", "dearer" or "same" where steps and seconds agree, "mixed" where
            they do not, "unknown" without either.
        cost_factor: By how much at least, in every currency; 1 or more.
    """

    baseline: str
    label: str
    effect: Interval
    effect_selected: Interval
    share_ahead: float | None
    accuracy_verdict: str
    cost_ratio_steps: float | None
    cost_ratio_seconds: float | None
    missing_pairs: int
    cost_verdict: str = "unknown"
    cost_factor: float = 1.0


@dataclass(frozen=True)
class Baseline:
    """Learned temperature against another strategy, whole and when it had spent the same.

    Attributes:
        strategy: Its name.
        test_pp: Its mean test accuracy at the last epoch, over settings of the mean over seeds;
            None without a result.
        runs_charged: What it costs in plain runs, by student-step equivalents, likewise.
        overall: Learning against all that it ran.
        equal_cost: Learning minus what it had found when it had spent what learning costs, the leg
            in which it spent that run to its end; over the pairs in which a run was done by then.
        equal_cost_unready: Pairs in which none was.
        p_value: Two-sided t test of ``overall.effect`` against 0; None where it has no interval.
        p_holm: The same after Holm's correction over all strategies of the table.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
        equal_cost_p_holm: The same for ``equal_cost``, corrected likewise.
        equal_cost_claim: The same for ``equal_cost``.
    """

    strategy: str
    test_pp: float | None
    runs_charged: float | None
    overall: Comparison
    equal_cost: Interval
    equal_cost_unready: int
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"
    equal_cost_p_holm: float | None = None
    equal_cost_claim: str = "no clear gap"


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
    """One setting: what each strategy reached, and the learner against its main baseline.

    Attributes:
        key: Short unique label, for example "30 % · strong".
        train_samples: Labelled samples that train a student; 0 while nothing has run.
        held_out_samples: Labelled samples that choose, and that some methods learn from; 0 while
            nothing has run, or where an older version of metakd ran it.
        versus_baseline: Paired difference to the main baseline: the full grid (its best chosen on
            validation), of several teachers what counts them all alike, or the fixed teacher.
        differences_pp: Those differences by seed, in the order of ``seeds``.
        verdict: As in :class:`Comparison`, descriptive (no correction for many settings).
        versus_fixed: Paired difference to the default temperature; None if either was not run.
        p_value: Two-sided paired t test of ``versus_baseline`` against 0; None below 3 pairs. Equal
            differences get the smallest p of a sign-flip test, 2 / 2^pairs.
        p_holm: The same after Holm's correction over all settings that have one.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
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
    held_out_samples: int
    scores: tuple[StrategyScore, ...]
    versus_baseline: Interval
    seeds: tuple[int, ...]
    differences_pp: tuple[float, ...]
    verdict: str
    best_tau: float | None
    best_tau_by_seed: tuple[float, ...]
    learned_tau_s: float | None
    learned_tau_t: float | None
    versus_fixed: Interval | None = None
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"


@dataclass(frozen=True)
class SettingCounts:
    """How many settings show a difference to the main baseline.

    Attributes:
        paired: Settings with a complete pair.
        pairs: Their pairs.
        tested: Settings with a p value, over which they are corrected (Holm).
        ahead: Those of ``paired`` in which the learner is claimed to be ahead.
        no_clear_gap: Those without a claim.
        behind: Those in which it is behind.
    """

    paired: int
    pairs: int
    tested: int
    ahead: int
    no_clear_gap: int
    behind: int


@dataclass(frozen=True)
class Corrections:
    """Over how many p values each table's Holm correction is.

    Attributes:
        strategies: Of ``baselines``, each as a whole.
        equal_cost: Of ``baselines`` at equal cost.
        parts: Of the parts of a method.
        teachers: Of the teachers that learned.
    """

    strategies: int
    equal_cost: int
    parts: int
    teachers: int


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
class Counts:
    """The smallest and the largest of some counts, over settings."""

    least: int
    most: int


@dataclass(frozen=True)
class LabelUse:
    """How many labels strategies read in a seed, beside the test set; alike for all named here.

    Attributes:
        strategies: Their names.
        trained_on: Labels of the samples that train each of their students.
        chose_by: Held-out labels that choose among their runs; None where there is one run.
        learned_from: Held-out labels that their method learns from; None where it does not.
    """

    strategies: tuple[str, ...]
    trained_on: Counts
    chose_by: Counts | None
    learned_from: Counts | None


@dataclass(frozen=True)
class Failure:
    """A trial that failed: its name and the last line of its error."""

    name: str
    error: str


@dataclass(frozen=True)
class Inventory:
    """What was planned and what there is. Trials shared by strategies count once.

    Attributes:
        planned: Trials of all strategies, as far as they are known so far.
        finished: Those committed, those that a search stopped among them.
        failed: Those whose last attempt failed.
        not_run: The others.
        planned_pairs: Settings times seeds.
        complete_pairs: Pairs in which every strategy is complete.
        missing_pairs: The others.
        student_compute_s: What students computed, as measured; of failed trials what is on record.
        trial_wall_s: What trials took.
        failures: The failed trials, the first 50 by name.
        searches: Strategies times settings, times seeds.
        ended_searches: Those that have run all their trials.
        blocked_searches: Those of which a trial failed.
        is_open: Whether trials are to be run, or strategies to go on.
    """

    planned: int
    finished: int
    failed: int
    not_run: int
    planned_pairs: int
    complete_pairs: int
    missing_pairs: int
    student_compute_s: float
    trial_wall_s: float
    failures: tuple[Failure, ...] = ()
    searches: int = 0
    ended_searches: int = 0
    blocked_searches: int = 0
    is_open: bool = False


@dataclass(frozen=True)
class Summary:
    """Everything that a study found; written to ``summary.json``.

    Attributes:
        learned_runs: What a learned run costs, in plain runs of its setting: the median, in steps
            or seconds, whichever is dearer; failed runs shared. None where unknown.
        made_with: What changed between runs: each version of it, and how many trials it made.
        primary: What the headline is about; everything else is secondary.
        deciding: The declared looks at it; None where the study takes one, at its end.
        detectable: None with declared looks: what they would take is in ``deciding``.
    """

    summary_version: int
    study: str
    created: str
    margin_pp: float
    fixed_tau: float
    temperatures: tuple[float, ...]
    strategies: tuple[str, ...]
    learned_runs: float | None
    verdict: Verdict
    comparisons: tuple[Comparison, ...]
    settings: tuple[SettingResult, ...]
    counts: SettingCounts
    corrections: Corrections
    responses: tuple[ResponseCurve, ...]
    costs: tuple[CostPoint, ...]
    transfer: TransferRegret | None
    trajectories: tuple[Trajectory, ...]
    inventory: Inventory
    provenance: dict[str, str]
    spec: dict[str, str]
    gains: tuple[SearchGain, ...]
    anytime: tuple[AnytimeCurve, ...]
    degradations: tuple[DegradationCurve, ...]
    profiles: tuple[LossProfile, ...]
    optimism: SelectionOptimism | None
    detectable: DetectableDifference | None
    wall_clock: WallClock | None
    tau_spans: TauSpans
    level_changes: tuple[LevelChange, ...]
    gains_over_scales: GainsOverScales | None
    baselines: tuple[Baseline, ...]
    learner: str
    baseline: str

    # What studies of gaps, transfer, starts, several teachers and learning teachers ask.
    question: str
    gaps: tuple[LevelGap, ...]
    reuse: Reuse | None
    starts: StartRange | None
    ensemble: Ensemble | None
    weights: tuple[WeightsCurve, ...]
    final_weights: tuple[FinalWeights, ...]
    teaching: Teaching | None
    teaching_curves: tuple[TeachingCurve, ...]
    quiz_falls: tuple[QuizFall, ...]

    label_use: tuple[LabelUse, ...]
    made_with: tuple[MadeWith, ...]

    primary: PrimaryComparison
    deciding: Deciding | None
