"""Several teachers at once: the interface of all such methods, and those that learn no weights.

===========  ===================================================================================
mean_losses  the mean of the teachers' divergences
mean_logits  the divergence from the mean of the teachers' logits
camkd        divergences weighted by each teacher's own cross-entropy on the label (CA-MKD)
===========  ===================================================================================

Where features are matched, these count all teachers' alike.
"""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import Distiller, DistillerConfig, TeacherWeights
from metakd.core.distillers.fields import (
    require_at_least_0,
    require_share,
    require_temperature,
)
from metakd.core.ensemble_loss import ensemble_loss
from metakd.core.lookahead.look_aheads import require_one_of
from metakd.core.losses import Losses, Scale, Temperature
from metakd.core.matched_student import (
    MatchedStudent,
    StudentOutputs,
    feature_distances,
    mean_squares,
)
from metakd.core.ranks import ranks_of
from metakd.core.teacher_weights import WeightsTally

FeatureUnits = Literal["relative", "raw"]


@dataclass(frozen=True, kw_only=True)
class SeveralTeachersConfig(DistillerConfig):
    """What all methods of several teachers choose: batches hold the logits of K teachers."""

    takes_several: ClassVar[bool] = True

    tau_s: float = 4.0
    """The student's temperature, above 0."""
    tau_t: float = 4.0
    """The teachers' temperature, above 0."""
    alpha: float = 0.9
    """Weight of the teachers' divergences, in [0, 1]."""
    ce_weight: float | None = None
    """Weight of the labels, at least 0; None gives them the rest, 1 − alpha."""
    features_weight: float = 0.0
    """Weight β of the distance from the teachers' feature maps, at least 0; 0 uses none."""
    feature_units: FeatureUnits = "relative"
    """Distances over each teacher's mean square feature, so that β means the same for all; or raw,
    as in MMKD's code."""
    rectified: bool = False
    """Whether a ReLU ends each regressor, as in MMKD's code."""

    def __post_init__(self) -> None:
        require_temperature("tau_s", self.tau_s)
        require_temperature("tau_t", self.tau_t)
        require_share("alpha", self.alpha)
        if self.ce_weight is not None:
            require_at_least_0("ce_weight", self.ce_weight)
        require_at_least_0("features_weight", self.features_weight)
        require_one_of("feature_units", self.feature_units, get_args(FeatureUnits))

    @property
    def unused_fields(self) -> Collection[str]:
        """How features are matched, where they are not."""
        return set() if self.uses_features else {"feature_units", "rectified"}

    @property
    def uses_features(self) -> bool:
        """Whether batches must hold the teachers' features."""
        return self.features_weight > 0


@dataclass(frozen=True, kw_only=True)
class MeanLossesConfig(SeveralTeachersConfig):
    """Every teacher counts alike."""

    method: ClassVar[str] = "mean_losses"
    version: ClassVar[int] = 1

    def build(self) -> "MeanLosses":
        """Returns the distiller."""
        return MeanLosses(self)


@dataclass(frozen=True, kw_only=True)
class MeanLogitsConfig(SeveralTeachersConfig):
    """One teacher whose logits are the mean of all."""

    method: ClassVar[str] = "mean_logits"
    version: ClassVar[int] = 1

    def build(self) -> "MeanLogits":
        """Returns the distiller."""
        return MeanLogits(self)


@dataclass(frozen=True, kw_only=True)
class CAMKDConfig(SeveralTeachersConfig):
    """Teachers that are surer of the label count more (CA-MKD: Zhang et al. 2022, 2201.00007)."""

    method: ClassVar[str] = "camkd"
    version: ClassVar[int] = 1

    def build(self) -> "CAMKD":
        """Returns the distiller."""
        return CAMKD(self)


def equal_weights(logits: Tensor, teachers: int) -> Tensor:
    """Returns 1/K for each of K teachers and each sample of logits (B, C), (B, K)."""
    return logits.new_full((len(logits), teachers), 1 / teachers)


class Weighed(NamedTuple):
    """The student's outputs for a batch, with what each teacher counts.

    Attributes:
        outputs: What the student gives; without maps where features are not used.
        weights: Of each teacher's logits, (B, K), rows summing to 1.
        feature_weights: Of each teacher's features, likewise; None where they are not used.
    """

    outputs: StudentOutputs
    weights: Tensor
    feature_weights: Tensor | None


