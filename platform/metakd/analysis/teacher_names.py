"""The teachers that a setting asks at once, read from its name for them: "A+B+C"."""

from collections import Counter

from metakd.results.teachers import numbered

BETWEEN = "+"


def members(teachers: str | None) -> tuple[str, ...]:
    """Returns the models in the order in which they are asked; none without a teacher."""
    return () if teachers is None else tuple(teachers.split(BETWEEN))


def member_labels(teachers: str | None) -> tuple[str, ...]:
    """Returns one label for each: its model, with a number where a model stands there again."""
    seen: Counter[str] = Counter()
    labels = []
    for model in members(teachers):
        labels.append(numbered(model, seen[model]))
        seen[model] += 1
    return tuple(labels)
