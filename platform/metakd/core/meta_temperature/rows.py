"""Logits of any shape as rows of class scores: along which dimension, and which rows count."""

from dataclasses import dataclass

from torch import Tensor

LEAST_LOGIT = -1e4
"""Stands in for −inf: softmax gives exactly 0 at any temperature, and its slope by τ is finite."""


@dataclass(frozen=True)
class Rows:
    """How the logits of a batch, (B, C) or with further dimensions, become rows (N, C).

    Attributes:
        class_dim: The dimension of the classes, counted from 0.
        kept: Which rows count, (B · …,) bool; None where all do.
    """

    class_dim: int
    kept: Tensor | None

    def of(self, scores: Tensor) -> Tensor:
        """Returns what has the logits' shape as (N, C)."""
        if scores.dim() > 2:
            scores = scores.movedim(self.class_dim, -1).flatten(0, -2)
        return scores if self.kept is None else scores[self.kept]

    def of_labels(self, labels: Tensor) -> Tensor:
        """Returns class indices as (N,), class probabilities as (N, C)."""
        if labels.is_floating_point():
            return self.of(labels)
        labels = labels.flatten()
        return labels if self.kept is None else labels[self.kept]


def rows_of(
    logits: Tensor, labels: Tensor, class_dim: int | None, ignore_index: int | None
) -> Rows:
    """Finds the classes' dimension, and the rows whose label says that they do not count.

    Args:
        logits: (B, C), or with further dimensions, such as (B, T, V) or (B, C, H, W).
        labels: Class indices, of the logits' shape without the classes; or class probabilities.
        class_dim: Where the classes are, if it was said.
        ignore_index: The label of rows that do not count; None where all do.

    Raises:
        ValueError: If it is not clear where the classes are, or there are fewer than two.
    """
    dim = _class_dim(logits, labels, class_dim)
    if logits.shape[dim] < 2:
        raise ValueError(
            f"a temperature softens a softmax over two classes or more, got logits "
            f"{tuple(logits.shape)} with {logits.shape[dim]} in dimension {dim}: give a binary "
            "student two logits, (0, z), or leave the teacher's term out"
        )
    is_index = not labels.is_floating_point() and (
        labels.numel() * logits.shape[dim] == logits.numel()
    )
    if ignore_index is None or not is_index:
        return Rows(dim, None)
    kept = labels.flatten() != ignore_index
    return Rows(dim, None if bool(kept.all()) else kept)


def _class_dim(logits: Tensor, labels: Tensor, named: int | None) -> int:
    shape = tuple(logits.shape)
    if named is not None:
        if not -logits.dim() <= named < logits.dim() or named % logits.dim() == 0:
            raise ValueError(
                f"class_dim={named} is no dimension of logits {shape} beside the batch's"
            )
        return named % logits.dim()
    if logits.dim() == 2:
        return 1
    found = [
        dim
        for dim in range(1, logits.dim())
        if shape[:dim] + shape[dim + 1 :] == tuple(labels.shape)
    ]
    if len(found) != 1:
        raise ValueError(
            f"logits {shape} with labels {tuple(labels.shape)} leave open which dimension holds "
            "the classes: name it, MetaTemperature(class_dim=-1) for (B, T, V), class_dim=1 for "
            "(B, C, H, W); a student has two classes or more"
        )
    return found[0]


def finite(logits: Tensor) -> Tensor:
    """Returns logits with a finite number, which is as good, for −inf: that of masked classes."""
    return logits.clamp_min(LEAST_LOGIT)
