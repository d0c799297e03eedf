"""How good a teacher is itself, over the datasets on which it teaches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from metakd.results.teachers import TeacherScore


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
