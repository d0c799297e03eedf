"""The teachers that a setting asks at once, read from its name for them: "A+B+C"."""

from collections import Counter

BETWEEN = "+"


def members(teachers: str | None) -> tuple[str, ...]:
    """Returns the models in the order in which they are asked; none without a teacher."""
    return () if teachers is None else tuple(teachers.split(BETWEEN))


def member_labels(teachers: str | None) -> tuple[str, ...]:
    """Returns one label for each: its model, with a number where a model stands there again."""
    seen: Counter[str] = Counter()
    labels = []
    for model in members(teachers):
        seen[model] += 1
        labels.append(model if seen[model] == 1 else f"{model} ({seen[model]})")
    return tuple(labels)
