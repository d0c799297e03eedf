"""What a study's words rest on once it looks: the last declared look, whatever it asks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_ensemble import ensemble_study
from made_up_ensemble import levels as ensemble_levels
from made_up_study import (
    Accuracy,
    MadeUpSearch,
    MadeUpSegment,
    MadeUpStudy,
    deciding_study,
    declared,
    taking_looks,
)
from made_up_teaching import levels as teaching_levels
from made_up_teaching import teaching_study

from metakd.analysis.questions.gap_numbers import LevelGaps
from metakd.analysis.questions.start_range import StartRange
from metakd.analysis.questions.transfer import Reuse
from metakd.analysis.sentences import Answer
from metakd.analysis.statistics.intervals import Interval
from metakd.analysis.summarise import summarise
from metakd.analysis.summary import Summary

TEACHERS = ("small", "large")
TAUS = (1.0, 4.0)
FROM_EACH = MadeUpSearch("meta-starts", tuple(MadeUpSegment(tau, "mkd") for tau in TAUS))


def by_level(second_loses_pp: float, noise_pp: float = 0.15) -> Accuracy:
    """Students of the second level lose so much at fixed temperatures, and nothing if learned."""

    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        own = np.random.default_rng([len(method), int(tau), setting, seed])
        loses = second_loses_pp * (setting % 2 == 1 and method == "kd")
        points = 90 - loses + own.normal(0, noise_pp, 2)
        # Validation sees less noise, so that the grid's winner is the same in most seeds.
        return float(points[0] / 100), float(points[1] / 100)

    return accuracy


def by_start(wrong_fixed_pp: float, wrong_start_pp: float, noise_pp: float = 0.1) -> Accuracy:
    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        own = np.random.default_rng([len(method), int(tau), setting, seed])
        wrong = wrong_start_pp if method == "mkd" else wrong_fixed_pp
        points = 90 - wrong * (tau == 1.0) + own.normal(0, noise_pp, 2)
        return float(points[0] / 100), float(points[1] / 100)

    return accuracy


def gap_study(loses_pp: float, **changes: Any) -> MadeUpStudy:
    return deciding_study(
        0.0, 0.0, question="teacher_gap", teachers=TEACHERS, scales=(0.3, 1.0),
        augmentations=("none",), accuracy=by_level(loses_pp), strategies=("fixed", "meta"),
        **changes,
    )  # fmt: skip


def start_study(wrong_fixed_pp: float, wrong_start_pp: float) -> MadeUpStudy:
    return deciding_study(
        0.0, 0.0, question="start_range", strategies=("fixed", "grid"), temperatures=TAUS,
        searches=(FROM_EACH,), accuracy=by_start(wrong_fixed_pp, wrong_start_pp),
    )  # fmt: skip


def looked_at(study: MadeUpStudy, out: Path, most: int | None = None) -> Summary:
    taking_looks(study, out, most)
    return summarise(out)


def last_look(summary: Summary) -> Interval:
    assert summary.deciding is not None
    return summary.deciding.looks[-1].interval


@pytest.mark.parametrize(
    ("loses_pp", "word", "verdict", "words"),
    [
        (0.0, "equivalent", "none", "as good a student as small does, within ±0.30 points"),
        (2.0, "ahead", "there", "makes a worse student than small does"),
        (-2.0, "behind", "the reverse", "makes the best student"),
    ],
)
def test_a_gap(tmp_path: Path, loses_pp: float, word: str, verdict: str, words: str) -> None:
    summary = looked_at(gap_study(loses_pp), tmp_path)
    assert summary.deciding is not None
    assert summary.deciding.word == word
    [gap] = summary.answer.by_measure
    reference, learner = gap.strategies
    assert reference.verdict == verdict
    assert reference.drop == summary.primary.here == last_look(summary)
    # Its p value is that of all pairs, with which no look was taken.
    assert reference.drop_p is None
    assert words in summary.verdict.headline
    # Two combinations of what is held are what the mean is over.
    assert "in these 2 settings" in summary.verdict.headline
    if verdict == "there":
        assert learner.mended in ("mended", "reduced")
    else:
        assert learner.mended == "nothing to mend"
    # The other strategies keep their own level.
    assert learner.drop.level == gap.confidence < reference.drop.level


def test_a_gap_of_one_combination_says_nothing_of_others(tmp_path: Path) -> None:
    study = replace(gap_study(0.0), scales=(1.0,))
    study = replace(study, schedule=declared(study, 0.3, (1.0, 2.0, 4.0)))
    summary = looked_at(study, tmp_path)
    assert summary.primary.settings == 1
    assert summary.primary.elsewhere is None
    assert "in these" not in summary.verdict.headline
    assert not any("For other settings" in each for each in summary.verdict.sentences)


@pytest.mark.parametrize(("gap_pp", "verdict"), [(0.0, "equivalent"), (2.5, "better")])
def test_transfer(tmp_path: Path, gap_pp: float, verdict: str) -> None:
    summary = looked_at(deciding_study(gap_pp, 0.004, question="transfer"), tmp_path)
    assert isinstance(summary.answer, Reuse)
    overall = summary.answer.moves[0]
    assert overall.learned == summary.primary.here == last_look(summary)
    assert overall.learned_verdict == summary.primary.verdict
    assert summary.primary.verdict in (verdict, f"slightly {verdict}")
    assert "in these 4 settings" in summary.verdict.headline


@pytest.mark.parametrize(
    ("wrong_fixed_pp", "wrong_start_pp", "verdict"),
    [(2.0, 2.0, "depends as much"), (4.0, 0.0, "forgets"), (1.0, 4.0, "depends more")],
)
def test_starts(tmp_path: Path, wrong_fixed_pp: float, wrong_start_pp: float, verdict: str) -> None:
    summary = looked_at(start_study(wrong_fixed_pp, wrong_start_pp), tmp_path)
    assert summary.deciding is not None
    assert summary.deciding.is_decided
    assert isinstance(summary.answer, StartRange)
    assert summary.answer.saved == summary.primary.here == last_look(summary)
    assert summary.answer.verdict == verdict
    # What it forgets to is claimed at the look's level, too.
    assert summary.answer.beyond_quarter.level == last_look(summary).level
    assert "in these 4 settings" in summary.verdict.headline


@pytest.mark.parametrize(
    ("study", "learner", "baseline"),
    [
        (
            ensemble_study("mmkd", "mean_losses", accuracy=ensemble_levels(), weights=None),
            "mmkd",
            "mean_losses",
        ),
        (teaching_study("metadistil", accuracy=teaching_levels()), "metadistil", "fixed"),
    ],
)
def test_studies_with_a_learner_of_their_own(
    tmp_path: Path, study: MadeUpStudy, learner: str, baseline: str
) -> None:
    study = replace(study, seed_streams="own", margin_pp=0.3)
    study = replace(study, schedule=declared(study, 0.3, (1.0, 2.0, 3.0, 4.0)))
    summary = looked_at(study, tmp_path)
    assert (summary.learner, summary.baseline) == (learner, baseline)
    [main] = [each.overall for each in summary.baselines if each.strategy == baseline]
    assert main.effect == summary.primary.here == last_look(summary)
    assert main.accuracy_verdict == summary.primary.verdict in ("better", "slightly better")
    assert summary.deciding is not None
    assert summary.deciding.word == "ahead"
    # The other comparisons are of all pairs, at their own level.
    others = [each.overall.effect for each in summary.baselines if each.strategy != baseline]
    assert all(effect.level == 0.95 for effect in others)


def test_an_open_look_is_said_to_be_open_whatever_came_since(tmp_path: Path) -> None:
    study = taking_looks(deciding_study(0.2, 0.008), tmp_path, most=1)
    before = summarise(tmp_path)
    # The block that the look allocated, half run.
    ahead = replace(study, seed_counts=study.looks[-1].next_seed_counts)
    half = replace(ahead, absent=lambda row: row["seed"] % 100_000 > 8)
    during = summarise(half.write(tmp_path))
    assert during.primary.here == before.primary.here
    assert during.verdict.badge == before.verdict.badge
    assert before.deciding is not None
    assert during.deciding is not None
    assert during.deciding.undeclared_pairs == 0
    assert during.deciding.goes_on
    assert during.deciding.allocation == before.deciding.allocation


def without_cells(answer: Answer | None) -> object:
    """Returns gaps without their differences seed by seed, empty where there is no seed."""
    if not isinstance(answer, LevelGaps):
        return answer
    return [
        replace(gap, strategies=tuple(replace(each, cells_pp=()) for each in gap.strategies))
        for gap in answer.by_measure
    ]


@pytest.mark.parametrize(
    "study", [start_study(4.0, 0.0), gap_study(2.0), deciding_study(0.0, 0.004)]
)
def test_no_word_rests_on_seeds_that_no_look_declared(tmp_path: Path, study: MadeUpStudy) -> None:
    """Whatever they bring: here learning suddenly loses everything."""
    study = taking_looks(study, tmp_path)
    before, seen = summarise(tmp_path), study.counts

    def changed(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        validation, test = study.accuracy(method, tau, setting, seed)
        return validation, test - 0.3 * (method == "mkd" and seed >= seen[setting])

    more = tuple(count + 6 for count in seen)
    after = summarise(replace(study, seed_counts=more, accuracy=changed).write(tmp_path))
    assert after.verdict.badge == before.verdict.badge
    assert after.verdict.headline == before.verdict.headline
    for part in ("comparisons", "baselines"):
        assert getattr(after, part) == getattr(before, part), part
    assert without_cells(after.answer) == without_cells(before.answer)
    assert after.settings != before.settings
    # The look's own interval is that of the seeds which it saw.
    assert before.primary.here.mean_pp == last_look(before).mean_pp
