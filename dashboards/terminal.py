"""A study's verdict in the terminal: its words, then its tables."""

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from metakd.analysis.answers import LevelGap, Moves, Reuse, StrategyGap
from metakd.analysis.contest import CONTENDERS, SINGLE
from metakd.analysis.contest_answers import ContestAnswer, Ensemble, Teaching
from metakd.analysis.intervals import Interval
from metakd.analysis.questions import asked_gap
from metakd.analysis.reuse import FACTOR_WORDS
from metakd.analysis.summary import Rival, SettingResult, StrategyScore, Summary
from metakd.analysis.wording import listed, percent, signed_pp

WIDTH = 100
# Usual keys stay on one line; long ones take more lines, not the room of the numbers.
KEY_WIDTH = 18
NONE = "–"
CLEAR_GAPS = {"ahead": "ahead", "behind": "behind", "no clear gap": "none"}
# What else the table of settings shows of a study that ran it.
SHOWN = ("ce", SINGLE, "meta")
HEADERS = {
    "ce": "CE",
    SINGLE: "best single",
    "mean_losses": "mean losses",
    "fixed": "fixed",
    "meta": "learned τ",
}
MOST_LEVELS = 5
LEVELS_WIDTH = 48
WORDS_WIDTH = 14


def print_verdict(console: Console, summary: Summary) -> None:
    """Prints the verdict of a summary and the tables behind it."""
    console.print()
    for line in verdict_lines(summary):
        console.print(line)
    for table in (*tables(summary), rivals_table(summary)):
        if table is not None:
            console.print()
            console.print(table)


def verdict_lines(summary: Summary) -> list[str]:
    """Returns the headline and its sentences, wrapped at 100 columns."""
    verdict = summary.verdict
    paragraphs = (f"{verdict.badge}. {verdict.headline}", *verdict.sentences)
    return [line for paragraph in paragraphs for line in wrap(paragraph, WIDTH)]


def settings_table(summary: Summary) -> Table:
    """Returns one row for each setting: test accuracies in %, learned minus grid in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of settings.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("setting", no_wrap=True)
    headers = (
        "n train",
        "CE",
        f"τ={summary.fixed_tau:g}",
        "grid (τ)",
        "learned (τs, τt)",
        "learned − grid",
    )
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("clear gap", no_wrap=True)
    for setting in summary.settings:
        table.add_row(*(Text(cell) for cell in _cells(setting)))
    return table


def rivals_table(summary: Summary) -> Table | None:
    """Returns one row for each strategy beside grid and default, over all settings.

    Test accuracy in %, cost in plain runs, learned minus it in points, how that is judged by
    itself, and whether it holds after Holm's correction for the number of rows. None where the
    study asks for no such strategy, or where its question has a table of all.
    """
    if not summary.rivals or summary.question in CONTENDERS:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("strategy", no_wrap=True)
    for header in ("test", "runs charged", "learned − it"):
        table.add_column(header, justify="right", no_wrap=True)
    for header in ("verdict", "clear gap"):
        table.add_column(header, no_wrap=True)
    for rival in summary.rivals:
        table.add_row(*(Text(cell) for cell in rival_cells(rival)))
    return table


def rival_cells(rival: Rival) -> tuple[str, ...]:
    """Returns a rival's row: name, test, runs charged, difference, verdict, clear gap."""
    return (
        "\n".join(wrap(rival.strategy, KEY_WIDTH)),
        number(rival.test_pp),
        number(rival.runs_charged),
        difference(rival.overall.effect),
        rival.overall.accuracy_verdict,
        CLEAR_GAPS[rival.claim] if rival.p_holm is not None else NONE,
    )


def number(value: float | None) -> str:
    """Returns two decimals, or a dash for None."""
    return NONE if value is None else f"{value:.2f}"


def _cells(setting: SettingResult) -> tuple[str, ...]:
    scores = {score.strategy: score for score in setting.scores}
    return (
        "\n".join(wrap(setting.key, KEY_WIDTH)),
        str(setting.train_samples),
        accuracy(scores.get("ce")),
        accuracy(scores.get("fixed")),
        accuracy(scores.get("grid"), setting.best_tau),
        accuracy(scores.get("meta"), setting.learned_tau_s, setting.learned_tau_t),
        difference(setting.versus_main),
        CLEAR_GAPS[setting.claim] if setting.p_holm is not None else NONE,
    )


def accuracy(score: StrategyScore | None, *taus: float | None) -> str:
    """Returns "91.20", with the temperatures that are known behind it."""
    if score is None:
        return NONE
    known = ", ".join(f"{tau:.3g}" for tau in taus if tau is not None)
    return f"{score.test_pp:.2f}" + (f" ({known})" if known else "")


def difference(interval: Interval) -> str:
    """Returns "+0.15 [−0.09, +0.39]"."""
    if interval.mean_pp is None:
        return NONE
    if interval.low_pp is None or interval.high_pp is None:
        return signed_pp(interval.mean_pp)
    bounds = f"[{signed_pp(interval.low_pp)}, {signed_pp(interval.high_pp)}]"
    return f"{signed_pp(interval.mean_pp)} {bounds}"


