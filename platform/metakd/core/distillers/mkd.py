"""Distillation at learned temperatures, MKD-style, after the abstract of arXiv 2202.07940.

The abstract says that the temperatures of both teacher and student become meta-parameters, tuned
during training by the gradient of the learning objective. What it leaves open is chosen in
``metakd.core.meta_temperature``, with the measurements behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.looking_ahead import LookingAhead
from metakd.core.hypergradient import TakenStep
from metakd.core.look_aheads import MetaStep
from metakd.core.losses import Losses
from metakd.core.meta_temperature import MetaTemperature, MetaTemperatureConfig


@dataclass(frozen=True, kw_only=True)
class MKDConfig(MetaTemperatureConfig):
    """Learned temperatures; the fields are those of ``MetaTemperatureConfig``."""

    method: ClassVar[str] = "mkd"
    asks_teacher: ClassVar[bool] = True
    min_classes: ClassVar[int] = 2

    def build(self) -> "MKD":
        """Returns the distiller."""
        return MKD(self)


class MKD(LookingAhead):
    """L = (1−α) CE + α s KL, at temperatures that look-aheads move."""

    def __init__(self, config: MKDConfig) -> None:
        super().__init__(config)
        self._temperature = MetaTemperature.of(config)

    def loss(self, logits: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch at the temperatures as they stand."""
        assert batch.teacher_logits is not None
        return self._temperature.losses(logits, batch.teacher_logits, batch.labels)

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Learns the temperatures on the student's device, with its ranks."""
        self._temperature.attach(student)

    def temperatures(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        return self._temperature.temperatures

    def remember(self, step: TakenStep, batch: Batch) -> None:
        """Keeps the step, with the part of its batch that the look-ahead passes again."""
        assert batch.teacher_logits is not None
        self._remembered.append(
            self._temperature.complete(step, batch.inputs, batch.teacher_logits, batch.labels)
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns the temperatures and what their rule remembers."""
        return self._temperature.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes the temperatures and what their rule remembers."""
        self._temperature.load_state_dict(state)

    def meta_step(self, meta_batch: Batch) -> MetaStep:
        """Moves both temperatures by the meta batch's cross-entropy after the student's step."""
        return self._temperature.learn(
            list(self._remembered),
            lambda forward: F.cross_entropy(forward(meta_batch.inputs), meta_batch.labels),
            meta_samples=len(meta_batch.labels),
        )
