"""Accuracy and cross-entropy of a model on samples that it does not train on."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Evaluation(NamedTuple):
    """Accuracy in [0, 1], and the mean cross-entropy in nats."""

    accuracy: float
    loss: float


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Evaluation:
    """Evaluates the model in evaluation mode, and leaves it in the mode it had.

    Args:
        model: Maps (B, ...) inputs to (B, C) logits.
        batches: Inputs (B, ...) and classes (B,) int64 of all samples; how many samples a batch has
            changes memory, not the result.
    """
    was_training = model.training
    model.eval()
    samples, seen = 0, []
    for inputs, labels in batches:
        logits = model(inputs)
        samples += len(labels)
        correct = (logits.argmax(dim=1) == labels).sum()
        seen.append(torch.stack([correct, F.cross_entropy(logits, labels, reduction="sum")]))
    model.train(was_training)
    correct, loss = torch.stack(seen).double().sum(dim=0)
    return Evaluation(correct.item() / samples, loss.item() / samples)
