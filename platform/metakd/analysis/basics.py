"""What is to be known before a verdict, above all whether distillation helps here at all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.comparison import Pair, accuracy_verdict, minus_pp
from metakd.analysis.questions import QUESTIONS
from metakd.analysis.reached import Reached
from metakd.analysis.sentences import interval_words
from metakd.analysis.settings import SettingResult
from metakd.analysis.statistics.claims import claim, holm, mean_p_value
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.statistics.strata import mean_interval
from metakd.analysis.table import StudyTable
from metakd.analysis.teachers import member_labels
from metakd.analysis.wording import counted, listed
from metakd.results.teacher_scores import TeacherScore
from metakd.strategies import STRATEGIES, label_of

NO_TEACHER = "ce"
MOST_COMPARED = 2
MOST_NAMED = 3
COLLAPSED = 0.5
"""A strategy is warned of that reaches less than so much of a setting's best accuracy."""


@dataclass(frozen=True)
class DistillationGain:
    """What a strategy with a teacher gains over no teacher, over settings and seeds.

    Attributes:
        strategy: The strategy.
        effect: Its test accuracy at the last epoch minus that without a teacher.
        p_value: Two-sided t test of the effect against 0; None where it has no interval.
        p_holm: The same after Holm's correction over the strategies that are compared so.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
    """

    strategy: str
    effect: Interval
    p_value: float | None
    p_holm: float | None
    claim: str


