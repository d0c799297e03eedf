"""How much each of several teachers counted, as typed values.

Weights are percent: those of all teachers sum to 100 (``_pp``).
"""

from dataclasses import dataclass

from metakd.analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class WeightBand:
    """Weights along the epochs: each field by teacher, then epoch.

    Attributes:
        mean_pp: Mean over the seeds that have such samples; None where none has.
        low_pp: Lower end of its 95 % t interval over seeds; None below 3.
        high_pp: Upper end, likewise.
    """

    mean_pp: tuple[tuple[float | None, ...], ...]
    low_pp: tuple[tuple[float | None, ...], ...]
    high_pp: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class WeightsCurve:
    """What one strategy gave each teacher in one setting, epoch by epoch; at most 200 epochs.

    Attributes:
        strategy: The strategy.
        key: The setting.
        of: "logits" or "features".
        teachers: Their names, in the order in which they are asked.
        equal_share_pp: What each would have if all counted alike.
        seeds: How many runs.
        epochs: Epochs, from 0.
        overall: Among all samples.
        right_pp: Mean among those that the student got right before its step, by teacher and epoch;
            None where there are none.
        wrong_pp: Among those that it got wrong, likewise.
        wrong_minus_right: The difference, seed by seed.
    """

    strategy: str
    key: str
    of: str
    teachers: tuple[str, ...]
    equal_share_pp: float
    seeds: int
    epochs: tuple[int, ...]
    overall: WeightBand
    right_pp: tuple[tuple[float | None, ...], ...]
    wrong_pp: tuple[tuple[float | None, ...], ...]
    wrong_minus_right: WeightBand


@dataclass(frozen=True)
class FinalWeight:
    """What one teacher counted at the end of training, over settings and seeds.

    "Above" and "below" need a p value below 5 % after Holm's correction: over the teachers, or over
    all teachers and classes.

    Attributes:
        teacher: Its name.
        overall: Its weight among all samples.
        preference: That minus an equal share.
        preferred: "above", "below" or "not shown": the preference against 0.
        right: Its weight among samples that the student gets right.
        wrong: Among those that it gets wrong.
        wrong_minus_right: The difference.
        leaning: "above", "below" or "not shown": that difference against 0.
        by_class_pp: Its mean weight among the samples of each class; None where there are none.
        class_minus_overall_pp: By class: the mean difference to its weight among all samples, over
            the settings and seeds that have both.
        class_leaning: By class, likewise: that difference against 0.
    """

    teacher: str
    overall: Interval
    preference: Interval
    preferred: str
    right: Interval
    wrong: Interval
    wrong_minus_right: Interval
    leaning: str
    by_class_pp: tuple[float | None, ...]
    class_minus_overall_pp: tuple[float | None, ...]
    class_leaning: tuple[str, ...]


@dataclass(frozen=True)
class FinalWeights:
    """What one strategy gave the same teachers at the end of training, on one dataset.

    Attributes:
        strategy: The strategy.
        of: "logits" or "features".
        dataset: The dataset.
        ensemble: The teachers as settings name them.
        settings: Over how many settings.
        epochs: Over how many of the last epochs, each counted by its samples.
        classes: Labels.
        equal_share_pp: What each teacher would have if all counted alike.
        teachers: One for each teacher.
    """

    strategy: str
    of: str
    dataset: str
    ensemble: str
    settings: int
    epochs: int
    classes: tuple[int, ...]
    equal_share_pp: float
    teachers: tuple[FinalWeight, ...]
