"""Knowledge distillation at fixed temperatures (Hinton et al. 2015, arXiv 1503.02531)."""

from dataclasses import dataclass
from typing import ClassVar

import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.distillers.fields import require_share, require_temperature
from metakd.core.losses import Losses, Scale, distillation_loss
from metakd.core.ranks import ranks_of


@dataclass(frozen=True)
class KDConfig(DistillerConfig):
    """Fixed temperatures; the defaults are those of the CIFAR literature."""

    method: ClassVar[str] = "kd"
    version: ClassVar[int] = 1

    tau_s: float = 4.0
    """The student's temperature, above 0."""
    tau_t: float = 4.0
    """The teacher's temperature, above 0."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""

    def __post_init__(self) -> None:
        require_temperature("tau_s", self.tau_s)
        require_temperature("tau_t", self.tau_t)
        require_share("alpha", self.alpha)

    @property
    def scale(self) -> Scale:
        """What keeps the size of the teacher's gradient."""
        return "product"

    def build(self) -> "KD":
        """Returns the distiller."""
        return KD(self)


@dataclass(frozen=True)
class ScaleFreeKDConfig(KDConfig):
    """Fixed temperatures, the teacher's gradient as large as Hinton's at τ = 4.

    Learned temperatures have that scale. What this gains over ``KDConfig`` is due to the factor of
    the loss, what they gain over this is due to the temperatures.
    """

    method: ClassVar[str] = "kd_scale_free"
    version: ClassVar[int] = 1

    @property
    def scale(self) -> Scale:
        """What keeps the size of the teacher's gradient."""
        return "free"


class KD(Distiller):
    """L = (1−α) CE + α s KL, at temperatures that stay; s is τ_s τ_t, or scale-free."""

    def __init__(self, config: KDConfig) -> None:
        self._config = config
        self._group: dist.ProcessGroup | None = None

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Takes the norms of a scale-free loss over the ranks of a DDP student."""
        self._group = ranks_of(student)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch."""
        assert batch.teacher_logits is not None
        c = self._config
        return distillation_loss(
            logits,
            batch.teacher_logits,
            batch.labels,
            c.tau_s,
            c.tau_t,
            c.alpha,
            c.scale,
            group=self._group,
        )

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed (τ_s, τ_t)."""
        return self._config.tau_s, self._config.tau_t
