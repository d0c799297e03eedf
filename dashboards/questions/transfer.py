"""Temperatures that were tuned elsewhere: what tuning again or learning there gains over them."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from rich.table import Table

from metakd.analysis.questions.transfer import FACTOR_WORDS, Moves, Reuse
from metakd.analysis.summary import Summary
from metakd.analysis.wording import in_runs
from metakd.dashboards.formats import NONE, effect, runs, signed
from metakd.dashboards.questions.elements import KeyFigure, Opening, interval_key
from metakd.dashboards.svg import Effect, interval_bar, intervals_plot, reach
from metakd.dashboards.terminal import CLEAR_GAPS, new_table, usual_tables
from metakd.dashboards.theme import accuracy_tone


@dataclass(frozen=True)
class MovesRow:
    """One factor of the table, its intervals drawn."""

    moves: Moves
    along: str
    regret_bar: Markup
    learned_bar: Markup


def opening(summary: Summary) -> Opening:
    """Returns what learning, tuning again and not searching gain over a moved temperature."""
    reuse = summary.answer
    if not isinstance(reuse, Reuse):
        return Opening()
    return Opening(
        tone=accuracy_tone(reuse.moves[0].learned_verdict),
        drawing=reuse_plot(reuse, summary.margin_pp, summary.fixed_tau, summary.runs),
        keys=_reuse_keys(reuse, summary.runs.get("meta")),
        sections=("questions/transfer", "more", "baselines"),
        page="transfer",
        table=_moves_rows(reuse, summary.margin_pp),
    )


def tables(summary: Summary) -> list[Table]:
    """Returns the terminal's tables: of the moves where there is data, and the usual ones."""
    reuse = summary.answer
    return [*([] if not isinstance(reuse, Reuse) else [reuse_table(reuse)]), *usual_tables(summary)]


def reuse_table(reuse: Reuse) -> Table:
    """Returns one row for each factor: what tuning or learning there gains over a moved τ."""
    numbers = (
        *("moves", "other τ", "tuned − moved", "clear", "learned − moved", "clear", "ahead"),
    )
    return new_table("moved along", numbers, map(_cells, reuse.moves))


def _cells(moves: Moves) -> tuple[str, ...]:
    return (
        FACTOR_WORDS[moves.along],
        str(moves.moves),
        str(moves.changed),
        effect(moves.regret),
        CLEAR_GAPS[moves.regret_claim],
        effect(moves.learned),
        CLEAR_GAPS[moves.learned_claim],
        NONE if moves.share_ahead is None else f"{100 * moves.share_ahead:.0f} %",
    )


def reuse_plot(
    reuse: Reuse, margin_pp: float, fixed_tau: float, costs: Mapping[str, float]
) -> Markup | None:
    """Draws learning, tuning again and not searching at all; None if none of them is known."""
    overall = reuse.moves[0]
    known = {name: f", {in_runs(cost)}" for name, cost in costs.items()}
    return intervals_plot(
        [
            Effect("meta", f"learned there{known.get('meta', '')}", overall.learned),
            Effect("grid", f"tuned there, {in_runs(reuse.tuning_runs)}", overall.regret),
            Effect("fixed", f"fixed τ = {fixed_tau:g}{known.get('fixed', '')}", overall.default),
        ],
        margin_pp,
        zero="τ from elsewhere, 1 run",
        axis="points of test accuracy gained where it is used",
        about="Points gained over a temperature tuned elsewhere",
    )


def _reuse_keys(reuse: Reuse, learned_runs: float | None) -> tuple[KeyFigure, ...]:
    overall = reuse.moves[0]
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
            runs(learned_runs),
            "" if learned_runs is None else "runs",
            f"τ from elsewhere 1, or {runs(reuse.reusing_runs)} with its tuning; "
            f"tuned there {runs(reuse.tuning_runs)}",
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
