"""The loss of one batch at learned temperatures, whatever the shape of its logits."""

import logging
import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from metakd.core.lookahead import Linearised
from metakd.core.losses import Losses, Scale, TaskLoss, at_least_float32, distillation_loss
from metakd.core.meta_temperature.rows import Rows, finite
from metakd.core.meta_temperature.rules import SeenStep
from metakd.core.temperatures import Temperatures

ALPHA_MARGIN = 0.01
_logger = logging.getLogger(__name__)
IGNORED_BY_CROSS_ENTROPY = -100
SUM_TOLERANCE = 1e-2
"""Class probabilities may add up to 1 only so nearly, in half precision."""


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
        """Clamps everything learned to its bounds."""
        self.temperatures.clamp_()
        if self.logit_alpha is not None:
            bound = math.log((1 - ALPHA_MARGIN) / ALPHA_MARGIN)
            self.logit_alpha.clamp_(-bound, bound)


@dataclass(frozen=True)
class BatchLoss:
    """A batch's loss as a function of the student's logits, with the graph to φ.

    Attributes:
        tempered: L(·; φ).
        rows: How logits become rows of class scores, and which of these count.
        teacher_logits: z_t, of the logits' shape.
        labels: Class indices, or class probabilities.
        task_loss: Of logits and labels; cross-entropy is taken over the rows, any other is given
            both as they are.
        shift: See ``TemperedLoss.forward``.
    """

    tempered: TemperedLoss
    rows: Rows
    teacher_logits: Tensor
    labels: Tensor
    task_loss: TaskLoss
    shift: Tensor | None = None

    def __call__(self, student_logits: Tensor) -> Tensor:
        """Returns the scalar batch mean."""
        return self.losses(student_logits).total

    def losses(self, student_logits: Tensor) -> Losses:
        """Returns it with its parts."""
        student_logits = at_least_float32(student_logits)
        student_rows = self.rows.of(student_logits)

        def of_labels(_: Tensor, labels: Tensor) -> Tensor:
            if self.task_loss is F.cross_entropy:
                return F.cross_entropy(student_rows, labels)
            return self.task_loss(student_logits, self.labels)

        losses: Losses = self.tempered(
            finite(student_rows),
            self.teacher_rows.to(student_rows.dtype),
            self.rows.of_labels(self.labels),
            self.shift,
            of_labels,
        )
        return losses

    @property
    def teacher_rows(self) -> Tensor:
        """z_t as rows of class scores, (N, C)."""
        return finite(at_least_float32(self.rows.of(self.teacher_logits)))

    def seen(self, linearised: Linearised) -> SeenStep:
        """Returns the step as rules see it, from the student's pass along a direction."""
        of_rows = linearised._replace(
            logits=finite(self.rows.of(linearised.logits)), tangent=self.rows.of(linearised.tangent)
        )
        return SeenStep(of_rows, self.teacher_rows)

    def require_classes(self, num_classes: int, classes: int) -> None:
        """Refuses a batch that does not fit temperatures of each class.

        Args:
            num_classes: Classes that have temperatures.
            classes: Classes of the logits.

        Raises:
            ValueError: If they differ, or a label is none of them.
        """
        if num_classes != classes:
            raise ValueError(
                f"num_classes={num_classes}, but the logits have {classes} classes: "
                f"MetaTemperature(form='per_class', num_classes={classes})"
            )
        labels = self.rows.of_labels(self.labels)
        if labels.is_floating_point() or len(labels) == 0:
            return
        low, high = (int(bound) for bound in labels.aminmax())
        if low < 0 or high >= classes:
            raise ValueError(
                f"per_class temperatures need labels in 0 to {classes - 1}, got {low} to {high}: "
                "where one of them means no class, leave it out, for example "
                f"MetaTemperature(ignore_index={low if low < 0 else high})"
            )

    @torch.no_grad()
    def check(self, student_logits: Tensor) -> None:
        """Refuses what no look-ahead could learn from, and says what may not be meant so.

        Raises:
            ValueError: If the student's classes are masked, and the teacher's are not.
        """
        masked = self.rows.of(student_logits).isneginf()
        if bool((masked & ~self.rows.of(self.teacher_logits).isneginf()).any()):
            raise ValueError(
                "the student's logits are −inf for classes to which the teacher gives a "
                "probability, so that their divergence is infinite: mask the same classes on both "
                "sides"
            )
        if self.labels.is_floating_point():
            if self.labels.shape == student_logits.shape:
                self._say_if_several_classes()
        elif self.task_loss is F.cross_entropy and self.rows.kept is None:
            self._say_if_ignored()

    def _say_if_several_classes(self) -> None:
        sums = self.labels.sum(dim=self.rows.class_dim)
        if bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
            _logger.warning(
                "labels of %.3g to %.3g classes at once: the teacher's term compares softmaxes "
                "over classes that exclude each other",
                *(float(bound) for bound in sums.aminmax()),
            )

    def _say_if_ignored(self) -> None:
        ignored = int((self.labels == IGNORED_BY_CROSS_ENTROPY).sum())
        if ignored:
            _logger.warning(
                "%d of %d labels are −100: cross-entropy leaves these samples out, the teacher's "
                "term does not; MetaTemperature(ignore_index=-100) leaves them out of both",
                ignored,
                self.labels.numel(),
            )
