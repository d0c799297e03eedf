"""Knowledge distillation at fixed temperatures (Hinton et al. 2015, arXiv 1503.02531)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.base import Distiller
from metakd.core.distillers.fields import require_share, require_temperature
from metakd.core.losses import Losses, distillation_loss


@dataclass(frozen=True)
class KDConfig:
    """Fixed temperatures; the defaults are those of the CIFAR literature."""

    method: ClassVar[str] = "kd"
    version: ClassVar[int] = 1
    asks_teacher: ClassVar[bool] = True
    min_classes: ClassVar[int] = 2

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

    def build(self) -> "KD":
        """Returns the distiller."""
        return KD(self)


class KD(Distiller):
    """L = (1−α) CE + α τ_s τ_t KL, at temperatures that stay."""

    def __init__(self, config: KDConfig) -> None:
        self._config = config

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch."""
        assert batch.teacher_logits is not None
        c = self._config
        return distillation_loss(
            logits, batch.teacher_logits, batch.labels, c.tau_s, c.tau_t, c.alpha
        )

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed (τ_s, τ_t)."""
        return self._config.tau_s, self._config.tau_t
