"""A made-up study of a teacher that learns to teach."""

import zlib
from typing import Any

import numpy as np
from made_up_study import MadeUpSearch, MadeUpSegment, MadeUpStudy, Row

from metakd.results.teacher_scores import TeacherScore

BEFORE = TeacherScore("digits", "big", 10_000, 0.96, 0.95)
# Points of test accuracy above 88 %, by method.
LEVELS = {
    "ce": 0.0, "kd": 2.0, "mkd": 2.1, "metadistil": 3.0, "metadistil+tau": 3.1,
    "metadistil-no-pilot": 2.2, "metadistil-own-quiz": 2.9, "metadistil-reference": 1.0,
}  # fmt: skip
# What its own accuracy gains, in points.
GAINS = {
    "metadistil": -1.5, "metadistil+tau": -1.6, "metadistil-no-pilot": 0.0,
    "metadistil-own-quiz": 0.3, "metadistil-reference": -20.0,
}  # fmt: skip
FAMILY = tuple(GAINS)


def luck(row_or_method: object, *place: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(str(row_or_method).encode()), *place])


def levels(noise_pp: float = 0.15, **changed: float) -> Any:
    """Each method at its level in every setting, with luck of its own and of the seed."""
    points = LEVELS | {name.replace("_", "-"): level for name, level in changed.items()}

    def accuracy(method: str, tau: float, setting: int, seed: int) -> tuple[float, float]:
        common = luck("seed", setting, seed).normal(0, 0.3) - 2.0 * (setting == 0)
        found = 88 + points[method] + common + luck(method, setting, seed).normal(0, noise_pp, 2)
        return float(found[0] / 100), float(found[1] / 100)

    return accuracy


def teacher_after(row: Row, gains: dict[str, float]) -> Row:
    """What a run's teacher reaches at its end, and how many held-out samples taught it."""
    if row["method"] not in FAMILY:
        return {}
    own = luck(row["trial_id"]).normal(0, 0.1)
    after = BEFORE.test_acc + (gains[row["method"]] + own) / 100
    quiz = 0 if row["method"] == "metadistil-own-quiz" else row["validation_samples"]
    return {
        "teacher_test_acc_last": after,
        "teacher_val_acc_last": after + 0.01,
        "validation_samples_learned": quiz,
    }


def taught(row: Row, epoch: int) -> Row:
    """An epoch: the teacher moves towards its end, pilots lower the quiz loss by about a tenth."""
    if row["method"] not in FAMILY:
        return {}
    after = row["teacher_val_acc_last"] or BEFORE.val_acc
    loss = 1.0 / (1 + epoch)
    fall = 0.1 + luck(row["trial_id"], epoch).normal(0, 0.01)
    # Its first epochs leave the teacher as it is.
    is_warming = row["method"] == "metadistil-reference" and epoch < 2
    flies = row["method"] != "metadistil-no-pilot" and not is_warming
    quiz = {"meta_loss_before": loss, "meta_loss": loss * (1 - fall)} if flies else {}
    return {"teacher_val_acc": BEFORE.val_acc + (after - BEFORE.val_acc) * epoch / 3, **quiz}


def teaching_study(*strategies: str, gains: dict[str, float] | None = None, **changes: Any) -> Any:
    """A study of these strategies of the family, or of all: four settings, four seeds."""
    changed = GAINS | (gains or {})
    usual: dict[str, Any] = {
        "question": "learning_to_teach",
        "strategies": ("ce", "fixed", "meta"),
        "accuracy": levels(),
        "costs": dict.fromkeys(FAMILY, 3.0),
        "searches": tuple(
            MadeUpSearch(name, (MadeUpSegment(4.0, name),)) for name in strategies or FAMILY
        ),
        "teacher_scores": (BEFORE,),
        "ends": lambda row: teacher_after(row, changed),
        "curve": taught,
    }
    return MadeUpStudy(**(usual | changes))
