"""The loss of one batch, whatever the shape of its logits, and what is refused about it."""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from metakd.core.lookahead import Linearised
from metakd.core.losses import Losses, TaskLoss, at_least_float32
from metakd.core.meta_temperature.rows import Rows, finite
from metakd.core.meta_temperature.rule import SeenStep
from metakd.core.meta_temperature.tempered_loss import TemperedLoss

_logger = logging.getLogger(__name__)
IGNORED_BY_CROSS_ENTROPY = -100
SUM_TOLERANCE = 1e-2
"""Class probabilities may add up to 1 only so nearly, in half precision."""


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
