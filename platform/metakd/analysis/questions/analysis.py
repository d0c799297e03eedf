"""What every question's analysis is: numbers from a study's results, and words from its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from metakd.analysis.comparison import Baseline, Comparison, Pair, compare_baselines, minus_pp
from metakd.analysis.costs import Costs, costs_of
from metakd.analysis.deciding import Primary, PrimaryComparison
from metakd.analysis.grid import Grid, choose
from metakd.analysis.questions import QUESTIONS, Question
from metakd.analysis.reached import Reached, reached_by_strategy
from metakd.analysis.sentences import Answer, Evidence, Verdict
from metakd.analysis.table import StudyTable
from metakd.results.study import StoreError, StudyRecord
from metakd.results.teacher_scores import TeacherScore
from metakd.strategies import label_of


@dataclass(frozen=True)
class Results:
    """A study's results, as analyses take them.

    Attributes:
        question: Its name in ``QUESTIONS``.
        table: Its trials.
        grid: Its grid; None without one.
        reached: What each strategy reached.
        pair: Whose differences those of settings and baselines are.
        teachers: How accurate its teachers are.
        costs: What its strategies cost.
    """

    question: str
    table: StudyTable
    grid: Grid | None
    reached: Mapping[str, Reached]
    pair: Pair
    teachers: Sequence[TeacherScore]
    costs: Costs

    def first_seeds(self, counts: Sequence[int]) -> "Results":
        """Returns the results of the first seeds of each setting, for the same pair and costs.

        Args:
            counts: How many seeds of each setting, in the order of the settings.
        """
        fewer = results_of(self.question, self.table.first_seeds(counts), self.teachers)
        return replace(fewer, pair=self.pair, costs=self.costs)


@dataclass(frozen=True)
class Findings:
    """What a headline is worded from.

    Attributes:
        comparisons: As in ``summary.Summary``.
        baselines: Likewise.
        answer: The question's own numbers.
    """

    comparisons: tuple[Comparison, ...]
    baselines: tuple[Baseline, ...]
    answer: Answer | None


class Analysis:
    """How a question is answered: by its learner minus its baseline, where nothing else is said.

    Attributes:
        answer_type: Of the question's own numbers; None where comparisons are all.
    """

    answer_type: ClassVar[type[Answer] | None] = None

    def primary(self, results: Results) -> Primary:
        """Returns the differences that the headline is about."""
        return difference(results, results.pair)

    def answer(self, results: Results, level: float) -> Answer | None:
        """Returns the question's own numbers; None where it has none, or too few runs are there.

        Args:
            results: The study's results.
            level: How often intervals that the headline rests on cover.
        """
        return None

    def at_look(self, findings: Findings, pair: Pair, primary: PrimaryComparison) -> Findings:
        """Returns findings in which the primary comparison is that of the last declared look.

        Args:
            findings: By the trials that the look saw.
            pair: Whose differences they are.
            primary: The primary comparison.
        """
        here, verdict = primary.here, primary.verdict
        comparisons, baselines = list(findings.comparisons), list(findings.baselines)
        main = next((i for i, c in enumerate(comparisons) if c.accuracy_verdict != "no data"), None)
        if main is not None:
            comparisons[main] = replace(comparisons[main], effect=here, accuracy_verdict=verdict)
        for index, each in enumerate(baselines):
            if each.strategy == pair.baseline:
                overall = replace(each.overall, effect=here, accuracy_verdict=verdict)
                baselines[index] = replace(each, overall=overall)
        return replace(findings, comparisons=tuple(comparisons), baselines=tuple(baselines))

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words what the study found.

        Args:
            evidence: Its comparisons, settings and trials.
            answer: The question's own numbers.
        """
        raise NotImplementedError


def difference(results: Results, pair: Pair) -> Primary:
    """Returns learner minus baseline as a primary comparison."""
    names = [label_of(name, results.question) for name in (pair.learner, pair.baseline)]
    differences = minus_pp(results.table, results.reached, pair.learner, pair.baseline)
    return Primary(" − ".join(names), differences, results.table.strata)


def question_of(record: StudyRecord) -> Question:
    """Returns the question of a study.

    Raises:
        StoreError: If it is none of ``QUESTIONS``.
    """
    name = question_name(record)
    if name not in QUESTIONS:
        raise StoreError(
            f"study {record.study!r} is about {name!r}, which this version of metakd does not "
            f"answer: it knows {', '.join(QUESTIONS)}"
        )
    return QUESTIONS[name]


def question_name(record: StudyRecord) -> str:
    """Returns the name of a study's question; "grid_vs_meta" in stores of before."""
    return str(record.spec.get("question", "grid_vs_meta"))


def results_of(question: str, table: StudyTable, teachers: Sequence[TeacherScore]) -> Results:
    """Returns a study's results.

    Args:
        question: The name of its question.
        table: Its trials.
        teachers: How accurate its teachers are.
    """
    grid = choose(table)
    reached = reached_by_strategy(table, grid)
    pair = pair_of(QUESTIONS[question], table.strategies, reached)
    return Results(question, table, grid, reached, pair, teachers, costs_of(table))


def pair_of(question: Question, strategies: Sequence[str], reached: Mapping[str, Reached]) -> Pair:
    """Returns which strategies are compared in everything that is said by setting.

    Args:
        question: The study's.
        strategies: Its strategies.
        reached: What these have reached.
    """
    learner = next((name for name in question.learners if name in strategies), question.learners[0])
    baselines = [name for name in question.baselines if name in strategies]
    learned = reached.get(learner)
    paired = [
        name
        for name in baselines
        if learned is not None and np.isfinite(learned.test_last - reached[name].test_last).any()
    ]
    return Pair(learner, next(iter([*paired, *baselines]), question.baselines[0]))


def findings_of(results: Results, comparisons: Sequence[Comparison], level: float) -> Findings:
    """Returns what a headline is worded from, by all trials."""
    return Findings(
        comparisons=tuple(comparisons),
        baselines=compare_baselines(
            results.table, results.grid, results.costs, results.pair.learner
        ),
        answer=QUESTIONS[results.question].analysis.answer(results, level),
    )
