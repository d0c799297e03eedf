"""The distillation loss with one temperature for each side.

Shapes: B samples, C classes; logits are (B, C), labels (B,).
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

Temperature = float | Tensor


class Losses(NamedTuple):
    """A batch's loss and its parts, each a scalar batch mean.

    Attributes:
        total: What the student descends.
        ce: Cross-entropy with the labels.
        kd: The temperature-scaled divergence from the teacher, before its weight; None where no
            teacher is asked.
    """

    total: Tensor
    ce: Tensor
    kd: Tensor | None

    def detach(self) -> "Losses":
        """Returns the same values without their graph."""
        kd = None if self.kd is None else self.kd.detach()
        return Losses(self.total.detach(), self.ce.detach(), kd)


def tempered_divergence(
    student_logits: Tensor, teacher_logits: Tensor, tau_s: Temperature, tau_t: Temperature
) -> Tensor:
    """Returns KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)) per sample, shape (B,).

    Source: Hinton et al. 2015 (arXiv 1503.02531), section 2, with the two temperatures apart as in
    MKD (arXiv 2202.07940).
    """
    log_p = F.log_softmax(teacher_logits / tau_t, dim=1)
    log_q = F.log_softmax(student_logits / tau_s, dim=1)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    tau_s: Temperature,
    tau_t: Temperature,
    alpha: float,
) -> Losses:
    """Returns (1−α) CE(z_s, y) + α τ_s τ_t KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)), batch mean.

    At τ_s = τ_t = τ this is Hinton's loss with its τ². The factor keeps the size of the gradient at
    the logits comparable over temperatures, and it is differentiated with them: detached or left
    out, a meta-gradient can switch the teacher off by raising τ.
    """
    ce = F.cross_entropy(student_logits, labels)
    divergence = tempered_divergence(student_logits, teacher_logits, tau_s, tau_t)
    kd = tau_s * tau_t * divergence.mean()
    return Losses((1 - alpha) * ce + alpha * kd, ce, kd)
