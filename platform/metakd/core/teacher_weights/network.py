"""The network that weighs teachers for each sample, and what it reads of the sample."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.ensemble_loss import TeachersError
from metakd.core.losses import at_least_float32

FeatureInput = Literal["pooled", "gram", "gram_raw"]
Start = Literal["equal", "random"]


def logits_input(student_logits: Tensor, ensemble_logits: Tensor) -> Tensor:
    """Returns the logits of all teachers, then the student's, (B, C (K + 1)).

    Args:
        student_logits: z_s, (B, C).
        ensemble_logits: z_k, (B, K, C).
    """
    student = at_least_float32(student_logits.detach())
    return torch.cat([ensemble_logits.detach().flatten(1).to(student.dtype), student], dim=1)


def feature_input(
    kind: FeatureInput, student_map: Tensor, teacher_maps: Sequence[Tensor]
) -> Tensor:
    """Returns what a network reads of the last maps of all teachers and, last, the student.

    ``pooled`` is a sample's own: each map's mean over its places, of length 1. The Gram forms are
    MMKD's: a sample's inner products with all samples of its batch, so that the network belongs to
    one batch size and one order of samples, and on several ranks sees each rank's share alone.
    ``gram`` brings each row to length 1. ``gram_raw`` leaves them, as the code does: entries of 1e4
    and more make the softmax exactly one-hot, and its gradient exactly 0.

    Args:
        kind: Which.
        student_map: (B, c, h, w).
        teacher_maps: Of each teacher, (B, c_k, h_k, w_k).

    Returns:
        (B, Σ c_k + c) for ``pooled``, (B, B (K + 1)) for the others.
    """
    maps = [at_least_float32(each.detach()) for each in (*teacher_maps, student_map)]
    rows = [_pooled(each) if kind == "pooled" else _gram(each) for each in maps]
    if kind != "gram_raw":
        rows = [F.normalize(each, dim=1) for each in rows]
    return torch.cat(rows, dim=1)


def _pooled(features: Tensor) -> Tensor:
    return features.mean(dim=(2, 3))


def _gram(features: Tensor) -> Tensor:
    flat = features.flatten(1)
    with torch.autocast(flat.device.type, enabled=False):
        return flat @ flat.T


class WeightNetwork(nn.Module):
    """φ = a network from what is known of a sample to a weight for each of K teachers.

    Source: MMKD (Zhang et al. 2023, arXiv 2306.06634), its code: Linear to half the width, ReLU,
    Linear to K, softmax.

    Args:
        width: Numbers that it reads of each sample.
        teachers: K.
        start: ``equal`` puts the last layer at zero, so that learning starts from the mean of the
            teachers' losses, exactly; ``random`` is PyTorch's own, as in the code.
        seed: Of the weights; the caller's random state stays as it was.
    """

    def __init__(self, width: int, teachers: int, start: Start, seed: int) -> None:
        super().__init__()
        hidden = width // 2
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would reseed the caller's GPUs as well.
            torch.default_generator.manual_seed(seed)
            self.first = nn.Linear(width, hidden)
            self.last = nn.Linear(hidden, teachers)
        if start == "equal":
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, read: Tensor) -> Tensor:
        """Maps (B, width) to weights (B, K), rows summing to 1, in full precision.

        Raises:
            TeachersError: If the width is another.
        """
        if read.shape[1] != self.first.in_features:
            raise TeachersError(
                f"a weight network was made for {self.first.in_features} numbers a sample, got "
                f"{read.shape[1]}: as many teachers, classes and, for a Gram matrix, samples must "
                "come as in the first batch"
            )
        with torch.autocast(read.device.type, enabled=False):
            hidden = F.relu(self.first(read.to(self.first.weight.dtype)))
            return F.softmax(self.last(hidden), dim=1)
