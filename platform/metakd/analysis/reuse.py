"""Tune in one setting, use in another: against learning there, and against tuning there."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.answers import Moves, Reuse
from metakd.analysis.claims import claim, holm, mean_p_value
from metakd.analysis.comparison import paired_differences_pp
from metakd.analysis.grid import Grid
from metakd.analysis.rows import FACTORS, Matrix
from metakd.analysis.selection import chosen_by_others, picked
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.transfer import mean_loss_pp
from metakd.analysis.verdict_rule import accuracy_verdict

ANY = "any"
# What a factor is called where source and target differ in it alone.
FACTOR_WORDS = {
    "any": "anything",
    "dataset": "dataset",
    "scale": "share of data",
    "augmentation": "augmentation",
    "teacher": "teacher",
    "student": "student",
}

Mask = NDArray[np.bool_]


def reuse(table: StudyTable, grid: Grid | None) -> Reuse | None:
    """Returns what reusing temperatures costs; None without two settings whose grids are complete.

    A source chooses by its best mean validation over seeds.
    """
    if grid is None:
        return None
    tuned = [index for index, best in enumerate(grid.best_on_average) if best is not None]
    if len(tuned) < 2:
        return None
    found = _tuned(table, grid, tuned)
    differing = {factor: _differing(table, tuned, factor) for factor in FACTORS}
    in_how_many = np.sum(list(differing.values()), axis=0)
    along = {name: differs & (in_how_many == 1) for name, differs in differing.items()}
    by_factor = [_compared(found, name, where) for name, where in along.items() if where.any()]
    regret_holm = holm([mean_p_value(each.regret, each.strata) for each in by_factor])
    learned_holm = holm([mean_p_value(each.learned, each.strata) for each in by_factor])
    overall = _compared(found, ANY, ~np.eye(len(tuned), dtype=bool))
    return Reuse(
        moves=(
            _claimed(
                overall,
                mean_p_value(overall.regret, overall.strata),
                mean_p_value(overall.learned, overall.strata),
            ),
            *map(_claimed, by_factor, regret_holm, learned_holm),
        ),
        tuning_runs=grid.size,
        reusing_runs=grid.size + 1,
    )


def learned_minus_reused(table: StudyTable, grid: Grid | None) -> tuple[Matrix, Strata | None]:
    """Returns what learning has over temperatures tuned elsewhere, in points, and its grouping.

    Args:
        table: The study.
        grid: Its grid.

    Returns:
        ``[target, seed]``, one row where there is nothing; and which targets are independent.
    """
    tuned = [] if grid is None else [i for i, b in enumerate(grid.best_on_average) if b is not None]
    if grid is None or len(tuned) < 2:
        return np.full((1, table.shape[1]), np.nan), None
    overall = _compared(_tuned(table, grid, tuned), ANY, ~np.eye(len(tuned), dtype=bool))
    return overall.learned, overall.strata


@dataclass(frozen=True)
class _Tuned:
    """Test accuracies in the settings that have a tuned temperature; [setting, seed] or as said.

    ``moved`` is ``[source, target, seed]``: what the source's temperature reaches in the target.
    """

    keys: tuple[str, ...]
    margin_pp: float
    best: NDArray[np.intp]
    moved: Matrix
    own: Matrix
    learned: Matrix
    default: Matrix
    strata: Strata | None


@dataclass(frozen=True)
class _Compared:
    """Moves before their claims; ``regret`` and ``learned`` are differences, [target, seed]."""

    moves: Moves
    regret: Matrix
    learned: Matrix
    strata: Strata | None


def _tuned(table: StudyTable, grid: Grid, tuned: list[int]) -> _Tuned:
    test, validation = (
        np.where(grid.complete, values, np.nan)[:, tuned]
        for values in (grid.runs.test_acc_last, grid.runs.val_acc_last)
    )
    best = np.array([grid.best_on_average[index] for index in tuned], dtype=np.intp)
    choice = chosen_by_others(validation, table.temperatures, table.fixed_tau)

    def of(strategy: str) -> Matrix:
        runs = table.runs(strategy)
        known = np.full(table.shape, np.nan) if runs is None else runs.best("test_acc_last")
        return known[tuned]

    return _Tuned(
        keys=tuple(table.keys[index] for index in tuned),
        margin_pp=table.margin_pp,
        best=best,
        moved=test[best],
        own=picked(test, choice),
        learned=of("meta"),
        default=of("fixed"),
        strata=None if table.strata is None else table.strata.of(tuned),
    )


def _differing(table: StudyTable, tuned: list[int], factor: str) -> Mask:
    """Returns where source and target differ in a factor, ``[source, target]``."""
    values = [dict(table.settings[index])[factor] for index in tuned]
    codes = np.array([values.index(value) for value in values])
    return np.asarray(codes[:, None] != codes[None, :])


def _compared(found: _Tuned, along: str, where: Mask) -> _Compared:
    """Compares what is reached over the moves of a mask, ``[source, target]``."""
    targets = where.any(axis=0)
    # Which seeds a target lacks is the same for every source.
    moved = np.where(where[..., None], found.moved, 0.0).sum(axis=0)[targets]
    moved = moved / where.sum(axis=0)[targets, None]
    regret, learned, default = (
        paired_differences_pp(there[targets], moved)
        for there in (found.own, found.learned, found.default)
    )
    strata = None if found.strata is None else found.strata.of(np.flatnonzero(targets).tolist())
    effects = [mean_interval(differences, strata) for differences in (regret, learned, default)]
    places = np.arange(len(found.keys))
    losses = np.where(where, mean_loss_pp(found.moved[places, places], found.moved), -np.inf)
    source, target = np.unravel_index(int(losses.argmax()), losses.shape)
    ahead = mean_loss_pp(found.learned, found.moved)[where]
    ahead = ahead[np.isfinite(ahead)]
    moves = Moves(
        along=along,
        moves=int(where.sum()),
        changed=int((where & (found.best[:, None] != found.best[None, :])).sum()),
        targets=int(targets.sum()),
        regret=effects[0],
        learned=effects[1],
        default=effects[2],
        regret_verdict=accuracy_verdict(effects[0], found.margin_pp),
        learned_verdict=accuracy_verdict(effects[1], found.margin_pp),
        regret_claim="",
        learned_claim="",
        share_ahead=float((ahead > ROUNDING_PP).mean()) if ahead.size else None,
        worst_pp=float(losses[source, target]),
        worst_source=found.keys[source],
        worst_target=found.keys[target],
    )
    return _Compared(moves, regret, learned, strata)


def _claimed(found: _Compared, regret_p: float | None, learned_p: float | None) -> Moves:
    return replace(
        found.moves,
        regret_claim=claim(found.moves.regret.mean_pp, regret_p),
        learned_claim=claim(found.moves.learned.mean_pp, learned_p),
    )