@dataclass(frozen=True)
class Basics:
    """What a reader has to know first.

    Attributes:
        helps: Whether distillation helps here: "helps", "harms", "changes nothing", "not shown",
            or "unknown" without runs to compare.
        gains: The learner, and what it is compared with, against no teacher.
        sentences: What was studied; whether distillation helps; which temperatures it takes.
        warnings: What looks wrong: a teacher below its student, a strategy that collapsed.
    """

    helps: str
    gains: tuple[DistillationGain, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


HELPS = {
    "helps": "Distillation helps here",
    "harms": "Distillation does harm here",
    "changes nothing": "Distillation makes no difference here",
    "not shown": "No gain from distillation is shown here",
}


def basics_of(
    table: StudyTable,
    reached: Mapping[str, Reached],
    settings: Sequence[SettingResult],
    teachers: Sequence[TeacherScore],
    question: str,
    pair: Pair,
) -> Basics:
    """Returns what is to be known first of a study.

    Args:
        table: The study.
        reached: What its strategies have reached.
        settings: The same by setting.
        teachers: How accurate its teachers are.
        question: Its name in ``QUESTIONS``.
        pair: Whose difference the verdict is about.
    """
    gains = distillation_gains(table, reached, pair)
    helps = _whether(gains, table.margin_pp)
    sentences = (
        _studied(settings, teachers),
        _gain_sentence(helps, gains, table.strategies, question),
        _temperatures(settings, question),
    )
    return Basics(
        helps,
        gains,
        tuple(sentence for sentence in sentences if sentence),
        (*_weak_teachers(settings, teachers, question), *_collapsed(settings, question)),
    )


def distillation_gains(
    table: StudyTable, reached: Mapping[str, Reached], pair: Pair
) -> tuple[DistillationGain, ...]:
    """Returns what the learner and its baseline gain over no teacher, corrected for their number.

    Args:
        table: The study.
        reached: What its strategies have reached.
        pair: Learner and baseline; where the study lacks one, the default temperature stands in.
    """
    if NO_TEACHER not in reached:
        return ()
    wanted = dict.fromkeys((pair.learner, pair.baseline, "fixed", *reached))
    taught = [name for name in wanted if name in reached and _is_taught(name)][:MOST_COMPARED]
    differences = [minus_pp(table, reached, name, NO_TEACHER) for name in taught]
    effects = [mean_interval(values, table.strata) for values in differences]
    p_values = [mean_p_value(values, table.strata) for values in differences]
    return tuple(
        DistillationGain(name, effect, p_value, p_holm, claim(effect.mean_pp, p_holm))
        for name, effect, p_value, p_holm in zip(
            taught, effects, p_values, holm(p_values), strict=True
        )
        if effect.mean_pp is not None
    )


def _is_taught(name: str) -> bool:
    return name in STRATEGIES and STRATEGIES[name].uses_teacher


def _whether(gains: Sequence[DistillationGain], margin_pp: float) -> str:
    """Says whether distillation helps: it does as soon as one of its strategies does."""
    claims = {gain.claim for gain in gains}
    if not gains:
        return "unknown"
    if "ahead" in claims:
        return "helps"
    if all(accuracy_verdict(gain.effect, margin_pp) == "equivalent" for gain in gains):
        return "changes nothing"
    return "harms" if claims == {"behind"} else "not shown"


def _studied(settings: Sequence[SettingResult], teachers: Sequence[TeacherScore]) -> str | None:
    labels = sorted({s.train_samples for s in settings if s.train_samples})
    if not labels:
        return None
    amount = f"{labels[0]:,}" + (f" to {labels[-1]:,}" if labels[1:] else "")
    datasets = list(dict.fromkeys(setting.dataset for setting in settings))
    students = list(dict.fromkeys(setting.student for setting in settings))
    scored = [f"{score.name} ({100 * score.test_acc:.2f} % on test)" for score in teachers]
    taught = f", taught by {_named(scored)}" if scored else ""
    return f"{amount} labelled images of {_named(datasets)} train {_named(students)}{taught}."


def _gain_sentence(
    helps: str, gains: Sequence[DistillationGain], strategies: Sequence[str], question: str
) -> str:
    if helps == "unknown":
        why = (
            "no strategy without a teacher (ce) is among these"
            if NO_TEACHER not in strategies
            else "no pair with a run without a teacher is complete yet"
        )
        return f"Whether distillation helps here at all is not known: {why}."
    found = [
        f"{label_of(gain.strategy, question)} is {interval_words(gain.effect)}" for gain in gains
    ]
    corrected = f", corrected for {counted(len(gains), 'strategy', 'strategies')} (Holm)"
    against = f" against no teacher{corrected if gains[1:] else ''}"
    return f"{HELPS[helps]}: {listed(found)}{against}."


def _temperatures(settings: Sequence[SettingResult], question: str) -> str | None:
    if not QUESTIONS[question].is_about_temperatures:
        return None
    best = Counter(setting.best_tau for setting in settings if setting.best_tau is not None)
    parts = []
    if best:
        tau, count = best.most_common(1)[0]
        others = sorted(other for other in best if other is not None and other != tau)
        elsewhere = (
            f", and {others[0]:g}{f' to {others[-1]:g}' if others[1:] else ''} in the others"
            if others
            else ""
        )
        parts.append(
            f"of the grid, validation prefers τ = {tau:g} in {count} of "
            f"{counted(best.total(), 'setting')}{elsewhere}"
        )
    ends = [
        (setting.learned_tau_s, setting.learned_tau_t)
        for setting in settings
        if setting.learned_tau_s is not None and setting.learned_tau_t is not None
    ]
    if ends:
        tau_s, tau_t = np.median(np.array(ends), axis=0)
        parts.append(f"learned ones end at τ_s {tau_s:.2f} and τ_t {tau_t:.2f} (medians)")
    return f"Temperatures: {'; '.join(parts)}." if parts else None


def _weak_teachers(
    settings: Sequence[SettingResult], teachers: Sequence[TeacherScore], question: str
) -> list[str]:
    """Names the teachers that are less accurate than a student of theirs."""
    found = []
    for score in teachers:
        students = [
            (each.test_pp, each.strategy, setting.key)
            for setting in settings
            if setting.dataset == score.dataset and score.name in member_labels(setting.teacher)
            for each in setting.scores
        ]
        best_pp, strategy, key = max(students, default=(0.0, "", ""))
        if best_pp > 100 * score.test_acc:
            found.append(
                f"the teacher {score.name} has {100 * score.test_acc:.2f} % on test, less than its "
                f"student: {label_of(strategy, question)} reaches {best_pp:.2f} % in {key}"
            )
    return found


def _collapsed(settings: Sequence[SettingResult], question: str) -> list[str]:
    """Names the strategies that fell apart, each with its worst setting."""
    worst: dict[str, tuple[float, str]] = {}
    for setting in settings:
        best = max((each.test_pp for each in setting.scores), default=0.0)
        for each in setting.scores:
            if each.test_pp < COLLAPSED * best:
                words = (
                    f"{label_of(each.strategy, question)} reaches {each.test_pp:.2f} % in "
                    f"{setting.key}, where the best strategy reaches {best:.2f} %"
                )
                worst[each.strategy] = min(
                    worst.get(each.strategy, (each.test_pp, words)), (each.test_pp, words)
                )
    return [words for _, words in worst.values()]


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], f"{more} more"] if more > 0 else list(names))
