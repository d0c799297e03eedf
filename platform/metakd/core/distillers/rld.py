"""Refined logits (RLD, Sun et al., ICCV 2025, arXiv 2408.07703): labels correct the teacher."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_at_least_0, require_temperature
from metakd.core.distillers.rise import progress_of_rise
from metakd.core.losses import (
    Losses,
    classes_of,
    divergence_of,
    one_against_rest,
    require_same_classes,
)

PUBLISHED_WARMUP = 20.0


@dataclass(frozen=True)
class RLDConfig(DistillerConfig):
    """A teacher's mistake is not taught: no class that it ranks above the true one is matched.

    Two things are: its confidence in its own prediction, by the student's in the true class, and
    its softmax over the classes that it ranks strictly below the true one.

    The defaults are those of the published code. ``reference()`` differs from them in one point, as
    with DKD: its warm-up takes 20 epochs, whatever the length of the run, where the defaults keep
    the published share, 20 of 240.

    The published code takes logarithms of probabilities that underflow: the loss is infinite where
    the student's of the true class is 0. It masks by logits of −1e9 rather than −∞. Neither preset
    does. Where the teacher ranks the true class last, or last but one, fewer than two classes are
    left to tell apart, and their divergence is exactly 0. With two classes that is always so: the
    method needs three.

    Where labels are probabilities the true class is that of the largest.
    """

    method: ClassVar[str] = "rld"
    version: ClassVar[int] = 1

    tau: float = 4.0
    """The temperature of both sides among the classes below the true one, above 0."""
    tau_confidence: float = 1.0
    """That of the confidences, above 0."""
    ce_weight: float = 1.0
    """Weight of the labels' term, at least 0."""
    confidence_weight: float = 1.0
    """Weight of the confidences' divergence, the paper's α, at least 0."""
    below_weight: float = 8.0
    """Weight of the divergence among the classes below the true one, the paper's β, at least 0."""
    warmup_epochs: float | None = None
    """Over how many epochs the teacher's weight rises to 1, at least 0; None: a twelfth of all."""

    def __post_init__(self) -> None:
        require_temperature("tau", self.tau)
        require_temperature("tau_confidence", self.tau_confidence)
        for name in ("ce_weight", "confidence_weight", "below_weight"):
            require_at_least_0(name, getattr(self, name))
        if self.warmup_epochs is not None:
            require_at_least_0("warmup_epochs", self.warmup_epochs)

    @classmethod
    def reference(cls) -> Self:
        """Returns what zju-SWJ/RLD does."""
        return cls(warmup_epochs=PUBLISHED_WARMUP)

    @property
    def min_classes(self) -> int:
        """Three: of two, one other class has nothing to tell apart."""
        return 3

    def build(self) -> "RLD":
        """Returns the distiller."""
        return RLD(self)


class RLD(Distiller):
    """L = w_ce CE(z_s, y) + w(epoch) (α τ_c² SCD + β τ² MCD), see ``refined_divergences``."""

    def __init__(self, config: RLDConfig) -> None:
        self._config = config
        self._warmth = 1.0

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Sets the teacher's weight of the epoch."""
        self._warmth = progress_of_rise(epoch, epochs, self._config.warmup_epochs, PUBLISHED_WARMUP)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        assert batch.teacher_logits is not None
        require_same_classes(logits, batch.teacher_logits)
        c = self._config
        ce = F.cross_entropy(logits, batch.labels)
        confidence, below = refined_divergences(
            logits, batch.teacher_logits, batch.labels, c.tau_confidence, c.tau
        )
        kd = (
            c.confidence_weight * c.tau_confidence**2 * confidence
            + c.below_weight * c.tau**2 * below
        ).mean()
        return Losses(c.ce_weight * ce + self._warmth * kd, ce, kd)

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed temperature of both sides among the classes below the true one."""
        return self._config.tau, self._config.tau


def refined_divergences(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    tau_confidence: float,
    tau: float,
) -> tuple[Tensor, Tensor]:
    """Returns the divergences of the confidences and among the classes below, each (B,).

    The first is KL of the teacher's (p_max, 1 − p_max) from the student's (q_y, 1 − q_y); the
    second that of the softmaxes over the classes whose teacher logit is less than that of y, 0
    where there are fewer than two. Both are finite wherever the logits over τ are.

    Source: RLD (Sun et al., arXiv 2408.07703): sample confidence and masked correlation.

    Args:
        student_logits: z_s, (B, C).
        teacher_logits: z_t, (B, C).
        labels: Class indices (B,); of probabilities (B, C) the largest is taken for the true one.
        tau_confidence: The temperature of the first, on both sides.
        tau: The temperature of the second, on both sides.
    """
    target, predicted = classes_of(labels), teacher_logits.argmax(dim=1)
    confidence = divergence_of(
        one_against_rest(student_logits / tau_confidence, target),
        one_against_rest(teacher_logits / tau_confidence, predicted),
    )
    is_below = teacher_logits < teacher_logits.gather(1, target[:, None])
    # A softmax over no class has no value: such a row keeps all of them, and is 0 by what follows.
    is_left_out = ~is_below & is_below.any(dim=1, keepdim=True)

    def below(logits: Tensor) -> Tensor:
        z = (logits / tau).masked_fill(is_left_out, -torch.inf)
        return F.log_softmax(z, dim=1).masked_fill(~is_below, 0.0)

    return confidence, divergence_of(below(student_logits), below(teacher_logits))
