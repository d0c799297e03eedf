"""NormKD (Chi et al. 2023, arXiv 2308.00520): each sample is tempered by its own logits."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.deviation import deviations
from metakd.core.distillers.logit_std import LogitStd, LogitStdConfig
from metakd.core.losses import Losses, require_same_classes, tempered_divergence


@dataclass(frozen=True)
class NormKDConfig(LogitStdConfig):
    """KD at temperatures that are multiples of each sample's standard deviation, on either side.

    A softmax is blind to the mean of its logits, so that this is the divergence of logit
    standardisation (``LogitStdConfig``): the two differ in its weight alone, here 0.9 times the
    square of the teacher's own temperature for the sample, there 9 times that of the base
    temperature for all samples. Samples with widely spread teacher logits count most.

    The defaults are those of the published code, gizi1/NormKD. ``reference()`` differs from them in
    one point: its standard deviation is the unbiased one, over C − 1, as if τ were √(C/(C−1)) times
    as large, 5 % with ten classes. The paper's own formula was not at hand; the defaults divide by
    C as logit standardisation's paper does, so that the two stay comparable.

    The published code divides by a standard deviation of 0 where all logits of a sample are equal,
    and the loss is no number from there on. Neither preset does: there the temperature is τ itself.

    Two logits over their standard deviation are 2 apart whatever the model says: the loss has no
    gradient before there are three classes.
    """

    method: ClassVar[str] = "normkd"
    version: ClassVar[int] = 1

    kd_weight: float = 0.9
    """Weight of the teacher's term, at least 0."""

    def build(self) -> "NormKD":
        """Returns the distiller."""
        return NormKD(self)


class NormKD(LogitStd):
    """L = w_ce CE(z_s, y) + w_kd mean[τ_t² KL(softmax(z_t/τ_t) ‖ softmax(z_s/τ_s))].

    τ_t is τ times the standard deviation of z_t, and τ_s that of z_s, with its graph: the gradient
    does not change how far the student's logits spread.
    """

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch; labels may be probabilities."""
        assert batch.teacher_logits is not None
        require_same_classes(logits, batch.teacher_logits)
        c = self._config
        tau_s, tau_t = (c.tau * deviations(z, c.deviation) for z in (logits, batch.teacher_logits))
        ce = F.cross_entropy(logits, batch.labels)
        divergence = tempered_divergence(logits, batch.teacher_logits, tau_s, tau_t)
        kd = (tau_t.square() * divergence).mean()
        return Losses(c.ce_weight * ce + c.kd_weight * kd, ce, kd)
