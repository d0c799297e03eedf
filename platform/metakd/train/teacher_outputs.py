"""The outputs of a trial's teachers for its batches: read from a bank, or computed live.

Both give the same numbers, and what a bank lacks is computed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.core.ensemble_loss import stacked
from metakd.data.bank import Outputs, Stored

LOGITS, FEATURES = "logits", "features"
Live = Callable[[Tensor], Outputs]
"""A teacher: from normalised inputs (B, C, H, W) to its outputs by name."""


class BatchOutputs(NamedTuple):
    """Outputs of all teachers as a ``Batch`` holds them, in its order.

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
        stored: Those of its outputs that a bank has, by name.
        live: Computes the others; None where there are none.
    """

    def __init__(self, stored: Mapping[str, Stored], live: Live | None = None) -> None:
        self._stored = stored
        self._live = live

    def outputs(self, rows: Tensor, number: int, inputs: Tensor) -> dict[str, Tensor]:
        """Returns its outputs for some samples' views, by name, each (B, ...).

        Args:
            rows: Places in the bank's order of samples, (B,) int64.
            number: Number of the view.
            inputs: The views, normalised, (B, C, H, W).
        """
        outputs = dict(self._live(inputs)) if self._live is not None else {}
        for name, stored in self._stored.items():
            outputs[name] = transferred(stored.take(rows, number), inputs.device).float()
        return outputs


class Teachers:
    """All teachers of a trial.

    Args:
        each: The teachers, in the order of the trial.
        are_several: Whether the trial's method takes several, be there one or more.
    """

    def __init__(self, each: Sequence[Teacher], are_several: bool = False) -> None:
        self._each = each
        self._are_several = are_several

    def outputs(self, rows: Tensor, number: int, inputs: Tensor) -> BatchOutputs:
        """Returns those of each teacher, stacked; see ``Teacher.outputs``.

        Raises:
            TeachersError: If they differ in their classes.
        """
        outputs = [teacher.outputs(rows, number, inputs) for teacher in self._each]
        if not self._are_several:
            return BatchOutputs(outputs[0][LOGITS], None, ())
        features = tuple(each[FEATURES] for each in outputs if FEATURES in each)
        return BatchOutputs(None, stacked([each[LOGITS] for each in outputs]), features)


def transferred(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a tensor on a device; a plain copy waits until a GPU has done all it was given."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
