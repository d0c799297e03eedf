"""A made-up study of several teachers at once."""

import zlib
from typing import Any

import numpy as np
from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy, Row

from metakd.results.teacher_scores import TeacherScore

TEACHERS = ("small_net", "medium_net", "large_net")
ENSEMBLE = "+".join(TEACHERS)
SCORES = tuple(
    TeacherScore("digits", name, 10**k, 0.9 + k / 100, 0.89 + k / 100)
    for k, name in enumerate(TEACHERS, start=4)
)
# Points of test accuracy above 88 %, by method; of the students of single teachers by teacher.
LEVELS = {
    "ce": 0.0, "kd small_net": 1.5, "kd medium_net": 2.0, "kd large_net": 1.8,
    "mean_losses": 2.5, "mean_logits": 2.4, "camkd": 2.6, "mean_features": 2.6, "mmkd": 3.4,
    "mmkd-logits": 3.3, "mmkd-tau": 2.6, "mmkd+tau": 3.4, "mmkd-reference": 2.0,
}  # fmt: skip
COSTS = {
    name: 2.6 if name == "mmkd-reference" else 1.5 for name in LEVELS if name.startswith("mmkd")
}
WEIGHED = {
    "mmkd": ("logits", "features"), "mmkd+tau": ("logits", "features"), "mmkd-logits": ("logits",),
    "camkd": ("logits",), "mmkd-reference": ("logits", "features"),
}  # fmt: skip
CLASSES = 10


def levels(noise_pp: float = 0.15, **changed: float) -> Any:
    """Each method at its level, in every setting, with luck of its own and of the seed."""
    points = LEVELS | {name.replace("_AND_", "+"): level for name, level in changed.items()}

    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        own = np.random.default_rng([zlib.crc32(method.encode()), setting, seed])
        luck = np.random.default_rng([setting, seed]).normal(0, 0.3) - 2.0 * (setting == 0)
        found = 88 + points[method] + luck + own.normal(0, noise_pp, 2)
        return float(found[0] / 100), float(found[1] / 100)

    return accuracy


def leaning(row: Row, epoch: int) -> list[Row] | None:
    """The first teacher gains with the epochs, of class 3 the last; more where it is wrong."""
    entries = []
    for of in WEIGHED.get(row["method"], ()):
        luck = np.random.default_rng([zlib.crc32(row["trial_id"].encode()), epoch]).normal(0, 0.01)
        first = 1 / 3 + 0.06 * epoch * (of == "logits") + luck
        luck = np.random.default_rng([zlib.crc32(row["trial_id"].encode()), 7]).normal(0, 0.004)
        for among, more, samples in (
            ("all", 0.0, 100), ("right", -0.01, 80), ("wrong", 0.04 + luck, 20),
            *((f"class {c}", -0.2 + luck if c == 3 else 0.02, 10) for c in range(CLASSES)),
        ):  # fmt: skip
            weight = first + more * (of == "logits")
            rest = (1 - weight) / 2
            weights = [weight, rest, rest]
            entries.append({"of": of, "among": among, "samples": samples, "weights": weights})
    return entries or None


def ensemble_study(*strategies: str, **changes: Any) -> MadeUpStudy:
    """A study of these strategies, or of all: two scales by two augmentations, four seeds."""
    chosen = strategies or ("single", *(m for m in LEVELS if m != "ce" and m[:2] != "kd"))
    usual: dict[str, Any] = {
        "question": "multi_teacher",
        "strategies": ("ce",),
        "teachers": (ENSEMBLE,),
        "accuracy": levels(),
        "costs": COSTS,
        "searches": tuple(searching(name) for name in chosen),
        "teacher_scores": SCORES,
        "weights": leaning,
    }
    return MadeUpStudy(**(usual | changes))


def searching(strategy: str) -> MadeUpSearch:
    """What a strategy runs: one run, or one of each teacher alone."""
    if strategy == "single":
        alone = (MadeUpSegment(4.0, f"kd {name}", teacher=name) for name in TEACHERS)
        return MadeUpSearch(strategy, tuple(alone))
    return MadeUpSearch(strategy, (MadeUpSegment(4.0, strategy),))
