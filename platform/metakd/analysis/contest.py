"""Who is compared with whom in everything that a study says by setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metakd.analysis.reached import Reached

MULTI_TEACHER = "multi_teacher"
# Each of several teachers by itself; validation chooses among their students.
SINGLE = "single"
# Of several teachers: the first of these that a study asks for is what it is about, ...
LEARNERS_OF_TEACHERS = ("mmkd", "mmkd+tau", "mmkd-logits", "mmkd-tau", "mmkd-reference")
# ... and the first that has a pair with it what one does without learning.
RIVALS_OF_TEACHERS = ("mean_losses", "mean_logits", SINGLE, "mean_features", "camkd", "ce")


@dataclass(frozen=True)
class Contest:
    """Whose differences they are: protagonist minus main rival, by their strategies."""

    protagonist: str = "meta"
    main_rival: str = "grid"


TEMPERATURES = Contest()


def contest_of(question: str, strategies: Sequence[str], reached: Mapping[str, Reached]) -> Contest:
    """Returns who is compared in a study: what learns, and what searches or counts all alike.

    Args:
        question: What it asks.
        strategies: Those that it asks for.
        reached: What these have reached.
    """
    if question != MULTI_TEACHER:
        return TEMPERATURES
    learners = [name for name in LEARNERS_OF_TEACHERS if name in strategies]
    protagonist = next(iter(learners), LEARNERS_OF_TEACHERS[0])
    rivals = [name for name in RIVALS_OF_TEACHERS if name in strategies]
    learned = reached.get(protagonist)
    paired = [
        name
        for name in rivals
        if learned is not None and np.isfinite(learned.test_last - reached[name].test_last).any()
    ]
    return Contest(protagonist, next(iter([*paired, *rivals]), RIVALS_OF_TEACHERS[0]))