def tables_of_contest(summary: Summary) -> tuple[Table, ...]:
    """Returns one row a strategy, then one a single teacher, then one a setting.

    None without rows, and none at all of a question without a protagonist of its own.
    """
    answer = summary.ensemble or summary.teaching
    if answer is None:
        return ()
    own = {} if summary.teaching is None else own_accuracies(summary, summary.teaching)
    found = [strategies_table(summary, answer, own)]
    if summary.ensemble is not None:
        found.append(single_teachers_table(summary, summary.ensemble))
    found.append(settings_of_contest_table(summary))
    return tuple(table for table in found if table.row_count)


def own_accuracies(summary: Summary, teaching: Teaching) -> dict[str, float | None]:
    """Returns the teacher's own test accuracy in % after training, by strategy that has one."""
    changed = {teacher.strategy: teacher.test.mean_pp for teacher in teaching.teachers}
    learners = CONTENDERS[summary.question].learners
    return {
        name: changed.get(name) if name in learners else teaching.before_pp
        for name in summary.strategies
        if name != "ce"
    }


def strategies_table(
    summary: Summary, answer: ContestAnswer, own: Mapping[str, float | None]
) -> Table:
    """Returns test accuracy in %, cost in plain runs and the protagonist minus each in points.

    The last column names a difference only where it holds after Holm's correction for the number
    of strategies.

    Args:
        summary: The study.
        answer: What it answers beside its comparisons.
        own: The teacher's own test accuracy by strategy, if that is a question.
    """
    teacher = ("its teacher",) if own else ()
    headers = ("test", *teacher, "runs charged", f"{summary.protagonist} − it")
    table = _table("strategy", *headers)
    for header in ("verdict", "clear gap"):
        table.add_column(header, no_wrap=True)
    rows = [rival_cells(rival) for rival in summary.rivals]
    if summary.protagonist in summary.strategies:
        reached = (number(answer.test_pp), number(answer.runs_charged))
        rows.insert(0, (summary.protagonist, *reached, "", "", ""))
    names = [summary.protagonist, *(rival.strategy for rival in summary.rivals)][-len(rows) :]
    for name, (first, test, *rest) in zip(names, rows, strict=True):
        _add(table, (first, test, *(number(own.get(name)) for _ in teacher), *rest))
    return table


def single_teachers_table(summary: Summary, ensemble: Ensemble) -> Table:
    """Returns for each teacher its own test accuracy and its student's, with their intervals."""
    table = _table("teacher", "parameters", "its test", "student alone", "chosen")
    table.add_column(Text(f"{summary.protagonist} − it"), justify="right", no_wrap=True)
    many = len({teacher.ensemble for teacher in ensemble.teachers}) > 1
    for teacher in ensemble.teachers:
        name = f"{teacher.name} of {teacher.ensemble}" if many else teacher.name
        cells = (
            "\n".join(wrap(name, KEY_WIDTH)),
            NONE if teacher.parameters is None else f"{teacher.parameters:,}",
            number(teacher.own_test_pp),
            difference(teacher.student).replace("+", ""),
            NONE if teacher.chosen is None else f"{100 * teacher.chosen:.0f} %",
            difference(teacher.learned_minus),
        )
        _add(table, cells)
    return table


def settings_of_contest_table(summary: Summary) -> Table:
    """Returns test accuracies in % by setting, and the protagonist minus its main rival."""
    learner, rival = summary.protagonist, summary.main_rival
    shown = [*(n for n in SHOWN if n in summary.strategies and n != rival), rival, learner]
    names = [HEADERS.get(name, name) for name in shown]
    minus = f"{learner} − {HEADERS.get(rival, rival)}"
    table = _table("setting", "n train", *names, minus)
    table.add_column("clear gap", no_wrap=True)
    for setting in summary.settings:
        scores = {score.strategy: score for score in setting.scores}
        cells = (
            "\n".join(wrap(setting.key, KEY_WIDTH)),
            str(setting.train_samples),
            *(accuracy(scores.get(name)) for name in shown),
            difference(setting.versus_main),
            CLEAR_GAPS[setting.claim] if setting.p_holm is not None else NONE,
        )
        _add(table, cells)
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for header in numbers:
        table.add_column(Text(header), justify="right", no_wrap=True)
    return table


def _add(table: Table, cells: Iterable[str]) -> None:
    table.add_row(*(Text(cell) for cell in cells))


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
    table = _left_table("gain by" if gap.measure == "gain" else f"{gap.factor}:")
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
        cells = (each.strategy, *reached, difference(each.drop), _words(each))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def reuse_table(reuse: Reuse) -> Table:
    """Returns one row for each factor: what tuning or learning there gains over a moved τ."""
    table = _left_table("moved along")
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


def _left_table(first: str) -> Table:
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


def _words(gap: StrategyGap) -> str:
    told = [gap.verdict] + ([] if gap.mended in (None, "nothing to mend") else [str(gap.mended)])
    return "\n".join(wrap("; ".join(told), WORDS_WIDTH))


def _moves(moves: Moves) -> tuple[str, ...]:
    share = NONE if moves.share_ahead is None else f"{100 * moves.share_ahead:.0f} %"
    return (
        FACTOR_WORDS[moves.along],
        str(moves.moves),
        str(moves.changed),
        difference(moves.regret),
        CLEAR_GAPS[moves.regret_claim],
        difference(moves.learned),
        CLEAR_GAPS[moves.learned_claim],
        share,
    )
