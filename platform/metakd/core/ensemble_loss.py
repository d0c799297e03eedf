"""The distillation loss of several teachers at once, each weighted for each sample.

Shapes: B samples, K teachers, C classes; the teachers' logits are (B, K, C), weights (B, K).
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from metakd.core.losses import (
    Losses,
    Scale,
    TaskLoss,
    Temperature,
    divergence_gradient,
    scaled_losses,
    tempered_divergence,
)


class TeachersError(ValueError):
    """Several teachers that cannot teach one student together."""


def require_same_classes_of_all(student_logits: Tensor, ensemble_logits: Tensor) -> None:
    """Raises ``TeachersError`` unless all teachers have the student's samples and classes."""
    samples, classes = student_logits.shape
    if ensemble_logits.dim() != 3 or ensemble_logits.shape[::2] != (samples, classes):
        raise TeachersError(
            f"the student gives logits {tuple(student_logits.shape)}, so K teachers must give "
            f"({samples}, K, {classes}), got {tuple(ensemble_logits.shape)}: give all heads the "
            "same classes, and all models the same batch"
        )


def stacked(teachers: Sequence[Tensor]) -> Tensor:
    """Returns the logits of K teachers, each (B, C), as one tensor (B, K, C).

    Raises:
        TeachersError: If there are none, or they differ in shape.
    """
    shapes = {tuple(logits.shape) for logits in teachers}
    if len(shapes) != 1:
        found = ", ".join(str(tuple(logits.shape)) for logits in teachers) or "none"
        raise TeachersError(
            f"all teachers must give logits of one shape (B, C), got {found}: give all heads the "
            "same classes"
        )
    return torch.stack(list(teachers), dim=1)


def teachers_divergences(
    student_logits: Tensor, ensemble_logits: Tensor, tau_s: Temperature, tau_t: Temperature
) -> Tensor:
    """Returns KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)) of each sample and teacher, (B, K).

    Args:
        student_logits: z_s, (B, C).
        ensemble_logits: z_t of every teacher, (B, K, C).
        tau_s: The student's temperature, one number or one for each sample (B,).
        tau_t: The teachers' temperature, likewise.
    """
    divergences = [
        tempered_divergence(student_logits, teacher_logits, tau_s, tau_t)
        for teacher_logits in ensemble_logits.unbind(dim=1)
    ]
    return torch.stack(divergences, dim=1)


def ensemble_loss(
    student_logits: Tensor,
    ensemble_logits: Tensor,
    weights: Tensor,
    labels: Tensor,
    tau_s: Temperature,
    tau_t: Temperature,
    alpha: float | Tensor,
    ce_weight: float | Tensor | None = None,
    scale: Scale = "product",
    task_loss: TaskLoss = F.cross_entropy,
    group: dist.ProcessGroup | None = None,
) -> Losses:
    """Returns w CE(z_s, y) + α s Σ_k w_k KL(softmax(z_k/τ_t) ‖ softmax(z_s/τ_s)), batch mean.

    With one teacher of weight 1 it is ``distillation_loss``, to the last bit.

    Source: MMKD (Zhang et al. 2023, arXiv 2306.06634), the logits' part of the student's loss.

    Args:
        student_logits: z_s, (B, C).
        ensemble_logits: z_k, (B, K, C).
        weights: w_k of each sample, (B, K), rows summing to 1.
        labels: Class indices (B,), or probabilities (B, C).
        tau_s: The student's temperature.
        tau_t: The teachers' temperature.
        alpha: Weight of the teachers' term.
        ce_weight: Weight of the labels' term; None takes 1 − α.
        scale: As in ``distillation_loss``; ``free`` keeps the size that the weighted term has at
            τ = 4.
        task_loss: What stands in for CE, of logits and labels; a scalar.
        group: The ranks of a DDP student, each of which has its share of the batch.

    Raises:
        TeachersError: If the logits do not fit each other.
    """
    require_same_classes_of_all(student_logits, ensemble_logits)
    ce = task_loss(student_logits, labels)
    divergences = teachers_divergences(student_logits, ensemble_logits, tau_s, tau_t)
    divergence = (weights * divergences).sum(dim=1)
    slope = partial(_gradient, student_logits.detach(), ensemble_logits, weights)
    labels_weight = 1 - alpha if ce_weight is None else ce_weight
    return scaled_losses(ce, divergence, slope, tau_s, tau_t, labels_weight, alpha, scale, group)


def _gradient(
    student_logits: Tensor,
    ensemble_logits: Tensor,
    weights: Tensor,
    tau_s: Temperature,
    tau_t: Temperature,
) -> Tensor:
    """Returns ∂/∂z_s of the weighted divergence of each sample, (B, C)."""
    slopes = [
        divergence_gradient(student_logits, teacher_logits, tau_s, tau_t)
        for teacher_logits in ensemble_logits.unbind(dim=1)
    ]
    return (weights[:, :, None] * torch.stack(slopes, dim=1)).sum(dim=1)
