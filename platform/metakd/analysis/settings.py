"""What each strategy reached in each setting."""

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.comparison import paired_differences_pp
from metakd.analysis.cost import plain_cost
from metakd.analysis.grid import Grid
from metakd.analysis.intervals import paired_interval
from metakd.analysis.summary import SettingResult, StrategyScore
from metakd.analysis.table import Matrix, Runs, StudyTable
from metakd.analysis.verdict_rule import accuracy_verdict


def setting_results(table: StudyTable, grid: Grid | None) -> tuple[SettingResult, ...]:
    """Returns the results of every setting, in the study's order."""
    scores = _scores_by_setting(table, grid)
    differences = _differences_to_grid(table, grid)
    return tuple(
        _setting_result(table, grid, index, scores[index], differences[index])
        for index in range(len(table.settings))
    )


def _setting_result(
    table: StudyTable,
    grid: Grid | None,
    index: int,
    scores: tuple[StrategyScore, ...],
    differences: NDArray[np.float64],
) -> SettingResult:
    setting = table.settings[index]
    paired = np.isfinite(differences)
    versus_grid = paired_interval(differences)
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
        scores=scores,
        versus_grid=versus_grid,
        seeds=tuple(int(seed) for seed in np.asarray(table.seeds)[paired]),
        differences_pp=tuple(float(value) for value in differences[paired]),
        verdict=accuracy_verdict(versus_grid, table.margin_pp),
        best_tau=None if best is None else table.temperatures[best],
        best_tau_by_seed=tuple(float(tau) for tau in chosen[np.isfinite(chosen)]),
        learned_tau_s=_median(table.meta.tau_s_last[index]) if table.meta else None,
        learned_tau_t=_median(table.meta.tau_t_last[index]) if table.meta else None,
    )


def _differences_to_grid(table: StudyTable, grid: Grid | None) -> Matrix:
    if table.meta is None or grid is None:
        return np.full(table.shape, np.nan)
    learned = np.where(table.meta.complete, table.meta.test_acc_last, np.nan)
    return paired_differences_pp(learned, grid.best_of(grid.size))


def _scores_by_setting(table: StudyTable, grid: Grid | None) -> list[tuple[StrategyScore, ...]]:
    single = {"ce": table.ce, "fixed": table.fixed, "meta": table.meta}
    ran: dict[str, tuple[Matrix, Matrix, Matrix]] = {
        name: _scored(runs) for name, runs in single.items() if runs is not None
    }
    if grid is not None:
        ran["grid"] = (
            grid.best_of(grid.size),
            grid.best_of(grid.size, selected_epoch=True),
            np.asarray(grid.runs.step_equivalents.sum(axis=0)),
        )
    plain = plain_cost(table, "step_equivalents")
    return [
        tuple(
            _score(name, last[index], selected[index], steps[index], float(plain[index]))
            for name in table.strategies
            for last, selected, steps in [ran[name]]
            if np.isfinite(last[index]).any()
        )
        for index in range(len(table.settings))
    ]


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None


def _scored(runs: Runs) -> tuple[Matrix, Matrix, Matrix]:
    last = np.where(runs.complete, runs.test_acc_last, np.nan)
    selected = np.where(runs.complete, runs.test_acc_selected, np.nan)
    return last, selected, runs.step_equivalents


def _score(
    strategy: str,
    last: NDArray[np.float64],
    selected: NDArray[np.float64],
    steps: NDArray[np.float64],
    plain_steps: float,
) -> StrategyScore:
    known = np.isfinite(last)
    seeds = int(known.sum())
    charged = float(steps[known].mean()) / plain_steps
    return StrategyScore(
        strategy=strategy,
        test_pp=100 * float(last[known].mean()),
        test_selected_pp=100 * float(selected[known].mean()),
        sem_pp=100 * float(last[known].std(ddof=1)) / seeds**0.5 if seeds > 1 else None,
        # Without a plain run there is no unit to count in.
        runs_charged=charged if np.isfinite(charged) else 1.0,
        seeds=seeds,
    )
