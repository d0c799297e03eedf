"""The interface of every way to teach a student."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from metakd.core.batches import Batch
from metakd.core.hypergradient import TakenStep
from metakd.core.losses import Losses
from metakd.core.meta_temperature import MetaData, MetaStep


class Distiller(ABC):
    """Teaches a student: a loss at its logits, and perhaps look-aheads after some of its steps.

    Attributes:
        meta_data: What judges a look-ahead: the meta split, or the next training batch.
    """

    meta_data: MetaData = "meta"

    @abstractmethod
    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the loss that the student descends on this batch."""

    def attach(self, student: nn.Module) -> None:  # noqa: B027 - most learn nothing else
        """Learns beside this student: on its device, and with the ranks of a DDP module."""

    def temperatures(self) -> tuple[float, float] | None:
        """Returns (τ_s, τ_t) as they stand, None where the method has none."""
        return None

    def remembers(self, step: int) -> bool:
        """Says whether a look-ahead will need the step."""
        return False

    def remember(self, step: TakenStep, batch: Batch) -> None:
        """Takes a step that a look-ahead will need, just taken on a batch."""
        raise NotImplementedError(f"{type(self).__name__} learns nothing but the student")

    def holds_steps(self, step: int) -> bool:
        """Says whether a look-ahead still to come, at ``step`` or later, needs steps before it."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Returns what is learned beside the student; empty where nothing is."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most have none
        """Takes what was learned beside the student."""

    def is_meta_step(self, step: int) -> bool:
        """Says whether a look-ahead follows the step."""
        return False

    def meta_samples(self, batch: Batch) -> int:
        """Returns how many samples judge a look-ahead at steps of such a batch."""
        return len(batch.labels)

    def meta_step(self, meta_batch: Batch) -> MetaStep:
        """Moves what is meta-learned, after the student's own step.

        Args:
            meta_batch: The samples that judge the steps remembered last.
        """
        raise NotImplementedError(f"{type(self).__name__} learns nothing but the student")
