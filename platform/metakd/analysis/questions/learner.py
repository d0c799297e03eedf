"""Studies whose learner is no temperature: what the parts of its method do, and the verdict.

The words are chosen by fixed rules from numbers already there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from metakd.analysis.comparison import Baseline, Comparison, main_comparison, minus_pp
from metakd.analysis.places import SINGLE
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.questions.analysis import Analysis
from metakd.analysis.reached import Reached
from metakd.analysis.sentences import (
    BADGES,
    Answer,
    Evidence,
    LearnerWords,
    Verdict,
    cost_badge,
    cost_clause,
    effect_sentence,
    exception_sentence,
    headline_of,
    missing_sentence,
    no_answer,
    scores_sentence,
)
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.strata import mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import at_start, counted, listed, runs_charged, signed_pp
from metakd.strategies import headline_name, label_of

NO_DIFFERENCE = "No difference shown"
WITHOUT_INTERVAL = "Too few runs to tell {learner} from {baseline}"
PARTS = {
    "teacher": "learning teachers",
    "pilots": "pilots",
    "quiz": "held-out quizzes",
    "weights": "learned weights",
    "features": "features",
    "temperatures": "learned temperatures",
}
SHOWN_NAMES = 4
EFFECTS = {"ahead": "help", "behind": "harm"}


@dataclass(frozen=True)
class Part:
    """What one part of a method does, all else alike: with it minus without it.

    Attributes:
        part: Of several teachers "weights", "features" or "temperatures"; of a teacher that learns
            "teacher", "temperatures", "pilots" or "quiz".
        having: The strategy that has it.
        lacking: The one that lacks it and is else the same.
        company: What both have beside it, in words: "at equal weights".
        effect: The difference over settings and seeds.
        p_value: Two-sided t test of the effect against 0; None where it has no interval.
        p_holm: The same after Holm's correction over all parts.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
    """

    part: str
    having: str
    lacking: str
    company: str
    effect: Interval
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"


@dataclass(frozen=True)
class LearnerAnswer(Answer):
    """What the learner reaches, and what the parts of its method do.

    Attributes:
        test_pp: The learner's mean test accuracy at the last epoch, over settings of the mean
            over seeds; None without a result.
        parts: What each part of its method does, as far as the study's strategies show it.
        parts_tested: Over how many of them they are corrected (Holm).
    """

    test_pp: float | None
    parts: tuple[Part, ...]
    parts_tested: int


class LearnerAnalysis(Analysis):
    """A question whose learner is not a temperature: against what one does without it."""

    nothing_learned: ClassVar[str]
    nothing_to_compare: ClassVar[str]

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words what the learner does against its main baseline."""
        assert isinstance(answer, LearnerAnswer)
        main = main_comparison(evidence.baselines, evidence.pair.baseline)
        if main is None or main.effect.mean_pp is None:
            return self._no_answer(evidence)
        question, name = evidence.question, evidence.pair.learner
        learner, baseline = label_of(name, question), label_of(main.baseline, question)
        badge, in_headline = BADGES[main.accuracy_verdict], headline_name(name, question)
        headline = headline_of(
            main.accuracy_verdict, in_headline, baseline, evidence.margin_pp, hope="beats"
        )
        if main.effect.low_pp is None:
            headline = WITHOUT_INTERVAL.format(learner=in_headline, baseline=baseline)
        elif main.accuracy_verdict == "undecided":
            badge = NO_DIFFERENCE
        if len(evidence.settings) == 1:
            headline += " in the one setting studied"
        words = LearnerWords(learner, learner)
        sentences = [
            effect_sentence(main, baseline, f"{evidence.margin_pp:.2f} points", words),
            _cost_sentence(evidence, question),
            _others_sentence(evidence.baselines, question, main, learner),
            _parts_sentence(answer.parts),
            *self.further_sentences(answer, name),
            exception_sentence(evidence.settings, main, words),
            missing_sentence(evidence.inventory, main.missing_pairs),
        ]
        return Verdict(
            badge=badge + cost_badge(main.cost_verdict, main.cost_factor),
            headline=headline + cost_clause(main.cost_verdict, main.cost_factor) + ".",
            sentences=tuple(sentence for sentence in sentences if sentence),
        )

    def further_sentences(self, answer: LearnerAnswer, learner: str) -> Sequence[str | None]:
        """Returns what else there is to say of a learner, beside its parts."""
        return ()

    def _no_answer(self, evidence: Evidence) -> Verdict:
        question, strategies = evidence.question, set(evidence.strategies)
        learners = set(QUESTIONS[question].learners)
        if not strategies & learners:
            badge, headline = "Nothing learned", self.nothing_learned
        elif not strategies - learners:
            badge, headline = "Nothing to compare", self.nothing_to_compare
        else:
            badge = "No complete pair"
            headline = (
                f"No pair of {label_of(evidence.pair.learner, question)} and "
                f"{label_of(evidence.pair.baseline, question)} is complete yet."
            )
        scores = scores_sentence(evidence.strategies, evidence.settings, question)
        return no_answer(evidence, badge, headline, scores)


