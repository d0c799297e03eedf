"""Decoupled knowledge distillation (Zhao et al. 2022, arXiv 2203.08679)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_at_least_0, require_temperature
from metakd.core.distillers.rise import progress_of_rise
from metakd.core.losses import Losses, decoupled_loss

PUBLISHED_WARMUP = 20.0


@dataclass(frozen=True)
class DKDConfig(DistillerConfig):
    """The target class and the other classes taught apart; the defaults are those of the paper.

    ``reference()`` differs from the defaults in one point: its warm-up takes 20 epochs, whatever
    the length of the run, so that a run of 20 epochs would have the teacher's full weight in its
    last alone. The defaults keep the published share, 20 of 240.

    The reference code takes logarithms of probabilities that underflow, and lowers the target's
    logit by 1000 rather than to −∞: neither preset does. With two classes nothing is left to teach
    beside the target, and the method is KD of other weights: it needs three.

    Where labels are probabilities the target is the class of the largest.
    """

    method: ClassVar[str] = "dkd"
    version: ClassVar[int] = 1

    tau: float = 4.0
    """The temperature of both sides, above 0."""
    ce_weight: float = 1.0
    """Weight of the labels' term, at least 0."""
    target_weight: float = 1.0
    """Weight of the target class's divergence, the paper's α, at least 0."""
    others_weight: float = 8.0
    """Weight of the divergence among the other classes, the paper's β, at least 0; for CIFAR-100 it
    is 2, 6 or 8, by pair."""
    warmup_epochs: float | None = None
    """Over how many epochs the teacher's weight rises to 1, at least 0; None: a twelfth of all."""

    def __post_init__(self) -> None:
        require_temperature("tau", self.tau)
        for name in ("ce_weight", "target_weight", "others_weight"):
            require_at_least_0(name, getattr(self, name))
        if self.warmup_epochs is not None:
            require_at_least_0("warmup_epochs", self.warmup_epochs)

    @classmethod
    def reference(cls) -> Self:
        """Returns what megvii-research/mdistiller does."""
        return cls(warmup_epochs=PUBLISHED_WARMUP)

    @property
    def min_classes(self) -> int:
        """Three: of two, one other class has nothing to tell apart."""
        return 3

    def build(self) -> "DKD":
        """Returns the distiller."""
        return DKD(self)


class DKD(Distiller):
    """L = w_ce CE(z_s, y) + w(epoch) τ² (w_target TCKD + w_others NCKD)."""

    def __init__(self, config: DKDConfig) -> None:
        self._config = config
        self._warmth = 1.0

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Sets the teacher's weight of the epoch."""
        self._warmth = progress_of_rise(epoch, epochs, self._config.warmup_epochs, PUBLISHED_WARMUP)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        assert batch.teacher_logits is not None
        c = self._config
        ce = F.cross_entropy(logits, batch.labels)
        kd = decoupled_loss(
            logits, batch.teacher_logits, batch.labels, c.tau, c.target_weight, c.others_weight
        )
        return Losses(c.ce_weight * ce + self._warmth * kd, ce, kd)

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed temperature of both sides."""
        return self._config.tau, self._config.tau
