"""A question as a user would add it: does distillation at the default temperature help at all?

It is one slice: an entry for the registry with its analysis, and what its report opens with.
"""

from metakd.analysis.comparison import main_comparison
from metakd.analysis.questions import Question
from metakd.analysis.questions.analysis import Analysis
from metakd.analysis.sentences import (
    BADGES,
    Answer,
    Evidence,
    Verdict,
    effect_sentence,
    headline_of,
    missing_sentence,
    no_answer,
)
from metakd.analysis.summary import Summary
from metakd.dashboards.questions import Page
from metakd.dashboards.questions.elements import Opening, headline_comparison
from metakd.dashboards.questions.learner import baselines_plot, key_figures
from metakd.dashboards.theme import badge_tone
from metakd.strategies import label_of

NAME = "distilled_or_not"


class DistilledOrNot(Analysis):
    """The student of a teacher against the student without one."""

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words what the teacher does for its student."""
        main = main_comparison(evidence.baselines, evidence.pair.baseline)
        if main is None or main.effect.mean_pp is None:
            return no_answer(evidence, "No complete pair", "No student has its twin yet.")
        learner, baseline = map(label_of, (evidence.pair.learner, evidence.pair.baseline))
        headline = headline_of(main.accuracy_verdict, learner, baseline, evidence.margin_pp)
        sentences = [
            effect_sentence(main, baseline, f"{evidence.margin_pp:.2f} points"),
            missing_sentence(evidence.inventory),
        ]
        return Verdict(
            BADGES[main.accuracy_verdict], f"{headline}.", tuple(filter(None, sentences))
        )


def opening(summary: Summary) -> Opening:
    """Returns how far ahead the student of a teacher is."""
    return Opening(
        tone=badge_tone(headline_comparison(summary)),
        drawing=baselines_plot(summary),
        keys=key_figures(summary),
    )


ANALYSIS = DistilledOrNot()
QUESTION = Question(
    "does a teacher help at all?",
    f"{__name__}:ANALYSIS",
    learners=("fixed",),
    baselines=("ce",),
)
PAGE = Page(opening, figures=("differences",))
