"""The interface of every way to teach a student."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.hypergradient import LookAhead
from metakd.core.losses import Losses


class MetaStep(NamedTuple):
    """What a meta step saw.

    Attributes:
        meta_loss: M(θ'), scalar.
        gradient: dM/d(log τ_s, log τ_t), shape (2,).
        step_equivalents: Its cost, in forward and backward passes of one training batch.
    """

    meta_loss: Tensor
    gradient: Tensor
    step_equivalents: float


class Distiller(ABC):
    """Teaches a student: a loss at its logits, and perhaps a meta step after the student's."""

    @abstractmethod
    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss that the student descends on this batch."""

    def temperatures(self) -> tuple[float, float] | None:
        """Returns (τ_s, τ_t) as they stand, None where the method has none."""
        return None

    def is_meta_step(self, step: int) -> bool:
        """Says whether the step is followed by a meta step."""
        return False

    def meta_step(
        self, look_ahead: LookAhead, batch: Batch, logits: Tensor, meta_batch: Batch
    ) -> MetaStep:
        """Moves what is meta-learned, after the student's own step.

        Args:
            look_ahead: The student's step, remembered before its forward pass.
            batch: The batch of that step.
            logits: The student's logits in that step, (B, C).
            meta_batch: Held-out samples that judge the step.
        """
        raise NotImplementedError(f"{type(self).__name__} learns nothing but the student")
