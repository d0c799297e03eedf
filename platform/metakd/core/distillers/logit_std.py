"""Logit standardisation (Sun et al. 2024, arXiv 2403.01427): only the shape of logits is taught."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.deviation import Deviation, deviations, require_deviation
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_at_least_0, require_temperature
from metakd.core.losses import Losses, require_same_classes, tempered_divergence

REFERENCE_EPSILON = 1e-7


@dataclass(frozen=True)
class LogitStdConfig(DistillerConfig):
    """KD of logits standardised per sample; the defaults are those of the paper.

    ``reference()`` differs from the defaults in two points:

    - its standard deviation is the unbiased one, over C − 1, where the paper's Algorithm 1 has the
      one over C: as if τ were √(C/(C−1)) times as large, 5 % with ten classes;
    - it adds 1e-7 to it and divides by that even where all logits are equal, which multiplies the
      gradient by ten million; by default such a sample counts as standardised already.

    Two standardised logits are ±1 whatever the model says: the loss has no gradient before there
    are three classes.
    """

    method: ClassVar[str] = "logit_std"
    version: ClassVar[int] = 1

    tau: float = 2.0
    """The temperature of both sides, in standard deviations of a sample's logits, above 0."""
    ce_weight: float = 0.1
    """Weight of the labels' term, at least 0."""
    kd_weight: float = 9.0
    """Weight of the teacher's term, at least 0."""
    deviation: Deviation = "population"
    """The standard deviation: population, the paper's, or unbiased, the reference code's."""

    def __post_init__(self) -> None:
        require_temperature("tau", self.tau)
        require_at_least_0("ce_weight", self.ce_weight)
        require_at_least_0("kd_weight", self.kd_weight)
        require_deviation(self.deviation)

    @classmethod
    def reference(cls) -> Self:
        """Returns what sunshangquan/logit-standardization-KD does."""
        return cls(deviation="unbiased")

    @property
    def min_classes(self) -> int:
        """Three: of two, one other class has nothing to tell apart."""
        return 3

    def build(self) -> "LogitStd":
        """Returns the distiller."""
        return LogitStd(self)


class LogitStd(Distiller):
    """L = w_ce CE(z_s, y) + w_kd τ² KL(softmax(Z(z_t)/τ) ‖ softmax(Z(z_s)/τ))."""

    def __init__(self, config: LogitStdConfig) -> None:
        self._config = config

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch; labels may be probabilities."""
        assert batch.teacher_logits is not None
        require_same_classes(logits, batch.teacher_logits)
        c = self._config
        z_s, z_t = (standardised(z, c.deviation) for z in (logits, batch.teacher_logits))
        ce = F.cross_entropy(logits, batch.labels)
        kd = c.tau**2 * tempered_divergence(z_s, z_t, c.tau, c.tau).mean()
        return Losses(c.ce_weight * ce + c.kd_weight * kd, ce, kd)

    def temperatures(self) -> tuple[float, float]:
        """Returns the base temperature twice; each sample's own is that times its deviation."""
        return self._config.tau, self._config.tau


def standardised(logits: Tensor, deviation: Deviation) -> Tensor:
    """Returns each row less its mean, over its standard deviation, (B, C).

    Args:
        logits: (B, C).
        deviation: See ``LogitStdConfig``.
    """
    centred = logits - logits.mean(dim=1, keepdim=True)
    if deviation == "unbiased":
        return centred / (REFERENCE_EPSILON + logits.std(dim=1, keepdim=True))
    return centred / deviations(logits, deviation)[:, None]
