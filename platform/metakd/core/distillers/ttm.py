"""Transformed teacher matching (Zheng & Yang, ICLR 2024, arXiv 2402.11148), plain and weighted."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_above_0, require_at_least_0
from metakd.core.losses import Losses, require_same_classes, tempered_divergence


@dataclass(frozen=True)
class TTMConfig(DistillerConfig):
    """The teacher alone tempered: its probabilities to the power of γ, which is τ_t = 1/γ, τ_s = 1.

    The defaults are those of the published code's one example, VGG13 → VGG8 on CIFAR-100, and of
    the paper's Table 8. The paper tunes both numbers for each pair of models: γ from 0.1 to 0.4,
    and a weight from 7 to 101.

    There is no factor τ²: the gradient at the logits is 45 (q − p), where KD at τ = 4 and α = 0.9
    has 3.6 (q − p). The divergence of a confident student grows as γ falls, and at γ near 0 its
    minimum is the uniform distribution. How flat the teacher becomes depends on the number of
    classes, too: with a margin of 10 logits and γ = 0.1, the likeliest class has 3 % among 100
    classes and 23 % among 10. Weights of 1 to 45 leave the labels little say: where a run diverges,
    or its student has to be less flat, the paper's gentler pairs are the ones to try, γ = 0.3 and a
    weight of 7 for ResNet-56 → ResNet-20.

    The published code raises float32 probabilities to the power of γ: one that underflows, 103
    logits below the largest, is 0 there, and its power at γ = 0.1 is not, 3e-5. Here γ multiplies
    the logits, which is the same and has no such limit. ``reference()`` has the defaults, as
    nothing else differs.
    """

    method: ClassVar[str] = "ttm"
    version: ClassVar[int] = 1

    gamma: float = 0.1
    """The power of the teacher's probabilities, above 0."""
    ce_weight: float = 1.0
    """Weight of the labels' term, at least 0."""
    kd_weight: float = 45.0
    """Weight of the teacher's term, the paper's β, at least 0."""

    def __post_init__(self) -> None:
        require_above_0("gamma", self.gamma)
        require_at_least_0("ce_weight", self.ce_weight)
        require_at_least_0("kd_weight", self.kd_weight)

    @classmethod
    def reference(cls) -> Self:
        """Returns what zkxufo/TTM does, up to probabilities that underflow."""
        return cls()

    def build(self) -> "TTM":
        """Returns the distiller."""
        return TTM(self)

    def weights(self, teacher_logits: Tensor) -> Tensor | float:
        """Returns how much each sample counts, (B,) or one number for all of them."""
        return 1.0


@dataclass(frozen=True)
class WTTMConfig(TTMConfig):
    """The same, each sample weighted by the power sum of its teacher's probabilities.

    U = Σ p^γ is 1 where the teacher is certain and C^(1−γ) where all classes are alike to it: at
    γ = 0.1, 63 with 100 classes and 7.9 with 10. Smooth samples count most, and fewer classes make
    the teacher's term smaller. The default weight is that of the paper's Table 8 for VGG13 → VGG8,
    a twentieth of TTM's; over its pairs it is 1.4 to 16. The published code has no example of its
    own for it.
    """

    method: ClassVar[str] = "wttm"
    version: ClassVar[int] = 1

    kd_weight: float = 2.25
    """Weight of the teacher's term, the paper's β, at least 0."""

    def weights(self, teacher_logits: Tensor) -> Tensor:
        """Returns the power sum of each sample, (B,)."""
        return (self.gamma * F.log_softmax(teacher_logits, dim=1)).logsumexp(dim=1).exp()


class TTM(Distiller):
    """L = w_ce CE(z_s, y) + w_kd mean[U KL(softmax(γ z_t) ‖ softmax(z_s))]; U is 1 in plain TTM."""

    def __init__(self, config: TTMConfig) -> None:
        self._config = config

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch; labels may be probabilities."""
        assert batch.teacher_logits is not None
        require_same_classes(logits, batch.teacher_logits)
        c = self._config
        ce = F.cross_entropy(logits, batch.labels)
        divergence = tempered_divergence(logits, batch.teacher_logits, *self.temperatures())
        kd = (c.weights(batch.teacher_logits) * divergence).mean()
        return Losses(c.ce_weight * ce + c.kd_weight * kd, ce, kd)

    def temperatures(self) -> tuple[float, float]:
        """Returns 1 for the student, and what γ is for the teacher."""
        return 1.0, 1 / self._config.gamma
