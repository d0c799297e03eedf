"""Several teachers at once: the interface of all such methods, and those that learn no weights.

===========  ===================================================================================
mean_losses  the mean of the teachers' divergences
mean_logits  the divergence from the mean of the teachers' logits
camkd        divergences weighted by each teacher's own cross-entropy on the label (CA-MKD)
===========  ===================================================================================
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers.base import Distiller
from metakd.core.distillers.fields import (
    require_at_least_0,
    require_share,
    require_temperature,
)
from metakd.core.ensemble_loss import ensemble_loss
from metakd.core.losses import Losses


@dataclass(frozen=True, kw_only=True)
class SeveralTeachersConfig:
    """What all methods of several teachers choose: each asks for batches of K teachers' answers."""

    asks_teacher: ClassVar[bool] = True
    min_classes: ClassVar[int] = 2

    tau_s: float = 4.0
    """The student's temperature, above 0."""
    tau_t: float = 4.0
    """The teachers' temperature, above 0."""
    alpha: float = 0.9
    """Weight of the teachers' divergences, in [0, 1]."""
    ce_weight: float | None = None
    """Weight of the labels, at least 0; None gives them the rest, 1 − alpha."""
    features_weight: float = 0.0
    """Weight β of the distance from the teachers' feature maps, at least 0; 0 asks for none."""

    def __post_init__(self) -> None:
        require_temperature("tau_s", self.tau_s)
        require_temperature("tau_t", self.tau_t)
        require_share("alpha", self.alpha)
        if self.ce_weight is not None:
            require_at_least_0("ce_weight", self.ce_weight)
        require_at_least_0("features_weight", self.features_weight)

    @property
    def asks_features(self) -> bool:
        """Whether batches must hold the teachers' features."""
        return self.features_weight > 0


@dataclass(frozen=True, kw_only=True)
class MeanLossesConfig(SeveralTeachersConfig):
    """Every teacher counts alike."""

    method: ClassVar[str] = "mean_losses"

    def build(self) -> "MeanLosses":
        """Returns the distiller."""
        return MeanLosses(self)


@dataclass(frozen=True, kw_only=True)
class MeanLogitsConfig(SeveralTeachersConfig):
    """One teacher whose logits are the mean of all."""

    method: ClassVar[str] = "mean_logits"

    def build(self) -> "MeanLogits":
        """Returns the distiller."""
        return MeanLogits(self)


@dataclass(frozen=True, kw_only=True)
class CAMKDConfig(SeveralTeachersConfig):
    """Teachers that are surer of the label count more (CA-MKD: Zhang et al. 2022, 2201.00007)."""

    method: ClassVar[str] = "camkd"

    def build(self) -> "CAMKD":
        """Returns the distiller."""
        return CAMKD(self)


class SeveralTeachers(Distiller):
    """L = w CE + α τ_s τ_t Σ_k w_k KL_k, with weights w_k of each sample."""

    def __init__(self, config: SeveralTeachersConfig) -> None:
        self._config = config

    @abstractmethod
    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns the weight of each teacher for each sample, (B, K), rows summing to 1."""

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        assert batch.ensemble_logits is not None
        c = self._config
        weights = self.weights(outputs, batch)
        return ensemble_loss(
            outputs,
            batch.ensemble_logits,
            weights,
            batch.labels,
            c.tau_s,
            c.tau_t,
            c.alpha,
            c.ce_weight,
        )

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed (τ_s, τ_t)."""
        return self._config.tau_s, self._config.tau_t


class MeanLosses(SeveralTeachers):
    """Weights 1/K."""

    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns 1/K, (B, K)."""
        assert batch.ensemble_logits is not None
        samples, teachers, _ = batch.ensemble_logits.shape
        return logits.new_full((samples, teachers), 1 / teachers)


class MeanLogits(MeanLosses):
    """The divergence from softmax of the mean logits."""

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        assert batch.ensemble_logits is not None
        mean = batch.ensemble_logits.mean(dim=1, keepdim=True)
        return super().loss(outputs, batch._replace(ensemble_logits=mean))


class CAMKD(SeveralTeachers):
    """Weights (1 − softmax_k(CE_k)) / (K − 1), with CE_k of teacher k on the sample's label."""

    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns the confidence weights (B, K); of one teacher they are 1."""
        assert batch.ensemble_logits is not None
        teachers = batch.ensemble_logits.unbind(dim=1)
        if len(teachers) == 1:
            return logits.new_ones((len(logits), 1))
        ce = torch.stack(
            [F.cross_entropy(each, batch.labels, reduction="none") for each in teachers], dim=1
        )
        return (1 - F.softmax(ce, dim=1)) / (len(teachers) - 1)
