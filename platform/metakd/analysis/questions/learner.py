"""Studies with a learner of their own: what the parts of its method do, and the answer in words.

The words are chosen by fixed rules from numbers already there.
"""

from collections.abc import Mapping, Sequence

from metakd.analysis.comparison import minus_pp
from metakd.analysis.learner_answers import LearnerAnswer, Part, Teaching
from metakd.analysis.pair import CONTENDERS, LEARNING_TO_TEACH, MULTI_TEACHER, SINGLE
from metakd.analysis.reached import Reached
from metakd.analysis.sentences import (
    BADGES,
    Evidence,
    LearnerWords,
    cost_badge,
    cost_clause,
    effect_sentence,
    exception_sentence,
    missing_sentence,
    progress,
    scores_sentence,
)
from metakd.analysis.statistics.claims import claim, holm, looks, mean_p_value
from metakd.analysis.strata import mean_interval
from metakd.analysis.summary import Baseline, Comparison, Verdict
from metakd.analysis.table import StudyTable
from metakd.analysis.wording import at_start, counted, listed, signed_pp, times
from metakd.strategies import label_of

NO_DIFFERENCE = "No difference shown"
HEADLINES = {
    "better": "{learner} beats {baseline} by more than {margin}",
    "slightly better": "{learner} is ahead of {baseline}, maybe by less than {margin}",
    "equivalent": "{learner} equals {baseline} within ±{margin}",
    "not worse": "{learner} is not worse than {baseline} by more than {margin}, and not shown to be "
    "better",
    "undecided": "These runs leave open whether {learner} beats {baseline}",
    "slightly worse": "{learner} is behind {baseline}, maybe by less than {margin}",
    "worse": "{learner} loses to {baseline} by more than {margin}",
}
# Who has a longer name there.
IN_HEADLINE = {"metadistil": "a teacher that learns to teach"}
WITHOUT_INTERVAL = "Too few runs to tell {learner} from {baseline}"
# By question: nothing learned, nothing to compare it with.
NO_ANSWERS = {
    MULTI_TEACHER: (
        "This study learned nothing of its teachers, so it compares nothing learned.",
        "This study ran nothing to compare learned weights of teachers with.",
    ),
    LEARNING_TO_TEACH: (
        "This study ran no teacher that learns to teach, so it compares none.",
        "This study ran nothing to compare a teacher that learns to teach with.",
    ),
}
PARTS = {
    "teacher": "learning teachers",
    "pilots": "pilots",
    "quiz": "held-out quizzes",
    "weights": "learned weights",
    "features": "features",
    "temperatures": "learned temperatures",
}
# In which company a part was looked at, by the strategy that lacks it.
COMPANY = {
    ("weights", "mean_features"): "with features",
    ("weights", "mean_losses"): "without features",
    ("features", "mmkd-logits"): "at learned weights",
    ("features", "mean_losses"): "at equal weights",
    ("temperatures", "mean_losses"): "at equal weights",
    ("temperatures", "mmkd"): "at learned weights",
    ("teacher", "fixed"): "at fixed temperatures",
    ("teacher", "meta"): "at learned temperatures",
    ("temperatures", "fixed"): "with a fixed teacher",
    ("temperatures", "metadistil"): "with a learning teacher",
    ("pilots", "metadistil-no-pilot"): "over the student’s real steps",
    ("quiz", "metadistil-own-quiz"): "over quizzes on the training batch",
}
SHOWN_NAMES = 4
EFFECTS = {"ahead": "help", "behind": "harm"}
CHANGES = {"gains": "rises", "loses": "falls"}


