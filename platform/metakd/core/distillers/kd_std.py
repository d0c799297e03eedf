"""The control of logit standardisation: its temperatures, at the gradient size of plain KD."""

from dataclasses import dataclass
from typing import ClassVar

import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.deviation import deviations
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_share, require_temperature
from metakd.core.losses import (
    REFERENCE_TAU,
    Losses,
    divergence_gradient,
    equalising_factor,
    require_same_classes,
    tempered_divergence,
)
from metakd.core.ranks import ranks_of


@dataclass(frozen=True)
class KDStdConfig(DistillerConfig):
    """KD at τ times each sample's standard deviation, the gradient as large as Hinton's at τ = 4.

    Logit standardisation (``LogitStdConfig``) changes three things of KD at once: temperatures,
    the slope of the student's own standard deviation, and the size of the teacher's gradient. Its
    paper's Table 4 gains 0.2 points at a weight of 0.9 and up to 2.0 at 9; no published control
    holds the size. In this chain each step changes one of the three:

    - ``KDConfig()``: τ = 4;
    - ``KDStdConfig(through_deviation=False)``: each sample has its own temperatures, which are
      constants to the gradient; the size of the batch's gradient stays;
    - ``KDStdConfig()``: the gradient passes through the student's standard deviation, too. In
      every batch the teacher's part is parallel to that of logit standardisation at the same τ;
    - ``LogitStdConfig()``: the same at its loss weight, 9 τ².

    The slope of the deviation takes away the part of the gradient that is parallel to the student's
    centred logits, and would change how far they spread. Centring itself has no effect, as a
    softmax is blind to the mean.

    Two logits over their standard deviation are 2 apart whatever the model says: it needs three
    classes.
    """

    method: ClassVar[str] = "kd_std"
    version: ClassVar[int] = 1

    tau: float = 2.0
    """The temperature of both sides, in standard deviations of a sample's logits, above 0."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""
    through_deviation: bool = True
    """Whether the gradient passes through the student's standard deviation."""

    def __post_init__(self) -> None:
        require_temperature("tau", self.tau)
        require_share("alpha", self.alpha)

    @property
    def min_classes(self) -> int:
        """Three: of two, one other class has nothing to tell apart."""
        return 3

    def build(self) -> "KDStd":
        """Returns the distiller."""
        return KDStd(self)


class KDStd(Distiller):
    """L = (1−α) CE + α s mean KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s)); s is of each batch.

    τ_t is τ times the standard deviation of z_t, over C, and τ_s that of z_s.
    """

    def __init__(self, config: KDStdConfig) -> None:
        self._config = config
        self._group: dist.ProcessGroup | None = None

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Takes the norms of gradients over the ranks of a DDP student."""
        self._group = ranks_of(student)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch; labels may be probabilities."""
        assert batch.teacher_logits is not None
        require_same_classes(logits, batch.teacher_logits)
        c = self._config
        tau_s, tau_t = (c.tau * deviations(z, "population") for z in (logits, batch.teacher_logits))
        if not c.through_deviation:
            tau_s = tau_s.detach()
        divergence = tempered_divergence(logits, batch.teacher_logits, tau_s, tau_t)
        factor = equalising_factor(
            self._slope(logits.detach(), batch.teacher_logits, tau_s.detach(), tau_t),
            divergence_gradient(
                logits.detach(), batch.teacher_logits, REFERENCE_TAU, REFERENCE_TAU
            ),
            self._group,
        )
        ce = F.cross_entropy(logits, batch.labels)
        kd = factor * divergence.mean()
        return Losses((1 - c.alpha) * ce + c.alpha * kd, ce, kd)

    def temperatures(self) -> tuple[float, float]:
        """Returns the base temperature twice; each sample's own is that times its deviation."""
        return self._config.tau, self._config.tau

    def _slope(
        self, logits: Tensor, teacher_logits: Tensor, tau_s: Tensor, tau_t: Tensor
    ) -> Tensor:
        """Returns the gradient of each sample's divergence at the student's logits, (B, C)."""
        slope = divergence_gradient(logits, teacher_logits, tau_s, tau_t)
        if not self._config.through_deviation:
            return slope
        scores = (logits - logits.mean(dim=1, keepdim=True)) * (self._config.tau / tau_s)[:, None]
        return slope - scores * (slope * scores).mean(dim=1, keepdim=True)
