"""Whether better teachers, or stronger augmentations, make worse students: the answer in words.

The words are chosen by fixed rules from the numbers of ``gap_numbers``.
"""

from dataclasses import replace

import numpy as np

from metakd.analysis.along import Level, along
from metakd.analysis.comparison import Pair
from metakd.analysis.deciding import Primary, PrimaryComparison
from metakd.analysis.questions.analysis import Analysis, Findings, Results
from metakd.analysis.questions.gap_numbers import (
    LevelGap,
    LevelGaps,
    StrategyGap,
    gap_at_look,
    level_gaps,
)
from metakd.analysis.sentences import (
    Answer,
    Evidence,
    Verdict,
    comparisons_sentence,
    interval_words,
    missing_sentence,
    no_answer,
)
from metakd.analysis.wording import at_start, counted, listed, p_words, signed_pp
from metakd.strategies import label_of

# Whose mending the headline is about: the first of these that the study ran.
LEARNERS = ("meta", "grid")
BADGES = {
    "there": "The gap is there",
    "not shown": "No gap shown",
    "none": "No gap",
    "the reverse": "The reverse",
}
MENDED_BADGES = {
    "mended": ", mended",
    "reduced": ", reduced",
    "not shown to be reduced": ", not shown to be reduced",
    "enlarged": ", enlarged",
}
# By factor, measure and verdict.
HEADLINES = {
    ("teacher", "accuracy", "there"): "{Last} makes a worse student than {chosen} does",
    ("teacher", "accuracy", "not shown"): "No other teacher is shown to make a better student than "
    "{last} does",
    ("teacher", "accuracy", "none"): "{Last} makes as good a student as {chosen} does, within "
    "±{margin}",
    ("teacher", "accuracy", "the reverse"): "{Last} makes the best student",
    ("augmentation", "gain", "there"): "Distillation gains less under {last} than under {chosen}",
    ("augmentation", "gain", "not shown"): "Distillation is not shown to gain less under {last} "
    "than under other augmentations",
    ("augmentation", "gain", "none"): "Distillation gains as much under {last} as under {chosen}, "
    "within ±{margin}",
    ("augmentation", "gain", "the reverse"): "Distillation gains most under {last}",
    ("augmentation", "accuracy", "there"): "Distilled students are worse under {last} than under "
    "{chosen}",
    ("augmentation", "accuracy", "not shown"): "Distilled students are not shown to be worse under "
    "{last} than under other augmentations",
    ("augmentation", "accuracy", "none"): "Distilled students are as good under {last} as under "
    "{chosen}, within ±{margin}",
    ("augmentation", "accuracy", "the reverse"): "Distilled students are best under {last}",
}
MENDING = {
    "mended": "; {learner} mends it",
    "reduced": "; {learner} reduces it",
    "not shown to be reduced": "; {learner} is not shown to reduce it",
    "enlarged": "; {learner} enlarges it",
}
COMPARED = {
    ("teacher", "accuracy"): "the student of {chosen} minus that of {last}",
    ("augmentation", "gain"): "the gain over no teacher under {chosen} minus that under {last}",
    ("augmentation", "accuracy"): "accuracy under {chosen} minus that under {last}",
}
AT_LAST = {
    "gain": "still a gain",
    "harm": "a harm",
    "open": "neither gain nor harm is shown",
}


class Gap(Analysis):
    """The drop at the default temperature from the best level to the last, and what mends it.

    Args:
        factor: "teacher" or "augmentation".
    """

    answer_type = LevelGaps

    def __init__(self, factor: str) -> None:
        self._factor = factor

    def primary(self, results: Results) -> Primary:
        """Returns the drop of each combination of what is held."""
        table, gaps = results.table, level_gaps(results, self._factor)
        best = f"the best {self._factor} before the last"
        label = f"at the default temperature, {best} − the last"
        if gaps is None:
            return Primary(label, np.full((1, table.shape[1]), np.nan), None)
        cells = [
            [np.nan if value is None else value for value in row]
            for row in gaps.main.strategies[0].cells_pp
        ]
        strata = along(table, self._factor).strata(table)
        return Primary(label, np.array(cells, dtype=float), strata, len(gaps.main.levels) - 1)

    def answer(self, results: Results, level: float) -> LevelGaps | None:
        """Returns what becomes of students along the factor."""
        return level_gaps(results, self._factor)

    def at_look(self, findings: Findings, pair: Pair, primary: PrimaryComparison) -> Findings:
        """Returns findings whose drop is that of the last declared look."""
        if not isinstance(findings.answer, LevelGaps):
            return findings
        gaps = [gap_at_look(gap, primary) for gap in findings.answer.by_measure]
        return replace(findings, answer=LevelGaps(tuple(gaps)))

    def verdict(self, evidence: Evidence, answer: Answer | None) -> Verdict:
        """Words what the study found along the factor."""
        gaps = answer if isinstance(answer, LevelGaps) else None
        return gap_verdict(evidence, self._factor, None if gaps is None else gaps.main)


