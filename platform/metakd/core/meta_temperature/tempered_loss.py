"""The distillation loss as a function of what is learned in it."""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.losses import Losses, Scale, TaskLoss, distillation_loss
from metakd.core.temperatures import Temperatures

ALPHA_MARGIN = 0.01


class TemperedLoss(nn.Module):
    """L(z_s, z_t, y; φ), with φ the temperatures and, if it is learned too, the weight α.

    Args:
        temperatures: τ_s and τ_t, in any form.
        alpha: Weight of the teacher's term, in [0, 1]; where it is learned, where it starts.
        learn_alpha: Whether logit(α) belongs to φ; α then stays in [0.01, 0.99].
        scale: What keeps the size of the teacher's gradient; see ``distillation_loss``.

    Attributes:
        group: The ranks of a DDP student, None without.
    """

    def __init__(
        self, temperatures: Temperatures, alpha: float, learn_alpha: bool, scale: Scale
    ) -> None:
        super().__init__()
        self.temperatures = temperatures
        self.group: dist.ProcessGroup | None = None
        self._scale = scale
        self._alpha = alpha
        self.logit_alpha: nn.Parameter | None = None
        if learn_alpha:
            start = min(max(alpha, ALPHA_MARGIN), 1 - ALPHA_MARGIN)
            self.logit_alpha = nn.Parameter(torch.tensor(math.log(start / (1 - start))))

    def forward(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor,
        labels: Tensor,
        shift: Tensor | None = None,
        task_loss: TaskLoss = F.cross_entropy,
    ) -> Losses:
        """Returns the batch's loss and its parts.

        Args:
            student_logits: z_s, (B, C).
            teacher_logits: z_t, (B, C).
            labels: Class indices (B,), or probabilities (B, C).
            shift: (2,), added to log τ_s and log τ_t; its gradient at zero is that of a common
                relative change of all temperatures, in whatever form they are learned.
            task_loss: What the labels contribute.
        """
        tau_s, tau_t = self.temperatures(student_logits.detach(), teacher_logits, labels)
        if shift is not None:
            factor_s, factor_t = shift.exp().unbind()
            tau_s, tau_t = tau_s * factor_s, tau_t * factor_t
        alpha = self._alpha if self.logit_alpha is None else torch.sigmoid(self.logit_alpha)
        return distillation_loss(
            student_logits,
            teacher_logits,
            labels,
            tau_s,
            tau_t,
            alpha,
            self._scale,
            task_loss,
            self.group,
        )

    @property
    def phi(self) -> list[nn.Parameter]:
        """What is learned."""
        weights = [] if self.logit_alpha is None else [self.logit_alpha]
        return [*self.temperatures.parameters(), *weights]

    @property
    def alpha(self) -> float:
        """The present weight of the teacher's term."""
        if self.logit_alpha is None:
            return self._alpha
        return float(torch.sigmoid(self.logit_alpha.detach()))

    @torch.no_grad()
    def clamp_(self) -> None:
        """Brings everything learned back inside its bounds."""
        self.temperatures.clamp_()
        if self.logit_alpha is not None:
            bound = math.log((1 - ALPHA_MARGIN) / ALPHA_MARGIN)
            self.logit_alpha.clamp_(-bound, bound)
