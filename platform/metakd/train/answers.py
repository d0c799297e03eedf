"""The outputs of a trial's teachers for its batches: read from a bank, or computed live.

Both give the same numbers, and what a bank lacks is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.core.ensemble_loss import stacked
from metakd.data.bank import Answers, Stored

LOGITS, FEATURES = "logits", "features"
Live = Callable[[Tensor], Answers]
"""A teacher: from normalised inputs (B, C, H, W) to its answers by name."""


class Said(NamedTuple):
    """Answers as a ``Batch`` holds them, in its order.

    Attributes:
        teacher_logits: Of the one teacher, (B, C); None with several.
        ensemble_logits: Of K teachers, (B, K, C); None with one.
        teacher_features: The last map of each of the K, (B, c, h, w); empty where not used.
    """

    teacher_logits: Tensor | None
    ensemble_logits: Tensor | None
    teacher_features: tuple[Tensor, ...]


class Teacher:
    """One teacher.

    Args:
        stored: Its answers that a bank has, by name.
        live: Computes the others; None where there are none.
    """

    def __init__(self, stored: Mapping[str, Stored], live: Live | None = None) -> None:
        self._stored = stored
        self._live = live

    def says(self, rows: Tensor, number: int, inputs: Tensor) -> dict[str, Tensor]:
        """Returns its answers to some samples' views, by name, each (B, ...).

        Args:
            rows: Places in the bank's order of samples, (B,) int64.
            number: Number of the view.
            inputs: The views, normalised, (B, C, H, W).
        """
        said = dict(self._live(inputs)) if self._live is not None else {}
        for name, answers in self._stored.items():
            said[name] = transferred(answers.take(rows, number), inputs.device).float()
        return said


class Teachers:
    """All teachers of a trial.

    Args:
        each: The teachers, in the order of the trial.
        are_several: Whether the trial's method takes several, be there one or more.
    """

    def __init__(self, each: Sequence[Teacher], are_several: bool = False) -> None:
        self._each = each
        self._are_several = are_several

    def say(self, rows: Tensor, number: int, inputs: Tensor) -> Said:
        """Returns what they say; see ``Teacher.says``.

        Raises:
            TeachersError: If they differ in their classes.
        """
        said = [teacher.says(rows, number, inputs) for teacher in self._each]
        if not self._are_several:
            return Said(said[0][LOGITS], None, ())
        features = tuple(each[FEATURES] for each in said if FEATURES in each)
        return Said(None, stacked([each[LOGITS] for each in said]), features)


def transferred(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a tensor on a device; a plain copy waits until a GPU has done all it was given."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
