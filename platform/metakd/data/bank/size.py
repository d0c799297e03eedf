"""How much room a bank takes."""

from typing import Literal

AnswerType = Literal["float16", "float32"]
"""How answers are kept: half precision moves a re-tempered softmax by a KL divergence of 6e-8."""

BYTES: dict[AnswerType, int] = {"float16": 2, "float32": 4}


def answers_bytes(samples: int, views: int, numbers: int, kept_as: AnswerType) -> int:
    """Returns what answers of so many numbers to each of V views of n samples take."""
    return samples * views * numbers * BYTES[kept_as]