def gap_verdict(evidence: Evidence, factor: str, gap: LevelGap | None) -> Verdict:
    """Words what a study found along a factor.

    Args:
        evidence: The study.
        factor: "teacher" or "augmentation".
        gap: Its numbers; None where there are none.
    """
    if gap is None:
        return _no_answer(evidence, factor)
    reference, learner = gap.strategies[0], compared_learner(gap)
    held_there = reference.held_verdicts.count("there")
    in_parts = held_there > 0 and reference.verdict == "not shown"
    words = HEADLINES[gap.factor, gap.measure, "there" if in_parts else reference.verdict]
    last = last_in_words(gap)
    margin = f"{evidence.margin_pp:.2f} points"
    headline = words.format(Last=at_start(last), last=last, chosen=gap.chosen, margin=margin)
    mended = "" if learner is None else learner.mended or ""
    if reference.verdict == "there":
        if (reference.drop.low_pp or 0.0) <= evidence.margin_pp:
            headline += f", maybe by less than {evidence.margin_pp:.2f} points,"
        headline += f" at the default τ = {evidence.fixed_tau:g}"
        if learner is not None and mended in MENDING:
            headline += MENDING[mended].format(learner=label_of(learner.strategy))
    where = f"in {held_there} of {len(gap.held)} combinations"
    if in_parts:
        headline += f" {where} taken by themselves; over all it is open"
    sentences = [
        _drop_sentence(evidence, gap, reference),
        _held_sentence(gap, reference),
        _at_last_sentence(gap, reference, learner),
        None if learner is None else _mending_sentence(gap, learner),
        _others_sentence(gap, learner),
        _trend_sentence(gap, reference, learner),
        _order_sentence(gap),
        comparisons_sentence(evidence.comparisons),
        missing_sentence(evidence.inventory),
    ]
    return Verdict(
        badge=f"There {where}"
        if in_parts
        else BADGES[reference.verdict] + MENDED_BADGES.get(mended, ""),
        headline=headline + ".",
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def compared_learner(gap: LevelGap) -> StrategyGap | None:
    """Returns the strategy whose mending the headline is about: learning, or else the grid."""
    by_name = {each.strategy: each for each in gap.strategies}
    return next((by_name[name] for name in LEARNERS if name in by_name), None)


def last_in_words(gap: LevelGap) -> str:
    """Returns "the most accurate teacher (resnet56)", or "strong"."""
    name = gap.levels[-1].name
    if gap.factor != "teacher":
        return name
    kind = "the most accurate" if gap.order == "teacher accuracy" else "the last"
    return f"{kind} teacher ({name})"


def _drop_sentence(evidence: Evidence, gap: LevelGap, reference: StrategyGap) -> str:
    compared = COMPARED[gap.factor, gap.measure]
    others = len(gap.levels) - 1
    corrected = f"corrected for choosing {gap.chosen} of {others} on validation"
    drop = interval_words(
        reference.drop,
        "" if reference.drop_p is None else p_words(reference.drop_p),
        corrected if others > 1 and reference.drop_p is not None else "",
        reference.drop.method.removeprefix("no interval: "),
    )
    return (
        f"On test at τ = {evidence.fixed_tau:g}, "
        f"{compared.format(chosen=gap.chosen, last=gap.levels[-1].name)} is {drop}."
    )


def _held_sentence(gap: LevelGap, reference: StrategyGap) -> str | None:
    known = [
        (held, drop, verdict)
        for held, drop, verdict in zip(
            gap.held, reference.by_held, reference.held_verdicts, strict=True
        )
        if drop.mean_pp is not None
    ]
    if len(known) < 2:
        return None
    shown = [each for each in known if each[2] != "not shown"]
    if not shown:
        return f"Taken by itself, none of {len(known)} combinations shows it (Holm)."
    largest = sorted(shown, key=lambda each: -abs(each[1].mean_pp or 0.0))[:3]
    parts = [f"{signed_pp(d.mean_pp or 0.0)} at {held} ({verdict})" for held, d, verdict in largest]
    return (
        f"Taken by themselves, {len(shown)} of {len(known)} combinations show it (Holm): "
        f"{'the clearest ' if shown[3:] else ''}{listed(parts)}."
    )


def _at_last_sentence(
    gap: LevelGap, reference: StrategyGap, learner: StrategyGap | None
) -> str | None:
    if gap.measure != "gain":
        return None
    parts = [
        f"{interval_words(each.by_level[-1])} {name}: {AT_LAST[each.at_last or 'open']}"
        for each, name in ((reference, "at the default τ"), (learner, "where τ is chosen"))
        if each is not None
    ]
    return f"Against no teacher, under {gap.levels[-1].name}, distillation has {'; '.join(parts)}."


def _mending_sentence(gap: LevelGap, learner: StrategyGap) -> str | None:
    if learner.mending is None or learner.mending.mean_pp is None:
        return None
    name = label_of(learner.strategy)
    own = (
        f"; from its own best before the last, {learner.own_level}, "
        f"{interval_words(learner.own_drop)}"
        if learner.own_drop is not None and learner.own_level != gap.chosen
        else ""
    )
    p = "" if learner.mending_p is None else p_words(learner.mending_p)
    word = "" if learner.mended == "nothing to mend" else f": {learner.mended}"
    return (
        f"With {name} this difference is {interval_words(learner.drop)}{own}. "
        f"The default's minus this is {interval_words(learner.mending, p)}{word}."
    )


def _others_sentence(gap: LevelGap, learner: StrategyGap | None) -> str | None:
    others = [each for each in gap.strategies[1:] if each is not learner and each.drop.pairs]
    if not others:
        return None
    parts = [
        f"{signed_pp(each.drop.mean_pp or 0.0)} for {label_of(each.strategy)} ({_words(each)})"
        for each in others
    ]
    corrected = f", corrected for looking at {len(others)} (Holm)" if others[1:] else ""
    return f"With the other strategies the difference is {listed(parts)}{corrected}."


def _words(gap: StrategyGap) -> str:
    words = [gap.verdict, gap.mended or ""]
    return "; ".join(word for word in words if word not in ("", "nothing to mend"))


def _trend_sentence(
    gap: LevelGap, reference: StrategyGap, learner: StrategyGap | None
) -> str | None:
    parts = [
        f"{interval_words(each.trend)} {name}"
        for each, name in ((reference, "at the default τ"), (learner, "where τ is chosen"))
        if each is not None and each.trend.mean_pp is not None
    ]
    if not parts or len(gap.levels) < 3:
        return None
    what = "the gain" if gap.measure == "gain" else "accuracy"
    return (
        f"By step along the {counted(len(gap.levels), gap.factor)} {what} changes by "
        f"{listed(parts)}."
    )


def _order_sentence(gap: LevelGap) -> str:
    if gap.factor != "teacher":
        return (
            "Augmentations are in the study's order, taken as rising strength: "
            f"{listed([level.name for level in gap.levels])}."
            + (
                ""
                if gap.measure == "gain"
                else " Without runs without a teacher it is open whether distillation or the "
                "augmentation itself costs this."
            )
        )
    if gap.order == "study":
        return (
            "Teachers are in the study's order, as their own accuracies are not known: "
            f"{listed([level.name for level in gap.levels])}. Each was trained once, so this is "
            "about these very teachers."
        )
    return (
        "Teachers are in the order of their own validation accuracy: "
        f"{listed([_teacher(level) for level in gap.levels])}. Each was trained once, so this is "
        "about these very teachers."
    )


def _teacher(level: Level) -> str:
    return f"{level.name} {level.val_pp:.1f} %"


def _no_answer(evidence: Evidence, factor: str) -> Verdict:
    levels = {setting.teacher if factor == "teacher" else setting.augmentation
              for setting in evidence.settings}  # fmt: skip
    if len(levels) < 2:
        badge = f"One {factor} only"
        headline = f"This study has one {factor}, so it has no gap between {factor}s to show."
    elif "fixed" not in evidence.strategies:
        badge = "Nothing at the default"
        headline = "This study ran nothing at the default temperature, so it shows no gap there."
    else:
        badge = "No complete row"
        headline = f"No seed is complete at the default temperature with every {factor} yet."
    return no_answer(evidence, badge, headline)


TEACHER_GAP, AUGMENTATION_GAP = Gap("teacher"), Gap("augmentation")