def _cost_sentence(evidence: Evidence, question: str) -> str | None:
    shown = dict.fromkeys([evidence.pair.learner, SINGLE, evidence.pair.baseline])
    costs = [
        f"{label_of(name, question)} {runs_charged(evidence.runs[name])}"
        for name in shown
        if name in evidence.runs
    ]
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    return f"Cost in plain runs{charged}: {', '.join(costs)}." if costs else None


def _others_sentence(
    baselines: Sequence[Baseline], question: str, main: Comparison, learner: str
) -> str | None:
    """Says which other strategies are clearly behind or ahead, and of which nothing is shown."""
    judged = [baseline for baseline in baselines if baseline.p_holm is not None]
    others = [baseline for baseline in judged if baseline.strategy != main.baseline]
    if not others:
        return None
    words = {"ahead": "ahead of", "behind": "behind"}
    found = [
        f"{word} {_few(names, question)}"
        for claim, word in words.items()
        if (names := [baseline for baseline in others if baseline.claim == claim])
    ]
    open_ = [baseline for baseline in others if baseline.claim == "no clear gap"]
    corrected = f"corrected for looking at {counted(len(judged), 'strategy', 'strategies')} (Holm)"
    if not found:
        return f"No difference is shown from {_few(open_, question)}, {corrected}."
    rest = f"; no difference is shown from {_few(open_, question)}" if open_ else ""
    return f"{at_start(learner)} is clearly {listed(found)}, {corrected}{rest}."


def _few(baselines: Sequence[Baseline], question: str) -> str:
    """Returns the first few with their differences, and how many more there are."""
    names = [label_of(baseline.strategy, question) for baseline in baselines]
    effects = [signed_pp(baseline.overall.effect.mean_pp or 0.0) for baseline in baselines]
    shown = [f"{name} ({effect})" for name, effect in zip(names, effects, strict=True)]
    more = len(shown) - SHOWN_NAMES
    return listed(shown if more < 2 else [*shown[:SHOWN_NAMES], f"{more} more"])


def _parts_sentence(parts: Sequence[Part]) -> str | None:
    """Says which parts of the method are shown to help or to harm, each in its company."""
    judged = [part for part in parts if part.p_holm is not None]
    if not judged:
        return None
    found = []
    for name, words in PARTS.items():
        here = [part for part in judged if part.part == name]
        for effect, verb in EFFECTS.items():
            shown = [_effect(part) for part in here if part.claim == effect]
            found += [f"{words} {verb} ({listed(shown)})"] if shown else []
        if here and all(part.claim == "no clear gap" for part in here):
            found.append(
                f"{words} are not shown to do anything ({listed([_effect(p) for p in here])})"
            )
    corrected = f", corrected for {len(judged)} differences (Holm)" if judged[1:] else ""
    return f"By parts, all else alike: {'; '.join(found)}{corrected}."


def _effect(part: Part) -> str:
    return f"{signed_pp(part.effect.mean_pp or 0.0)} {part.company}"


def parts(
    table: StudyTable, reached: Mapping[str, Reached], pairs: Sequence[tuple[str, str, str, str]]
) -> tuple[Part, ...]:
    """Returns what each part does, corrected for their number (Holm).

    Args:
        table: The study.
        reached: What its strategies have reached.
        pairs: A part, the strategy that has it, the one that lacks it and is else the same, and
            what both have beside it; those of strategies that the study lacks are passed over.
    """
    there = [part for part in pairs if part[1] in reached and part[2] in reached]
    differences = [minus_pp(table, reached, having, lacking) for _, having, lacking, _ in there]
    p_values = [mean_p_value(values, table.strata) for values in differences]
    effects = [mean_interval(values, table.strata) for values in differences]
    return tuple(
        Part(*part, effect, p_value, p_holm, claim(effect.mean_pp, p_holm))
        for part, effect, p_value, p_holm in zip(
            there, effects, p_values, holm(p_values), strict=True
        )
    )
