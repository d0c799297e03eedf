"""Distillation at learned temperatures: MKD-style, and by the alignment rule.

MKD's abstract (arXiv 2202.07940) says that the temperatures of both teacher and student become
meta-parameters, tuned during training by the gradient of the learning objective: ``MKDConfig``.
What it leaves open is chosen in ``metakd.core.meta_temperature``, with the measurements behind it.
``AlignConfig`` reads no gradient by τ: it scores all temperatures of a range at each look-ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import DistillerConfig, LookingAhead
from metakd.core.lookahead import TakenStep
from metakd.core.lookahead.look_aheads import MetaStep
from metakd.core.losses import Losses
from metakd.core.meta_temperature import (
    AlignmentConfig,
    GradientConfig,
    LearnedTemperatureConfig,
    MetaTemperature,
)


@dataclass(frozen=True, kw_only=True)
class MKDConfig(GradientConfig, DistillerConfig):
    """Temperatures learned by the gradient rule; the fields are those of ``GradientConfig``."""

    method: ClassVar[str] = "mkd"
    version: ClassVar[int] = 2

    def build(self) -> "LearnedTemperatures":
        """Returns the distiller."""
        return LearnedTemperatures(self)


@dataclass(frozen=True, kw_only=True)
class AlignConfig(AlignmentConfig, DistillerConfig):
    """Temperatures learned by the alignment rule; the fields are those of ``AlignmentConfig``."""

    method: ClassVar[str] = "align"
    version: ClassVar[int] = 1

    def build(self) -> "LearnedTemperatures":
        """Returns the distiller."""
        return LearnedTemperatures(self)


class LearnedTemperatures(LookingAhead):
    """L = (1−α) CE + α s KL, at temperatures that look-aheads move."""

    def __init__(self, config: LearnedTemperatureConfig) -> None:
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
        self._memory.add(
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
            self._memory.steps,
            lambda forward: F.cross_entropy(forward(meta_batch.inputs), meta_batch.labels),
            meta_samples=len(meta_batch.labels),
        )
