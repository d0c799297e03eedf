"""Verdicts of made-up studies, without a store."""

from made_up_study import MadeUpStudy

from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.analysis import (
    Results,
    findings_of,
    question_name,
    question_of,
    results_of,
)
from metakd.analysis.questions.grid_vs_meta import compare
from metakd.analysis.sentences import Verdict
from metakd.analysis.statistics.intervals import LEVEL
from metakd.analysis.summarise import evidence_of
from metakd.analysis.table import make_table


def answered(study: MadeUpStudy) -> Verdict:
    """Returns the verdict that a study's store would get."""
    results = results_from(study)
    found = findings_of(results, compare(results.table, results.grid, results.costs), LEVEL)
    analysis = QUESTIONS[results.question].analysis
    return analysis.verdict(evidence_of(results, found), found.answer)


def results_from(study: MadeUpStudy) -> Results:
    """Returns the results that a study's store would give."""
    record = study.record()
    question_of(record)
    table = make_table(record, tuple(study.rows()), study.search_rows())
    return results_of(question_name(record), table, study.teacher_scores)


def said(verdict: Verdict) -> str:
    """Returns all words of a verdict, after checks that hold for every study."""
    text = " ".join([verdict.badge, verdict.headline, *verdict.sentences])
    for sentence in (verdict.headline, *verdict.sentences):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    for word in ("None", "nan", "inf", "{", "  ", "()", "; ;", "(;"):
        assert word not in text
    return text
