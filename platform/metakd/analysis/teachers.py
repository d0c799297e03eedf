"""Names of teachers that teach together, and how accurate each is itself."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from metakd.results.teacher_scores import TeacherScore, numbered

BETWEEN = "+"


def members(teachers: str | None) -> tuple[str, ...]:
    """Returns the models in the order of the setting; none without a teacher."""
    return () if teachers is None else tuple(teachers.split(BETWEEN))


def member_labels(teachers: str | None) -> tuple[str, ...]:
    """Returns one label for each: its model, with a number where a model stands there again."""
    seen: Counter[str] = Counter()
    labels = []
    for model in members(teachers):
        labels.append(numbered(model, seen[model]))
        seen[model] += 1
    return tuple(labels)


@dataclass(frozen=True)
class OwnAccuracy:
    """A teacher's own accuracies in percent, mean over datasets, and its size."""

    parameters: int
    val_pp: float
    test_pp: float


def own_accuracy(
    name: str, datasets: Collection[str], scores: Sequence[TeacherScore]
) -> OwnAccuracy | None:
    """Returns how good a teacher is; None where that is not known for all of the datasets."""
    known = [score for score in scores if score.name == name and score.dataset in datasets]
    if {score.dataset for score in known} != set(datasets):
        return None
    return OwnAccuracy(
        parameters=max(score.parameters for score in known),
        val_pp=100 * sum(score.val_acc for score in known) / len(known),
        test_pp=100 * sum(score.test_acc for score in known) / len(known),
    )
