"""What a report opens with, by what its study asks: tone, drawing, four numbers, first table."""

from dataclasses import dataclass

from markupsafe import Markup

from dashboards.contest_tables import ContestTables, contest_tables
from dashboards.hero import compute_plot
from dashboards.hero_contest import contest_plot
from dashboards.hero_levels import levels_plot
from dashboards.hero_reuse import reuse_plot
from dashboards.key_figures import (
    KeyFigure,
    compute_key,
    contest_key_figures,
    deciding,
    interval_key,
    key_figures,
)
from dashboards.looks import looks_in
from dashboards.numbers import NONE, runs, signed
from dashboards.starts_opening import starts_keys, starts_plot, starts_tone
from dashboards.svg import interval_bar, reach
from dashboards.tones import BAD, GOOD, NEUTRAL, accuracy_tone, badge_tone
from metakd.analysis.answers import LevelGap, Moves, Reuse, StartRange, StrategyGap
from metakd.analysis.contest import LEARNING_TO_TEACH, MULTI_TEACHER
from metakd.analysis.questions import FACTORS, START_RANGE, TRANSFER, asked_gap
from metakd.analysis.reuse import FACTOR_WORDS
from metakd.analysis.summary import Summary
from metakd.analysis.verdict_gap import asked_learner

MENDED_TONES = {"mended": GOOD, "reduced": GOOD, "enlarged": BAD}
VERDICT_TONES = {"there": BAD, "the reverse": GOOD}
# The figures that answer a question come before all others.
FIRST_FIGURES = {
    "teacher_gap": ("teachers",),
    "augmentation_gap": ("augmentations",),
    TRANSFER: ("transfer",),
    START_RANGE: ("starts",),
    MULTI_TEACHER: ("differences", "weights", "outcomes", "classes"),
    LEARNING_TO_TEACH: ("differences", "teaching", "quizzes"),
}


@dataclass(frozen=True)
class GapRow:
    """One strategy of the first table, its intervals drawn."""

    gap: StrategyGap
    drop_bar: Markup
    mending_bar: Markup | None
    tone: str
    mended_tone: str


@dataclass(frozen=True)
class MovesRow:
    """One factor of the first table, its intervals drawn."""

    moves: Moves
    along: str
    regret_bar: Markup
    learned_bar: Markup


@dataclass(frozen=True)
class Opening:
    """How a report opens.

    Attributes:
        tone: Of the verdict's badge.
        hero: The drawing beside it.
        keys: The numbers under it.
        gap: What a study of a gap asks about; None for others, or without data.
        gap_rows: Its table.
        reuse_rows: The table of a study of transfer.
        decides: Whether learning against its rivals is what the study asks.
        contest: The tables of a study with a protagonist of its own; None for others.
        starts: The numbers of a study of starts; None for others.
    """

    tone: str
    hero: Markup | None
    keys: tuple[KeyFigure, ...]
    gap: LevelGap | None
    gap_rows: tuple[GapRow, ...]
    reuse_rows: tuple[MovesRow, ...]
    decides: bool
    contest: ContestTables | None = None
    starts: StartRange | None = None


def opening(summary: Summary) -> Opening:
    """Returns how a study's report opens."""
    if summary.question in FACTORS:
        gap = asked_gap(summary.question, summary.gaps)
        if gap is None:
            return Opening(NEUTRAL, None, (), None, (), (), decides=False)
        hero = levels_plot(gap, summary.fixed_tau)
        keys = _gap_keys(gap, summary)
        rows = _gap_rows(gap, summary.margin_pp)
        return Opening(_gap_tone(gap), hero, keys, gap, rows, (), decides=False)
    if summary.question == TRANSFER:
        reuse = summary.reuse
        if reuse is None:
            return Opening(NEUTRAL, None, (), None, (), (), decides=False)
        drawn = reuse_plot(reuse, summary.margin_pp, summary.fixed_tau, summary.learned_runs)
        rows_of_moves = _moves_rows(reuse, summary.margin_pp)
        tone = accuracy_tone(reuse.moves[0].learned_verdict)
        keys = _reuse_keys(reuse, summary.learned_runs)
        return Opening(tone, drawn, keys, None, (), rows_of_moves, decides=False)
    if summary.question == START_RANGE:
        return _starts_opening(summary)
    contest = contest_tables(summary)
    if contest is not None:
        return Opening(
            tone=badge_tone(deciding(summary)),
            hero=contest_plot(summary, looks_in(summary)),
            keys=contest_key_figures(summary),
            gap=None,
            gap_rows=(),
            reuse_rows=(),
            decides=False,
            contest=contest,
        )
    return Opening(
        tone=badge_tone(deciding(summary)),
        hero=compute_plot(summary.costs, summary.fixed_tau, summary.learned_runs),
        keys=key_figures(summary),
        gap=None,
        gap_rows=(),
        reuse_rows=(),
        decides=True,
    )


