"""How much room a bank takes."""

from typing import Literal

AnswerType = Literal["float16", "float32"]
"""How answers are kept: half precision moves a re-tempered softmax by a KL divergence of 6e-8."""

BYTES: dict[AnswerType, int] = {"float16": 2, "float32": 4}


def logits_bytes(samples: int, views: int, num_classes: int, kept_as: AnswerType) -> int:
    """Returns what one teacher's logits on V views of n samples take."""
    return samples * views * num_classes * BYTES[kept_as]
