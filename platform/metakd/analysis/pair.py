"""Who is compared with whom in everything that a study says by setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.reached import Reached

MULTI_TEACHER = "multi_teacher"
LEARNING_TO_TEACH = "learning_to_teach"
# Each of several teachers by itself; validation chooses among their students.
SINGLE = "single"


@dataclass(frozen=True)
class Pair:
    """Whose differences they are: learner minus main baseline, by their strategies."""

    learner: str = "meta"
    baseline: str = "grid"


@dataclass(frozen=True)
class Contenders:
    """Who may be compared where a question is not about one learned temperature.

    Attributes:
        learners: The first of these that a study asks for is what it is about, ...
        baselines: ... and the first of these that has a pair with it what one does without.
    """

    learners: tuple[str, ...]
    baselines: tuple[str, ...]


TEMPERATURES = Pair()
CONTENDERS = {
    MULTI_TEACHER: Contenders(
        ("mmkd", "mmkd+tau", "mmkd-logits", "mmkd-tau", "mmkd-reference"),
        ("mean_losses", "mean_logits", SINGLE, "mean_features", "camkd", "ce"),
    ),
    LEARNING_TO_TEACH: Contenders(
        (
            *("metadistil", "metadistil+tau"),
            *("metadistil-no-pilot", "metadistil-own-quiz", "metadistil-reference"),
        ),
        ("fixed", "meta", "grid", "ce"),
    ),
}


def pair_of(question: str, strategies: Sequence[str], reached: Mapping[str, Reached]) -> Pair:
    """Returns who is compared in a study: what learns, and what does without.

    Args:
        question: What it asks.
        strategies: Those that it asks for.
        reached: What these have reached.
    """
    if question not in CONTENDERS:
        return TEMPERATURES
    contenders = CONTENDERS[question]
    learners = [name for name in contenders.learners if name in strategies]
    learner = next(iter(learners), contenders.learners[0])
    baselines = [name for name in contenders.baselines if name in strategies]
    learned = reached.get(learner)
    paired = [
        name
        for name in baselines
        if learned is not None and np.isfinite(learned.test_last - reached[name].test_last).any()
    ]
    return Pair(learner, next(iter([*paired, *baselines]), contenders.baselines[0]))
