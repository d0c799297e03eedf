"""Verdicts of made-up studies, without a store."""

from made_up_study import MadeUpStudy

from metakd.analysis.baselines import compare_baselines
from metakd.analysis.comparison import compare
from metakd.analysis.cost import learned_cost_in_plain_runs
from metakd.analysis.grid import choose
from metakd.analysis.inventory import make_inventory
from metakd.analysis.pair import pair_of
from metakd.analysis.questions import answer, learner_answer, question_of
from metakd.analysis.questions.gap import level_gaps
from metakd.analysis.questions.start_range import start_range
from metakd.analysis.questions.transfer import reuse
from metakd.analysis.reached import reached_by_strategy
from metakd.analysis.sentences import Evidence
from metakd.analysis.settings import setting_results
from metakd.analysis.summary import Verdict
from metakd.analysis.table import make_table


def answered(study: MadeUpStudy) -> Verdict:
    """Returns the verdict that a study's store would get."""
    record = study.record()
    table = make_table(record, tuple(study.rows()), study.search_rows())
    grid = choose(table)
    question = question_of(record)
    pair = pair_of(question, table.strategies, reached_by_strategy(table, grid))
    evidence = Evidence(
        table.strategies,
        table.temperatures,
        table.fixed_tau,
        table.margin_pp,
        compare(table, grid),
        setting_results(table, grid, pair),
        make_inventory(table),
        compare_baselines(table, grid, pair.learner),
        pair,
        learned_cost_in_plain_runs(table),
    )
    gaps = level_gaps(table, grid, study.teacher_scores)
    found_of_learner = learner_answer(question, table, grid, pair, study.teacher_scores)
    starts = start_range(table, grid)
    return answer(question, evidence, gaps, reuse(table, grid), found_of_learner, starts)


def said(verdict: Verdict) -> str:
    """Returns all words of a verdict, after checks that hold for every study."""
    text = " ".join([verdict.badge, verdict.headline, *verdict.sentences])
    for sentence in (verdict.headline, *verdict.sentences):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    for word in ("None", "nan", "inf", "{", "  ", "()", "; ;", "(;"):
        assert word not in text
    return text
