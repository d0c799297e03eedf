"""How a teacher and its student fared while the teacher learned to teach, as typed values."""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class CurveBand:
    """A number along the epochs.

    Attributes:
        mean: Mean over the seeds that logged it; None where none did.
        low: Lower end of its 95 % t interval over seeds; None below 3.
        high: Upper end, likewise.
    """

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class TeachingCurve:
    """One strategy's teacher and student in one setting, epoch by epoch; at most 200 epochs.

    Attributes:
        strategy: The strategy.
        key: The setting.
        seeds: How many runs.
        epochs: Epochs, from 0.
        student_pp: The student's validation accuracy at the end of each epoch, in percent.
        teacher_pp: The teacher's own, likewise.
        quiz_before: The cross-entropy on the quiz before the pilots, mean over an epoch's.
        quiz_after: The same after them.
    """

    strategy: str
    key: str
    seeds: int
    epochs: tuple[int, ...]
    student_pp: CurveBand
    teacher_pp: CurveBand
    quiz_before: CurveBand
    quiz_after: CurveBand


@dataclass(frozen=True)
class QuizFall:
    """By how much one strategy's pilots lower the quiz loss.

    Attributes:
        strategy: The strategy.
        fall_percent: The fall of a run's mean loss, in percent of that before the pilots; over
            settings and seeds.
        claim: "falls" or "rises" where its p value against 0 is below 5 % after Holm's correction
            over the strategies, else "not shown".
    """

    strategy: str
    fall_percent: Interval
    claim: str
