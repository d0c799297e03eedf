"""No teacher: the student learns from the labels alone."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig
from metakd.core.losses import Losses


@dataclass(frozen=True)
class CrossEntropyConfig(DistillerConfig):
    """Cross-entropy on the labels; nothing to choose."""

    method: ClassVar[str] = "ce"
    version: ClassVar[int] = 1
    uses_teacher: ClassVar[bool] = False

    def build(self) -> "CrossEntropy":
        """Returns the distiller."""
        return CrossEntropy()


class CrossEntropy(Distiller):
    """L = CE(z_s, y), the student without a teacher."""

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the batch mean of the cross-entropy."""
        ce = F.cross_entropy(logits, batch.labels)
        return Losses(ce, ce, None)
