"""What a study with a learner of its own answers beside its comparisons, as typed values.

As in ``summary``: accuracies and differences are percentage points (``_pp``).
"""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class Part:
    """What one part of a method does, all else alike: with it minus without it.

    Attributes:
        part: Of several teachers "weights", "features" or "temperatures"; of a teacher that learns
            "teacher", "temperatures", "pilots" or "quiz".
        having: The strategy that has it.
        lacking: The one that lacks it and is else the same.
        effect: The difference over settings and seeds.
        p_value: Two-sided t test of the effect against 0; None where it has no interval.
        p_holm: The same after Holm's correction over all parts.
        claim: "ahead" or "behind" where ``p_holm`` is below 5 %, else "no clear gap".
    """

    part: str
    having: str
    lacking: str
    effect: Interval
    p_value: float | None = None
    p_holm: float | None = None
    claim: str = "no clear gap"


@dataclass(frozen=True)
class SingleTeacher:
    """One of several teachers, and the student that it teaches alone.

    Attributes:
        ensemble: The teachers as settings name them, for example "A+B+C".
        name: Its model, with a number where the model stands there again.
        parameters: How many numbers it learned; None where unknown.
        own_val_pp: Its own validation accuracy, mean over the study's datasets; None where unknown.
        own_test_pp: Its own test accuracy, likewise.
        student: Test accuracy of its student at the last epoch, over settings and seeds.
        learned_minus: The learner minus that, paired.
        chosen: Share of pairs in which validation chooses its student; None without a pair.
    """

    ensemble: str
    name: str
    parameters: int | None
    own_val_pp: float | None
    own_test_pp: float | None
    student: Interval
    learned_minus: Interval
    chosen: float | None


@dataclass(frozen=True)
class LearnerAnswer:
    """What the learner reaches, and what the parts of its method do.

    Attributes:
        test_pp: The learner's mean test accuracy at the last epoch, over settings of the mean
            over seeds; None without a result.
        runs_charged: What it costs in plain runs, likewise.
        parts: What each part of its method does, as far as the study's strategies tell.
    """

    test_pp: float | None
    runs_charged: float | None
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Ensemble(LearnerAnswer):
    """A study of several teachers at once.

    Attributes:
        teachers: Each teacher by itself, by ensemble in the study's order.
    """

    teachers: tuple[SingleTeacher, ...]


@dataclass(frozen=True)
class LearningTeacher:
    """What became of the teacher under one strategy, at the end of training.

    "Gains" and "loses" need a p value below 5 % after Holm's correction over the strategies that
    change their teacher.

    Attributes:
        strategy: The strategy.
        test: The teacher's own test accuracy, over settings and seeds.
        change: That minus its test accuracy before, paired.
        p_holm: Two-sided t test of the change against 0, after Holm's correction; None where it has
            no interval.
        changed: "gains", "loses" or "not shown", by that.
    """

    strategy: str
    test: Interval
    change: Interval
    p_holm: float | None
    changed: str


@dataclass(frozen=True)
class Teaching(LearnerAnswer):
    """A study of a teacher that learns to teach.

    Attributes:
        before_pp: The teacher's own test accuracy before, mean over settings; None where unknown.
        teachers: What became of it, by strategy in the study's order.
    """

    before_pp: float | None
    teachers: tuple[LearningTeacher, ...]