def learner_verdict(evidence: Evidence, question: str, answer: LearnerAnswer) -> Verdict:
    """Words what the learner does against what one does without.

    Args:
        evidence: The study.
        question: What it asks, one of ``CONTENDERS``.
        answer: What it answers beside its comparisons.
    """
    main = main_comparison(evidence.baselines, evidence.pair.baseline)
    if main is None or main.effect.mean_pp is None:
        return _no_answer(evidence, question)
    name = evidence.pair.learner
    learner, baseline = label_of(name, question), label_of(main.baseline, question)
    margin = f"{evidence.margin_pp:.2f} points"
    headline, badge = HEADLINES[main.accuracy_verdict], BADGES[main.accuracy_verdict]
    if main.effect.low_pp is None:
        headline = WITHOUT_INTERVAL
    elif main.accuracy_verdict == "undecided":
        badge = NO_DIFFERENCE
    in_headline = IN_HEADLINE.get(name, learner)
    headline = at_start(headline.format(learner=in_headline, baseline=baseline, margin=margin))
    if len(evidence.settings) == 1:
        headline += " in the one setting studied"
    words = LearnerWords(learner, learner)
    sentences = [
        effect_sentence(main, baseline, margin, words),
        _cost_sentence(evidence, question, answer, main),
        _others_sentence(evidence.baselines, question, main, learner),
        _parts_sentence(answer.parts),
        _teacher_sentence(answer, name),
        exception_sentence(evidence.settings, main, words),
        missing_sentence(evidence.inventory, main.missing_pairs),
    ]
    return Verdict(
        badge=badge + cost_badge(main.cost_verdict, main.cost_factor),
        headline=headline + cost_clause(main.cost_verdict, main.cost_factor) + ".",
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def main_comparison(baselines: Sequence[Baseline], baseline: str) -> Comparison | None:
    """Returns the comparison with a baseline; None where the study lacks it."""
    return next((each.overall for each in baselines if each.strategy == baseline), None)


def _cost_sentence(
    evidence: Evidence, question: str, answer: LearnerAnswer, main: Comparison
) -> str | None:
    ratios = {
        "the student steps": main.cost_ratio_steps,
        "the measured seconds": main.cost_ratio_seconds,
    }
    known = [f"{times(1 / ratio)} {what}" for what, ratio in ratios.items() if ratio]
    charged = ", failed runs charged" if evidence.inventory.failed else ""
    takes = (
        f"takes {listed(known)} of {label_of(main.baseline, question)}{charged}" if known else ""
    )
    learner = label_of(evidence.pair.learner, question)
    runs = {learner: answer.runs_charged}
    runs |= {
        label_of(baseline.strategy, question): baseline.runs_charged
        for baseline in evidence.baselines
        if baseline.strategy in (SINGLE, main.baseline)
    }
    counted_runs = [f"{name} {cost:.2g}" for name, cost in runs.items() if cost is not None]
    in_runs = f"in plain runs: {', '.join(counted_runs)}" if counted_runs else ""
    if not takes:
        return f"{at_start(in_runs)}." if in_runs else None
    return f"{at_start(learner)} {'; '.join(filter(None, [takes, in_runs]))}."


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
    told = [f"{name} ({effect})" for name, effect in zip(names, effects, strict=True)]
    more = len(told) - SHOWN_NAMES
    return listed(told if more < 2 else [*told[:SHOWN_NAMES], f"{more} more"])


def _parts_sentence(parts: Sequence[Part]) -> str | None:
    """Says which parts of the method are shown to help or to harm, each in its company."""
    judged = [part for part in parts if part.p_holm is not None]
    if not judged:
        return None
    told = []
    for name, words in PARTS.items():
        here = [part for part in judged if part.part == name]
        for effect, verb in EFFECTS.items():
            shown = [_effect(part) for part in here if part.claim == effect]
            told += [f"{words} {verb} ({listed(shown)})"] if shown else []
        if here and all(part.claim == "no clear gap" for part in here):
            told.append(
                f"{words} are not shown to do anything ({listed([_effect(p) for p in here])})"
            )
    corrected = f", corrected for {len(judged)} differences (Holm)" if judged[1:] else ""
    return f"By parts, all else alike: {'; '.join(told)}{corrected}."


def _effect(part: Part) -> str:
    return f"{signed_pp(part.effect.mean_pp or 0.0)} {COMPANY[part.part, part.lacking]}"


def _teacher_sentence(answer: LearnerAnswer, learner: str) -> str | None:
    """Says what became of a teacher that learned to teach, of its own accuracy."""
    teachers = answer.teachers if isinstance(answer, Teaching) else ()
    found = next((each for each in teachers if each.strategy == learner), None)
    if found is None or found.test.mean_pp is None:
        return None
    after, change = found.test.mean_pp, found.change
    if change.mean_pp is None or change.pairs != found.test.pairs:
        return f"At the end the teacher itself reaches {after:.2f} % on test."
    interval, corrected = change.method, ""
    if change.low_pp is not None and change.high_pp is not None:
        interval = f"95 % interval {signed_pp(change.low_pp)} to {signed_pp(change.high_pp)}"
        tested = looks(each.p_holm for each in teachers)
        if tested > 1:
            corrected = f", corrected for {tested} strategies (Holm)"
    told = f"{signed_pp(change.mean_pp)} points ({interval}){corrected}"
    before, own = after - change.mean_pp, "The teacher’s own test accuracy"
    if found.changed in CHANGES:
        return f"{own} {CHANGES[found.changed]} from {before:.2f} % to {after:.2f} %: {told}."
    return f"{own} is not shown to change: {before:.2f} % before, {after:.2f} % after: {told}."


def _no_answer(evidence: Evidence, question: str) -> Verdict:
    strategies, learners = set(evidence.strategies), set(CONTENDERS[question].learners)
    nothing_learned, nothing_else = NO_ANSWERS[question]
    if not strategies & learners:
        badge, headline = "Nothing learned", nothing_learned
    elif not strategies - learners:
        badge, headline = "Nothing to compare", nothing_else
    else:
        badge = "No complete pair"
        headline = (
            f"No pair of {label_of(evidence.pair.learner, question)} and "
            f"{label_of(evidence.pair.baseline, question)} is complete yet."
        )
    sentences = [
        scores_sentence(evidence.strategies, evidence.settings, question),
        f"{progress(evidence.inventory)}.",
    ]
    return Verdict(badge, headline, tuple(sentence for sentence in sentences if sentence))


def parts(
    table: StudyTable, reached: Mapping[str, Reached], asked: Sequence[tuple[str, str, str]]
) -> tuple[Part, ...]:
    """Returns what each part does, corrected for their number (Holm).

    Args:
        table: The study.
        reached: What its strategies have reached.
        asked: A part, the strategy that has it, and the one that lacks it and is else the same;
            those of strategies that the study does not ask for are passed over.
    """
    there = [part for part in asked if part[1] in reached and part[2] in reached]
    differences = [minus_pp(table, reached, having, lacking) for _, having, lacking in there]
    p_values = [mean_p_value(values, table.strata) for values in differences]
    effects = [mean_interval(values, table.strata) for values in differences]
    return tuple(
        Part(*part, effect, p_value, p_holm, claim(effect.mean_pp, p_holm))
        for part, effect, p_value, p_holm in zip(
            there, effects, p_values, holm(p_values), strict=True
        )
    )
