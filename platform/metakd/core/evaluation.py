"""Accuracy and cross-entropy of a model on samples that it does not train on."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Evaluation(NamedTuple):
    """Accuracy in [0, 1], and the mean cross-entropy in nats."""

    accuracy: float
    loss: float


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor, batch_size: int) -> Evaluation:
    """Evaluates the model in evaluation mode, and leaves it in the mode it had.

    Args:
        model: Maps (B, ...) inputs to (B, C) logits.
        inputs: All samples, (N, ...).
        labels: Their classes, (N,), int64.
        batch_size: How many samples go through at once; it changes memory, not the result.
    """
    was_training = model.training
    model.eval()
    correct = torch.zeros((), dtype=torch.int64, device=labels.device)
    loss = torch.zeros((), dtype=torch.float64, device=labels.device)
    for x, y in zip(inputs.split(batch_size), labels.split(batch_size), strict=True):
        logits = model(x)
        correct += (logits.argmax(dim=1) == y).sum()
        loss += F.cross_entropy(logits, y, reduction="sum").double()
    model.train(was_training)
    return Evaluation(correct.item() / len(labels), loss.item() / len(labels))
