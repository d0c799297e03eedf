"""Tune in one setting, use in another: against learning there, and against tuning there.

The words are chosen by fixed rules from numbers already there.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metakd.analysis.comparison import Pair, accuracy_verdict, paired_differences_pp
from metakd.analysis.costs import Costs
from metakd.analysis.deciding import Primary, PrimaryComparison
from metakd.analysis.figures.transfer import mean_loss_pp
from metakd.analysis.grid import Grid
from metakd.analysis.places import FACTORS
from metakd.analysis.questions.analysis import Analysis, Findings, Results
from metakd.analysis.sentences import (
    BADGES,
    Answer,
    Evidence,
    Verdict,
    comparisons_sentence,
    headline_of,
    interval_words,
    missing_sentence,
    no_answer,
)
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval, Matrix
from metakd.analysis.statistics.looks import ROUNDING_PP
from metakd.analysis.statistics.selection import chosen_by_others, picked
from metakd.analysis.statistics.strata import Strata, mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import counted, runs_charged, signed_pp

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
LEARNER, REUSED = "learning the temperature", "reusing one tuned elsewhere"
# By the verdict on tuning in the target minus reusing.
REUSE_HEADLINES = {
    "better": "Reusing a temperature tuned elsewhere loses more than {margin} to tuning again",
    "slightly better": "Reusing a temperature tuned elsewhere is behind tuning again, maybe by "
    "less than {margin}",
    "equivalent": "Reusing a temperature tuned elsewhere equals tuning again within ±{margin}",
    "not worse": "Reusing a temperature tuned elsewhere is not ahead of tuning again by more than "
    "{margin}",
    "undecided": "These runs leave open whether reusing a temperature matches tuning again",
    "slightly worse": "Reusing a temperature tuned elsewhere is ahead of tuning again, maybe by "
    "less than {margin}",
    "worse": "Reusing a temperature tuned elsewhere beats tuning again by more than {margin}",
    "no data": "These runs cannot compare reusing a temperature with tuning again",
}
REUSE_BADGES = {
    "better": "reuse loses",
    "slightly better": "reuse loses a little",
    "equivalent": "reuse costs nothing",
    "not worse": "reuse not ahead",
    "undecided": "reuse undecided",
    "slightly worse": "reuse a little ahead",
    "worse": "reuse ahead",
    "no data": "reuse undecided",
}


@dataclass(frozen=True)
class Moves:
    """Temperatures tuned in one setting and used in another, compared in the latter.

    A source chooses by its best mean validation accuracy over seeds. A target's sources are
    averaged first, in each seed; intervals are over targets and seeds.

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
class Reuse(Answer):
    """What it takes to tune a temperature in one setting and use it in another.

    Attributes:
        moves: Over all moves ("any"), then along each factor that varies.
        tuning_runs: What the tuning costs: the grid, as ``Summary.runs`` counts it.
        reusing_runs: The same with the plain run that uses its result.
    """

    moves: tuple[Moves, ...]
    tuning_runs: float
    reusing_runs: float


