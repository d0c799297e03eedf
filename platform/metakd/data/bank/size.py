"""How much room a bank takes."""

from metakd.data.catalogue import AnswerType

BYTES: dict[AnswerType, int] = {"float16": 2, "float32": 4}


def answers_bytes(samples: int, views: int, numbers: int, kept_as: AnswerType) -> int:
    """Returns what answers of so many numbers to each of V views of n samples take."""
    return samples * views * numbers * BYTES[kept_as]
