"""The distillation loss with one temperature for each side, whole and decoupled.

Shapes: B samples, C classes; logits are (B, C). Labels are class indices (B,), or class
probabilities (B, C) as mixup and label smoothing make them. A temperature is one number, or one for
each sample, (B,).
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from metakd.core.ranks import norms_over_ranks

Temperature = float | Tensor
TaskLoss = Callable[[Tensor, Tensor], Tensor]
Scale = Literal["product", "detached", "free"]
REFERENCE_TAU = 4.0
LARGEST_GAIN = 1000.0


class Losses(NamedTuple):
    """A batch's loss and its parts, each a scalar batch mean.

    Attributes:
        total: What the student descends.
        ce: Cross-entropy with the labels.
        kd: The temperature-scaled divergence from the teacher, before its weight; None where no
            teacher is used.
        features: The distance from the teachers' features, before its weight; None where
            they are not used.
    """

    total: Tensor
    ce: Tensor
    kd: Tensor | None
    features: Tensor | None = None

    def detach(self) -> "Losses":
        """Returns the same values without their graph."""
        kd = None if self.kd is None else self.kd.detach()
        features = None if self.features is None else self.features.detach()
        return Losses(self.total.detach(), self.ce.detach(), kd, features)


def require_same_classes(student_logits: Tensor, teacher_logits: Tensor) -> None:
    """Raises ``ValueError`` unless both sides have logits of one shape."""
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            "student and teacher must give logits of the same shape (B, C), got "
            f"{tuple(student_logits.shape)} and {tuple(teacher_logits.shape)}: give both heads the "
            "same classes, and both models the same batch"
        )


def tempered_divergence(
    student_logits: Tensor, teacher_logits: Tensor, tau_s: Temperature, tau_t: Temperature
) -> Tensor:
    """Returns KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)) per sample, shape (B,).

    Source: Hinton et al. 2015 (arXiv 1503.02531), section 2, with the two temperatures apart as in
    MKD (arXiv 2202.07940).
    """
    log_p = F.log_softmax(teacher_logits / _for_rows(tau_t), dim=1)
    log_q = F.log_softmax(student_logits / _for_rows(tau_s), dim=1)
    return divergence_of(log_q, log_p)


def decoupled_divergences(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, tau: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the divergences of the target class and among the other ones, each (B,).

    The first is KL of (p_y, 1 − p_y), the second KL of softmax over the classes other than y; with
    two classes the second is 0. No probability is ever formed whose logarithm is then taken: both
    are finite wherever the logits over τ are.

    Source: DKD (Zhao et al. 2022, arXiv 2203.08679), equations 5 to 7: the whole divergence is the
    first plus (1 − p_y of the teacher) times the second.

    Args:
        student_logits: z_s, (B, C).
        teacher_logits: z_t, (B, C).
        labels: Class indices (B,); of probabilities (B, C) the largest is taken for the target.
        tau: The temperature of both sides, a scalar.
    """
    target = classes_of(labels)
    is_target = torch.zeros_like(student_logits, dtype=torch.bool).scatter(1, target[:, None], True)

    def decoupled(logits: Tensor) -> tuple[Tensor, Tensor]:
        z = logits / tau
        others = z.masked_fill(is_target, -torch.inf)
        return one_against_rest(z, target), F.log_softmax(others, dim=1).masked_fill(is_target, 0.0)

    student, teacher = decoupled(student_logits), decoupled(teacher_logits)
    return divergence_of(student[0], teacher[0]), divergence_of(student[1], teacher[1])


def classes_of(labels: Tensor) -> Tensor:
    """Returns class indices (B,); of probabilities (B, C) the largest."""
    return labels if labels.dim() == 1 else labels.argmax(dim=1)


def one_against_rest(logits: Tensor, classes: Tensor) -> Tensor:
    """Returns log p of one class of each row, and of all others together, (B, 2).

    Neither is the logarithm of a probability that may have underflowed.

    Args:
        logits: (B, C).
        classes: The class of each row, (B,).
    """
    one = classes[:, None]
    rest = logits.scatter(1, one, -torch.inf).logsumexp(dim=1, keepdim=True)
    log_odds = logits.gather(1, one) - rest
    return F.logsigmoid(torch.cat([log_odds, -log_odds], dim=1))


