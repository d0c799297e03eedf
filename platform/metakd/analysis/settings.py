"""What each strategy reached in each setting."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.comparison import LEARNED_AND_GRID, Pair, accuracy_verdict, minus_pp
from metakd.analysis.costs import Costs
from metakd.analysis.grid import Grid
from metakd.analysis.reached import Reached, median, reached_by_strategy
from metakd.analysis.statistics.claims import claim, corrected_for, holm, paired_p_value
from metakd.analysis.statistics.intervals import Interval, paired_interval
from metakd.analysis.table import StudyTable


@dataclass(frozen=True)
class StrategyScore:
    """Mean test accuracy of one strategy in one setting, last epoch and validation-selected.

    Attributes:
        strategy: As in ``strategies``.
        test_pp: Test accuracy at the last epoch.
        test_selected_pp: Test accuracy at the validation-selected epoch.
        sem_pp: Standard error of ``test_pp`` over seeds; None for one seed.
        runs: What it costs here, as ``Summary.runs`` counts it; None where unknown.
        seeds: How many seeds.
    """

    strategy: str
    test_pp: float
    test_selected_pp: float
    sem_pp: float | None
    runs: float | None
    seeds: int


@dataclass(frozen=True)
class SettingResult:
    """One setting: what each strategy reached, and the learner against its main baseline.

    Attributes:
        key: Short unique label, for example "30 % · strong".
        dataset: Name of the dataset.
        scale: Fraction of the training split.
        augmentation: Name of the recipe.
        teacher: Name of the teacher's model, ``none`` without one; of several at once ``A+B``.
        student: Name of the student's model.
        train_samples: Labelled samples that train a student; 0 while nothing has run.
        held_out_samples: Labelled samples that choose, and that some methods learn from; 0 while
            nothing has run, or where an older version of metakd ran it.
        scores: What each strategy with results reached.
        versus_baseline: Paired difference to the main baseline: the full grid (its best chosen on
            validation), of several teachers what counts them all alike, or the fixed teacher.
        seeds: The seeds with a complete pair.
        differences_pp: Those differences by seed, in the order of ``seeds``.
        verdict: As in :class:`Comparison`, descriptive (no correction for many settings).
        best_tau: The grid's temperature with the best mean validation accuracy.
        best_tau_by_seed: The one that validation chose for each seed.
        learned_tau_s: Median final student temperature over seeds.
        learned_tau_t: Median final teacher temperature over seeds.
        versus_fixed: Paired difference to the default temperature; None if either was not run.
        p_value: Two-sided paired t test of ``versus_baseline`` against 0; None below 3 pairs. Equal
            differences get the smallest p of a sign-flip test, 2 / 2^pairs.
        p_holm: The same after Holm's correction over all settings that have one.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
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


def setting_results(
    table: StudyTable, grid: Grid | None, costs: Costs, pair: Pair = LEARNED_AND_GRID
) -> tuple[SettingResult, ...]:
    """Returns the results of every setting, in the study's order."""
    reached = reached_by_strategy(table, grid)
    to_main = minus_pp(table, reached, pair.learner, pair.baseline)
    to_fixed = minus_pp(table, reached, "meta", "fixed")
    has_fixed = {"meta", "fixed"} <= set(reached)
    learned = table.runs("meta")
    taus = [learned.best(name) for name in ("tau_s_last", "tau_t_last")] if learned else []
    results = [
        _setting_result(
            table,
            grid,
            index,
            to_main[index],
            _scores(reached, costs, index),
            [_median_or_none(tau[index]) for tau in taus] or [None, None],
        )
        for index in range(len(table.settings))
    ]
    p_values = [paired_p_value(np.asarray(result.differences_pp)) for result in results]
    return tuple(
        replace(
            result,
            versus_fixed=paired_interval(to_fixed[index]) if has_fixed else None,
            p_value=p_value,
            p_holm=corrected,
            claim=claim(result.versus_baseline.mean_pp, corrected),
        )
        for index, (result, p_value, corrected) in enumerate(
            zip(results, p_values, holm(p_values), strict=True)
        )
    )


def setting_counts(settings: Sequence[SettingResult]) -> SettingCounts:
    """Counts the settings by what they show."""
    paired = [setting for setting in settings if setting.differences_pp]
    claims = Counter(setting.claim for setting in paired)
    return SettingCounts(
        paired=len(paired),
        pairs=sum(len(setting.differences_pp) for setting in paired),
        tested=corrected_for(setting.p_value for setting in settings),
        ahead=claims["ahead"],
        no_clear_gap=claims["no clear gap"],
        behind=claims["behind"],
    )


def _setting_result(
    table: StudyTable,
    grid: Grid | None,
    index: int,
    differences: NDArray[np.float64],
    scores: tuple[StrategyScore, ...],
    learned_taus: Sequence[float | None],
) -> SettingResult:
    setting = table.settings[index]
    paired = np.isfinite(differences)
    versus_baseline = paired_interval(differences)
    best = grid.best_on_average[index] if grid else None
    chosen = grid.chosen_tau[index] if grid else np.empty(0)
    return SettingResult(
        key=table.keys[index],
        dataset=setting["dataset"],
        scale=setting["scale"],
        augmentation=setting["augmentation"],
        teacher=setting["teacher"] or "none",
        student=setting["student"],
        train_samples=table.train_samples[index],
        held_out_samples=table.held_out_samples[index],
        scores=scores,
        versus_baseline=versus_baseline,
        seeds=tuple(int(seed) for seed in np.asarray(table.seeds)[paired]),
        differences_pp=tuple(float(value) for value in differences[paired]),
        verdict=accuracy_verdict(versus_baseline, table.margin_pp),
        best_tau=None if best is None else table.temperatures[best],
        best_tau_by_seed=tuple(float(tau) for tau in chosen[np.isfinite(chosen)]),
        learned_tau_s=learned_taus[0],
        learned_tau_t=learned_taus[1],
    )


def _median_or_none(values: NDArray[np.float64]) -> float | None:
    return median(values) if np.isfinite(values).any() else None


def _scores(reached: Mapping[str, Reached], costs: Costs, index: int) -> tuple[StrategyScore, ...]:
    return tuple(
        _score(name, result, costs.runs(name, [index]), index)
        for name, result in reached.items()
        if np.isfinite(result.test_last[index]).any()
    )


def _score(strategy: str, result: Reached, runs: float | None, index: int) -> StrategyScore:
    known = np.isfinite(result.test_last[index])
    last, selected = result.test_last[index, known], result.test_selected[index, known]
    seeds = int(known.sum())
    return StrategyScore(
        strategy=strategy,
        test_pp=100 * float(last.mean()),
        test_selected_pp=100 * float(selected.mean()),
        sem_pp=100 * float(last.std(ddof=1)) / seeds**0.5 if seeds > 1 else None,
        runs=runs,
        seeds=seeds,
    )
