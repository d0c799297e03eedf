"""Knowledge distillation at a temperature that goes from one value to another along a cosine."""

import math
from dataclasses import dataclass
from typing import ClassVar

from metakd.core.distillers.distiller import DistillerConfig
from metakd.core.distillers.fields import require_share, require_temperature
from metakd.core.distillers.kd_schedule import KDSchedule


@dataclass(frozen=True)
class KDCosineConfig(DistillerConfig):
    """KD at one temperature of both sides: ``start`` in the first epoch, ``end`` in the last.

    Published work disagrees on the direction, so that both are worth a run:

    - DTS (arXiv 2511.13767) lets τ fall, by τ₀ ½(1 + cos(π e/E)) clamped to [4, 8] and smoothed by
      an EMA of 0.9. The defaults fall over the same range, without clamp and EMA, which hold τ at
      its ends for a part of the run. DTS also adapts τ to the divergence, but only where that
      is below 1/e.
    - Frank & Davis (arXiv 2603.02430) find that SGD prefers a low τ early and a high one late.

    Its temperatures depend on the length of the run: runs of different lengths share no epoch, and
    it has no prefixes.
    """

    method: ClassVar[str] = "kd_cosine"
    version: ClassVar[int] = 1

    start: float = 8.0
    """The temperature of the first epoch, above 0."""
    end: float = 4.0
    """The temperature of the last epoch, above 0."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""

    def __post_init__(self) -> None:
        require_temperature("start", self.start)
        require_temperature("end", self.end)
        require_share("alpha", self.alpha)

    def tau_at(self, epoch: int, epochs: int) -> float:
        """Returns the temperature of epoch 0, 1, ... of so many; of a single one ``start``."""
        share = epoch / max(epochs - 1, 1)
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * share)) / 2

    def build(self) -> KDSchedule:
        """Returns the distiller."""
        return KDSchedule(self.tau_at, self.alpha)