def decoupled_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    tau: float | Tensor,
    target_weight: float,
    others_weight: float,
) -> Tensor:
    """Returns τ² (α TCKD + β NCKD), the batch mean of ``decoupled_divergences``; scalar.

    Args:
        student_logits: z_s, (B, C).
        teacher_logits: z_t, (B, C).
        labels: Class indices (B,), or probabilities (B, C).
        tau: The temperature of both sides; where it is a scalar tensor, with its graph.
        target_weight: α, of the target class.
        others_weight: β, of the other classes.

    Raises:
        ValueError: If the logits differ in shape.
    """
    require_same_classes(student_logits, teacher_logits)
    target, others = decoupled_divergences(student_logits, teacher_logits, labels, tau)
    return tau**2 * (target_weight * target + others_weight * others).mean()


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    tau_s: Temperature,
    tau_t: Temperature,
    alpha: float | Tensor,
    scale: Scale = "product",
    task_loss: TaskLoss = F.cross_entropy,
    group: dist.ProcessGroup | None = None,
) -> Losses:
    """Returns (1−α) CE(z_s, y) + α s KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)), batch mean.

    Args:
        student_logits: z_s, (B, C).
        teacher_logits: z_t, (B, C).
        labels: Class indices (B,), or probabilities (B, C).
        tau_s: The student's temperature.
        tau_t: The teacher's temperature.
        alpha: Weight of the teacher's term, in [0, 1].
        scale: What multiplies the divergence, so that its gradient at the logits keeps its size:
            ``product`` is s = τ_s τ_t, Hinton's τ² where both are equal, differentiated with them;
            ``detached`` the same without its derivative;
            ``free`` the factor that gives the batch the gradient norm which Hinton's term has at
            τ = 4, so that temperatures turn the gradient and cannot stand in for α or a rate.
        task_loss: What stands in for CE, of logits and labels; a scalar.
        group: The ranks of a DDP student, each of which has its share of the batch.

    Raises:
        ValueError: If the logits differ in shape.
    """
    require_same_classes(student_logits, teacher_logits)
    ce = task_loss(student_logits, labels)
    divergence = tempered_divergence(student_logits, teacher_logits, tau_s, tau_t)
    slope = partial(divergence_gradient, student_logits.detach(), teacher_logits)
    return scaled_losses(ce, divergence, slope, tau_s, tau_t, 1 - alpha, alpha, scale, group)


def scaled_losses(
    ce: Tensor,
    divergence: Tensor,
    slope: Callable[[Temperature, Temperature], Tensor],
    tau_s: Temperature,
    tau_t: Temperature,
    ce_weight: float | Tensor,
    alpha: float | Tensor,
    scale: Scale,
    group: dist.ProcessGroup | None,
) -> Losses:
    """Returns the labels' term and the teachers' at their weights and scale, batch means.

    Args:
        ce: The labels' term, a scalar.
        divergence: From the teachers at these temperatures, of each sample, (B,).
        slope: Its gradient at the student's logits, (B, C), as a function of τ_s and τ_t.
        tau_s: The student's temperature.
        tau_t: The teachers' temperature.
        ce_weight: Weight of the labels' term.
        alpha: Weight of the teachers' term.
        scale: See ``distillation_loss``.
        group: The ranks of a DDP student, each of which has its share of the batch.
    """
    match scale:
        case "product":
            factor = tau_s * tau_t
        case "detached":
            product = tau_s * tau_t
            factor = product.detach() if isinstance(product, Tensor) else product
        case "free":
            factor = equalising_factor(
                slope(tau_s, tau_t), slope(REFERENCE_TAU, REFERENCE_TAU), group
            )
    kd = (factor * divergence).mean()
    return Losses(ce_weight * ce + alpha * kd, ce, kd)


def equalising_factor(
    present: Tensor, reference: Tensor, group: dist.ProcessGroup | None
) -> Tensor:
    """Returns s with ‖∂ (s KL) / ∂z‖ over the batch equal to that of τ² KL at τ = 4.

    Where both sides are certain of the same class the gradient vanishes, and has no direction left
    that could be scaled up: s stays below ``LARGEST_GAIN`` times its value at τ = 4.

    Args:
        present: ∂KL/∂z of each sample at the present temperatures, (B, C).
        reference: The same at τ = 4.
        group: The ranks of a DDP student, each of which has its share of the batch.
    """
    present, reference = norms_over_ranks(present, reference, group=group)
    least = (reference / LARGEST_GAIN).clamp_min(torch.finfo(present.dtype).tiny)
    factor: Tensor = REFERENCE_TAU**2 * reference / torch.maximum(present, least)
    return factor


def divergence_gradient(
    student_logits: Tensor, teacher_logits: Tensor, tau_s: Temperature, tau_t: Temperature
) -> Tensor:
    """Returns ∂KL/∂z_s of each sample, (B, C)."""
    q = F.softmax(student_logits / _for_rows(tau_s), dim=1)
    p = F.softmax(teacher_logits / _for_rows(tau_t), dim=1)
    return (q - p) / _for_rows(tau_s)


def divergence_of(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Returns KL(p ‖ q) of each row, (B,), from their logarithms."""
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)


def _for_rows(tau: Temperature) -> Temperature:
    return tau[:, None] if isinstance(tau, Tensor) and tau.dim() == 1 else tau


def at_least_float32(tensor: Tensor) -> Tensor:
    """Returns half and bfloat16 as float32, anything finer as it is."""
    return tensor.float() if tensor.dtype.itemsize < torch.float32.itemsize else tensor