def _starts_opening(summary: Summary) -> Opening:
    starts = summary.starts
    if starts is None:
        return Opening(NEUTRAL, None, (), None, (), (), decides=False)
    drawn = starts_plot(starts, summary.margin_pp)
    keys = starts_keys(starts, summary.learned_runs)
    return Opening(starts_tone(starts), drawn, keys, None, (), (), decides=False, starts=starts)


def _gap_tone(gap: LevelGap) -> str:
    """A gap is bad news and its mending good; learning is what the study is for."""
    verdict, learner = gap.strategies[0].verdict, asked_learner(gap)
    if verdict == "there" and learner is not None and learner.mended in MENDED_TONES:
        return MENDED_TONES[learner.mended]
    return VERDICT_TONES.get(verdict, NEUTRAL)


def _gap_keys(gap: LevelGap, summary: Summary) -> tuple[KeyFigure, ...]:
    reference, learner = gap.strategies[0], asked_learner(gap)
    way = "where τ is learned" if learner and learner.strategy == "meta" else "with a grid"
    keys = [
        interval_key(f"Drop at τ = {summary.fixed_tau:g}", reference.drop, (
            f"{gap.chosen} minus {gap.levels[-1].name}",))
    ]  # fmt: skip
    if learner is not None and learner.mending is not None:
        word = "" if learner.mended == "nothing to mend" else learner.mended or ""
        keys.append(interval_key(f"Drop {way}", learner.drop, ("the same two",)))
        keys.append(
            interval_key(
                f"Less than at τ = {summary.fixed_tau:g} by",
                learner.mending,
                (word,),
            )
        )
    if gap.measure == "gain":
        shown = reference if learner is None else learner
        where = f"Gain under {gap.levels[-1].name}"
        told = "at the default τ" if learner is None else way
        keys.append(interval_key(where, shown.by_level[-1], (f"over no teacher, {told}",)))
    else:
        keys.append(compute_key(deciding(summary)))
    return tuple(keys)


def _gap_rows(gap: LevelGap, margin_pp: float) -> tuple[GapRow, ...]:
    drawn = [each.drop for each in gap.strategies]
    drawn += [each.mending for each in gap.strategies if each.mending is not None]
    span = reach(drawn, margin_pp)
    return tuple(
        GapRow(
            gap=each,
            drop_bar=interval_bar(each.drop, margin_pp, span),
            mending_bar=None
            if each.mending is None
            else interval_bar(each.mending, margin_pp, span),
            tone=VERDICT_TONES.get(each.verdict, NEUTRAL),
            mended_tone=MENDED_TONES.get(each.mended or "", NEUTRAL),
        )
        for each in gap.strategies
    )


def _reuse_keys(reuse: Reuse, learned_runs: float | None) -> tuple[KeyFigure, ...]:
    overall = reuse.moves[0]
    learned = NONE if learned_runs is None else runs(learned_runs)
    return (
        interval_key("Learned there, over τ from elsewhere", overall.learned),
        interval_key("Tuned there, over τ from elsewhere", overall.regret),
        KeyFigure(
            "Moves that change τ",
            f"{overall.changed:,}",
            f"of {overall.moves:,}",
            f"worst move {signed(-overall.worst_pp)} points",
        ),
        KeyFigure(
            "Runs to learn it there",
            learned,
            "" if learned == NONE else "runs",
            f"τ from elsewhere 1, or {reuse.reusing_runs} with its tuning; "
            f"tuned there {reuse.tuning_runs}",
        ),
    )


def _moves_rows(reuse: Reuse, margin_pp: float) -> tuple[MovesRow, ...]:
    effects = [effect for moves in reuse.moves for effect in (moves.regret, moves.learned)]
    span = reach(effects, margin_pp)
    return tuple(
        MovesRow(
            moves=moves,
            along=FACTOR_WORDS[moves.along],
            regret_bar=interval_bar(moves.regret, margin_pp, span),
            learned_bar=interval_bar(moves.learned, margin_pp, span),
        )
        for moves in reuse.moves
    )
