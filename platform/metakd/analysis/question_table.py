"""The table in the terminal that answers what a study asks."""

from collections.abc import Sequence
from textwrap import wrap

from rich import box
from rich.table import Table
from rich.text import Text

from metakd.analysis.answers import LevelGap, Moves, Reuse, StrategyGap
from metakd.analysis.contest_tables import tables_of_contest
from metakd.analysis.intervals import Interval
from metakd.analysis.questions import asked_gap
from metakd.analysis.reuse import FACTOR_WORDS
from metakd.analysis.summary import Summary
from metakd.analysis.terminal import NONE, settings_table
from metakd.analysis.wording import listed, percent, signed_pp

MOST_LEVELS = 5
LEVELS_WIDTH = 48
WORDS_WIDTH = 14
CLAIMS = {"ahead": "ahead", "behind": "behind", "no clear gap": "none"}


def tables(summary: Summary) -> tuple[Table, ...]:
    """Returns the table that answers the study's question, if it has one, then its settings."""
    gap = asked_gap(summary.question, summary.gaps)
    if gap is not None:
        return gap_table(gap), settings_table(summary)
    if summary.question == "transfer" and summary.reuse is not None:
        return reuse_table(summary.reuse), settings_table(summary)
    return tables_of_contest(summary) or (settings_table(summary),)


def gap_table(gap: LevelGap) -> Table:
    """Returns one row for each strategy: what it reaches at each level, its drop, and the words.

    Accuracies in %, gains and drops in points; of many levels the most telling five.
    """
    kept = _kept(gap)
    table = _table("gain by" if gap.measure == "gain" else f"{gap.factor}:")
    for index in kept:
        level = gap.levels[index]
        own = [] if level.val_pp is None else [f"{level.val_pp:.1f} %"]
        name = wrap(level.name, LEVELS_WIDTH // len(kept)) or [level.name]
        _numbers(table, "\n".join([*name, *own]))
    # At a declared look the default's drop has the look's own level.
    levels = dict.fromkeys(percent(each.drop.level) for each in gap.strategies)
    _numbers(table, f"drop, {listed(list(levels))} interval")
    table.add_column("drop is", no_wrap=True)
    for each in gap.strategies:
        reached = [_level(each.by_level[index], gap.measure) for index in kept]
        cells = (each.strategy, *reached, _effect(each.drop), _words(each))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def reuse_table(reuse: Reuse) -> Table:
    """Returns one row for each factor: what tuning or learning there gains over a moved τ."""
    table = _table("moved along")
    for header in (
        "moves",
        "other τ",
        "tuned − moved",
        "clear",
        "learned − moved",
        "clear",
        "ahead",
    ):
        _numbers(table, header)
    for moves in reuse.moves:
        table.add_row(*(Text(cell) for cell in _moves(moves)))
    return table


def _table(first: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    return table


def _numbers(table: Table, header: str) -> None:
    table.add_column(Text(header), justify="right", no_wrap=True)


def _kept(gap: LevelGap) -> Sequence[int]:
    last = len(gap.levels) - 1
    if last < MOST_LEVELS:
        return range(last + 1)
    chosen = [level.name for level in gap.levels].index(gap.chosen)
    told = [0, chosen, last, last - 1, 1, 2]
    return sorted(list(dict.fromkeys(told))[:MOST_LEVELS])


def _level(reached: Interval, measure: str) -> str:
    if reached.mean_pp is None:
        return NONE
    return signed_pp(reached.mean_pp) if measure == "gain" else f"{reached.mean_pp:.2f}"


def _effect(effect: Interval) -> str:
    if effect.mean_pp is None:
        return NONE
    if effect.low_pp is None or effect.high_pp is None:
        return signed_pp(effect.mean_pp)
    return f"{signed_pp(effect.mean_pp)} [{signed_pp(effect.low_pp)}, {signed_pp(effect.high_pp)}]"


def _words(gap: StrategyGap) -> str:
    told = [gap.verdict] + ([] if gap.mended in (None, "nothing to mend") else [str(gap.mended)])
    return "\n".join(wrap("; ".join(told), WORDS_WIDTH))


def _moves(moves: Moves) -> tuple[str, ...]:
    share = NONE if moves.share_ahead is None else f"{100 * moves.share_ahead:.0f} %"
    return (
        FACTOR_WORDS[moves.along],
        str(moves.moves),
        str(moves.changed),
        _effect(moves.regret),
        CLAIMS[moves.regret_claim],
        _effect(moves.learned),
        CLAIMS[moves.learned_claim],
        share,
    )