class Transfer(Analysis):
    """Learning where a temperature is used against using one that was tuned elsewhere."""

    answer_type = Reuse

    def primary(self, results: Results) -> Primary:
        """Returns learning minus reusing, by target."""
        return Primary(
            "learned − tuned elsewhere", *learned_minus_reused(results.table, results.grid)
        )

    def answer(self, results: Results, level: float) -> Reuse | None:
        """Returns what reusing temperatures costs."""
        return reuse(results.table, results.grid, results.costs)

    def at_look(self, findings: Findings, pair: Pair, primary: PrimaryComparison) -> Findings:
        """Returns findings whose difference over all moves is that of the last declared look."""
        if not isinstance(findings.answer, Reuse):
            return findings
        first, *others = findings.answer.moves
        first = replace(first, learned=primary.here, learned_verdict=primary.verdict)
        return replace(findings, answer=replace(findings.answer, moves=(first, *others)))

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words what temperatures tuned elsewhere cost."""
        return reuse_verdict(evidence, answer if isinstance(answer, Reuse) else None)


def reuse(table: StudyTable, grid: Grid | None, costs: Costs) -> Reuse | None:
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
    tuning = costs.runs("grid") or float(grid.size)
    return Reuse(
        moves=(
            _claimed(
                overall,
                mean_p_value(overall.regret, overall.strata),
                mean_p_value(overall.learned, overall.strata),
            ),
            *map(_claimed, by_factor, regret_holm, learned_holm),
        ),
        tuning_runs=tuning,
        reusing_runs=tuning + 1,
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


def reuse_verdict(evidence: Evidence, reuse: Reuse | None) -> Verdict:
    """Words what temperatures tuned elsewhere cost.

    Args:
        evidence: The study.
        reuse: Its numbers; None where there are none.
    """
    if reuse is None:
        return _no_answer(evidence)
    overall = reuse.moves[0]
    margin = f"{evidence.margin_pp:.2f} points"
    learned, reused = overall.learned_verdict, overall.regret_verdict
    if learned == "no data":
        headline, badge = REUSE_HEADLINES[reused].format(margin=margin), REUSE_BADGES[reused]
        badge = badge[0].upper() + badge[1:]
    else:
        headline = headline_of(learned, LEARNER, REUSED, evidence.margin_pp)
        badge = f"{BADGES[learned]}; {REUSE_BADGES[reused]}"
    sentences = [
        _learned_sentence(overall, margin),
        _regret_sentence(overall),
        _factors_sentence(reuse),
        _default_sentence(evidence, overall),
        cost_sentence(reuse, evidence.runs.get("meta")),
        comparisons_sentence(evidence.comparisons),
        missing_sentence(evidence.inventory),
    ]
    return Verdict(badge, f"{headline}.", tuple(sentence for sentence in sentences if sentence))


def cost_sentence(reuse: Reuse, learned_runs: float | None) -> str:
    """Says what each way costs where the temperature is used."""
    learned = "" if learned_runs is None else f", learning there {runs_charged(learned_runs)}"
    return (
        "Where it is used, a temperature from elsewhere costs 1 run, or "
        f"{runs_charged(reuse.reusing_runs)} with its tuning; tuning there costs "
        f"{runs_charged(reuse.tuning_runs)}{learned}."
    )


def _learned_sentence(overall: Moves, margin: str) -> str | None:
    if overall.learned.mean_pp is None:
        return None
    ahead = (
        ""
        if overall.share_ahead is None
        else f"; learning is ahead in {100 * overall.share_ahead:.0f} % of "
        f"{counted(overall.moves, 'move')}"
    )
    effect = interval_words(
        overall.learned,
        overall.learned.method.removeprefix("no interval: "),
        f"margin ±{margin}",
    )
    return f"On test, learned where it is used minus tuned elsewhere is {effect}{ahead}."


def _regret_sentence(overall: Moves) -> str:
    changed = (
        f"source and target choose different temperatures in {overall.changed} of "
        f"{counted(overall.moves, 'move')}"
    )
    worst = (
        f"; the worst is from {overall.worst_source} to {overall.worst_target}, "
        f"{signed_pp(-overall.worst_pp)}"
        if overall.worst_pp > 0
        else ""
    )
    if overall.regret.mean_pp is None:
        return f"Tuning again cannot be compared ({overall.regret.method}); {changed}{worst}."
    return (
        f"Tuned where it is used minus tuned elsewhere is {interval_words(overall.regret)}: "
        f"{changed}{worst}."
    )


def _factors_sentence(reuse: Reuse) -> str | None:
    parts = []
    for moves in reuse.moves[1:]:
        effects = [
            f"{signed_pp(effect.mean_pp)} {'' if claim == 'no clear gap' else '* '}{what}"
            for effect, what, claim in (
                (moves.regret, "by tuning", moves.regret_claim),
                (moves.learned, "by learning", moves.learned_claim),
            )
            if effect.mean_pp is not None
        ]
        if effects:
            parts.append(f"{FACTOR_WORDS[moves.along]} {' and '.join(effects)}")
    if not parts:
        return None
    many = parts[1:]
    corrected = f"after correction for {len(parts)} factors (Holm)" if many else ""
    held = f" (* holds{' ' if many else ''}{corrected})" if "*" in "".join(parts) else ""
    return f"Gained where source and target differ in one factor alone: {'; '.join(parts)}{held}."


def _default_sentence(evidence: Evidence, overall: Moves) -> str | None:
    if overall.default.mean_pp is None:
        return None
    return (
        f"No search at all, τ = {evidence.fixed_tau:g}, minus tuned elsewhere is "
        f"{interval_words(overall.default)}."
    )


def _no_answer(evidence: Evidence) -> Verdict:
    if "grid" not in evidence.strategies:
        badge, headline = "Nothing tuned", "This study ran no grid, so it has nothing to transfer."
    elif len(evidence.settings) < 2:
        badge = "One setting only"
        headline = "This study has one setting, so no temperature can move to another."
    else:
        badge = "Nothing to move yet"
        headline = "Fewer than two settings have a complete grid, so no temperature can move yet."
    return no_answer(evidence, badge, headline)


TRANSFER = Transfer()
