"""The interface of the rules by which learned temperatures move."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch.distributed as dist
from torch import Tensor, nn

from metakd.core.lookahead import Linearised


class SeenStep(NamedTuple):
    """A step as a rule sees it.

    Attributes:
        linearised: The student's pass along the look-ahead's direction.
        teacher_logits: z_t of the samples in that pass, (B, C), or those of K teachers, (B, K, C).
        weights: How much each of K teachers counts for each sample, (B, K), rows summing to 1; None
            where there is one.
    """

    linearised: Linearised
    teacher_logits: Tensor
    weights: Tensor | None = None


class MetaRule(nn.Module, ABC):
    """Moves φ after a look-ahead. Its state dict, with φ, is all that a resumed run needs."""

    @abstractmethod
    def move(
        self,
        phi: Sequence[nn.Parameter],
        gradients: Sequence[Tensor],
        seen: Sequence[SeenStep],
        group: dist.ProcessGroup | None,
    ) -> None:
        """Moves φ in place.

        Args:
            phi: The meta-parameters.
            gradients: dM/dφ, finite, the same on all ranks.
            seen: The steps of the look-ahead, on this rank's share of their batches.
            group: The ranks of a DDP student.
        """
