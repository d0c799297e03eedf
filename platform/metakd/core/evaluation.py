"""Accuracy and cross-entropy of a model on samples that it does not train on."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.batches import Inputs
from metakd.core.losses import at_least_float32


class Evaluation(NamedTuple):
    """Accuracy in [0, 1], and the mean cross-entropy in nats."""

    accuracy: float
    loss: float


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Inputs, Tensor]],
    group: dist.ProcessGroup | None = None,
) -> Evaluation:
    """Evaluates the model in evaluation mode, and leaves it in the mode it had.

    Args:
        model: Maps (B, ...) inputs to (B, C) logits.
        batches: Inputs (B, ...) and classes (B,) int64 of all samples; how many samples a batch has
            changes memory, not the result.
        group: Ranks that each have a share of the samples, which may be empty.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    corrects: list[Tensor] = []
    losses: list[Tensor] = []
    samples = 0
    for inputs, labels in batches:
        logits = at_least_float32(model(inputs))
        corrects.append((logits.argmax(dim=1) == labels).sum())
        losses.append(F.cross_entropy(logits, labels, reduction="sum"))
        samples += len(labels)
    model.train(was_training)
    correct = torch.stack(corrects).sum() if samples else torch.zeros(())
    loss = torch.stack(losses).double().sum() if samples else torch.zeros(())
    if group is None:
        return Evaluation(float(correct) / samples, float(loss) / samples)
    sums = torch.tensor([correct, loss, samples], dtype=torch.float64, device=device)
    dist.all_reduce(sums, group=group)
    correct_sum, loss_sum, count = sums.tolist()
    return Evaluation(correct_sum / count, loss_sum / count)