class SeveralTeachers(Distiller):
    """L = w CE + α τ_s τ_t Σ_k w_k KL_k + β Σ_k v_k d_k, with weights w_k, v_k of each sample.

    d_k is the mean square between the student's features and teacher k's.

    Attributes:
        weighs: What it weighs apart for each sample, and reports: "logits", "features".
    """

    weighs: tuple[str, ...] = ()

    def __init__(self, config: SeveralTeachersConfig) -> None:
        self._config = config
        self._matched: MatchedStudent | None = None
        self._group: dist.ProcessGroup | None = None
        self._tally = WeightsTally()

    @abstractmethod
    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns the weight of each teacher for each sample, (B, K), rows summing to 1."""

    def feature_weights(self, outputs: StudentOutputs, batch: Batch) -> Tensor:
        """Returns the weight of each teacher's features, (B, K): 1/K unless overridden.

        Args:
            outputs: What the student gives.
            batch: The batch.
        """
        return equal_weights(outputs.logits, len(batch.teacher_features))

    def extend(self, student: nn.Module, example: Batch, seed: int) -> nn.Module:
        """Returns the student, with a regressor for each teacher where features are matched."""
        if not self._config.uses_features:
            return student
        shapes = [(m.shape[1], m.shape[2], m.shape[3]) for m in example.teacher_features]
        self._matched = MatchedStudent(
            student, shapes, example.inputs, seed, self._config.rectified
        )
        return self._matched

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Takes means with the ranks of a DDP student."""
        self._group = ranks_of(student)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Begins to count anew."""
        self._tally.clear()

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        weighed = self._weigh(outputs, batch)
        self._count(weighed, batch)
        return self._losses(weighed, batch, self._config.tau_s, self._config.tau_t)

    def temperatures(self) -> tuple[float, float]:
        """Returns the fixed (τ_s, τ_t)."""
        return self._config.tau_s, self._config.tau_t

    def teacher_weights(self) -> tuple[TeacherWeights, ...]:
        """Returns the mean weights since ``start_epoch``, of what is weighed apart for a sample."""
        return self._tally.means(self._group)

    def _split(self, outputs: Tensor) -> StudentOutputs:
        if not self._config.uses_features:
            return StudentOutputs(outputs, outputs.new_empty(0), ())
        if self._matched is None:
            raise RuntimeError("call extend before training: features are matched by what it adds")
        return self._matched.split(outputs)

    def _weigh(self, outputs: Tensor, batch: Batch) -> Weighed:
        split = self._split(outputs)
        of_features = None
        if self._config.uses_features:
            of_features = self.feature_weights(split, batch)
        return Weighed(split, self.weights(split.logits, batch), of_features)

    def _count(self, weighed: Weighed, batch: Batch) -> None:
        for of, weights in (("logits", weighed.weights), ("features", weighed.feature_weights)):
            if of in self.weighs and weights is not None:
                self._tally.add(of, weights, weighed.outputs.logits, batch.classes)

    def _losses(
        self,
        weighed: Weighed,
        batch: Batch,
        tau_s: Temperature,
        tau_t: Temperature,
        scale: Scale = "product",
    ) -> Losses:
        assert batch.ensemble_logits is not None
        c = self._config
        losses = ensemble_loss(
            weighed.outputs.logits,
            batch.ensemble_logits,
            weighed.weights,
            batch.labels,
            tau_s,
            tau_t,
            c.alpha,
            c.ce_weight,
            scale,
            group=self._group,
        )
        if weighed.feature_weights is None:
            return losses
        is_raw = c.feature_units == "raw"
        units = None if is_raw else mean_squares(batch.teacher_features, self._group)
        distances = feature_distances(weighed.outputs.adapted, batch.teacher_features, units)
        features = (weighed.feature_weights * distances).sum(dim=1).mean()
        total = losses.total + c.features_weight * features
        return losses._replace(total=total, features=features)


class MeanLosses(SeveralTeachers):
    """Weights 1/K."""

    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns 1/K, (B, K)."""
        assert batch.ensemble_logits is not None
        return equal_weights(logits, batch.ensemble_logits.shape[1])


class MeanLogits(MeanLosses):
    """The divergence from softmax of the mean logits."""

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch."""
        assert batch.ensemble_logits is not None
        mean = batch.ensemble_logits.mean(dim=1, keepdim=True)
        return super().loss(outputs, batch._replace(ensemble_logits=mean))


class CAMKD(SeveralTeachers):
    """Weights (1 − softmax_k(CE_k)) / (K − 1), with CE_k of teacher k on the sample's label."""

    weighs = ("logits",)

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
