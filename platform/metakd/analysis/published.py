"""Published accuracies on CIFAR-100, beside a study's own of the same pair and protocol.

They stand beside the study's and never enter one of its numbers: other seeds, other teachers, and
students that were trained on what a study holds out.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from metakd.analysis.settings import SettingResult

FILE = Path(__file__).with_suffix(".csv")
PROTOCOL = "cifar100-published"
"""What the names of the recipes begin with that train as the tables do."""
TEACHER = "the teacher"
"""Stands for the method where a number is the teacher's own."""
EPOCHS, SCALE, AUGMENTATION, DATASET = 240, 1.0, "standard", "cifar100"


@dataclass(frozen=True)
class PublishedNumber:
    """An accuracy that someone published.

    Attributes:
        method: What the source calls the method; "no teacher" is the student alone.
        test_pp: Test accuracy in %.
        runs: Of how many runs it is the mean; None where the source does not say.
        epochs: How long the student was trained; None where the source does not say.
        source: Where it stands.
    """

    method: str
    test_pp: float
    runs: int | None
    epochs: int | None
    source: str


@dataclass(frozen=True)
class PublishedPair:
    """What was published of the pair of one setting, which is trained by the same protocol.

    Attributes:
        key: The setting's.
        numbers: Of students, by accuracy, the lowest first.
    """

    key: str
    numbers: tuple[PublishedNumber, ...]


@cache
def published_numbers() -> Mapping[tuple[str, str], tuple[PublishedNumber, ...]]:
    """Returns all numbers by the models of teacher and student, the lowest accuracy first."""
    found: dict[tuple[str, str], list[PublishedNumber]] = {}
    with FILE.open(encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            number = PublishedNumber(
                method=row["method"],
                test_pp=float(row["test_pp"]),
                runs=int(row["runs"]) if row["runs"] else None,
                epochs=int(row["epochs"]) if row["epochs"] else None,
                source=row["source"],
            )
            found.setdefault((row["teacher"], row["student"]), []).append(number)
    return {
        pair: tuple(sorted(numbers, key=lambda each: each.test_pp))
        for pair, numbers in found.items()
    }


def published_pairs(
    spec: Mapping[str, Any], settings: Sequence[SettingResult]
) -> tuple[PublishedPair, ...]:
    """Returns what was published of the settings' pairs; nothing unless the protocol is the same.

    That is CIFAR-100, all of it, crops and flips, and the tables' recipe over its 240 epochs.

    Args:
        spec: The study's, as it is recorded.
        settings: Of the study.
    """
    is_alike = str(spec.get("recipe")).startswith(PROTOCOL) and all(
        spec.get(name) in (None, EPOCHS) for name in ("epochs", "teacher_epochs")
    )
    numbers = published_numbers()
    return tuple(
        PublishedPair(
            setting.key,
            tuple(n for n in numbers[setting.teacher, setting.student] if n.method != TEACHER),
        )
        for setting in settings
        if is_alike
        and setting.dataset.replace("/", ":").rpartition(":")[2] == DATASET
        and (setting.scale, setting.augmentation) == (SCALE, AUGMENTATION)
        and (setting.teacher, setting.student) in numbers
    )
