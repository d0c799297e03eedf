"""Several teachers whose weights are learned: MMKD (Zhang et al. 2023, arXiv 2306.06634)."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch
from metakd.core.distillers.distiller import LookingAhead
from metakd.core.distillers.several import (
    SeveralTeachers,
    SeveralTeachersConfig,
    Weighed,
    equal_weights,
)
from metakd.core.ensemble_loss import require_same_classes_of_all
from metakd.core.features import map_shape
from metakd.core.hard_buffer import HardBuffer, batch_of_all_ranks, drawn_for_rank
from metakd.core.lookahead import Forward, Linearised, LookAhead, TakenStep
from metakd.core.lookahead.look_aheads import MetaStep, require
from metakd.core.lookahead.sweep import meta_gradient
from metakd.core.losses import Losses, at_least_float32
from metakd.core.matched_student import StudentOutputs
from metakd.core.meta_temperature.rules import SeenStep
from metakd.core.ranks import rows_of_all_ranks
from metakd.core.snapshot import rolled_back, tried_step
from metakd.core.teacher_weights import (
    LearnedWeights,
    TeacherWeightsConfig,
    feature_input,
    logits_input,
)

Part = Literal["all", "teachers", "labels"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MMKDConfig(TeacherWeightsConfig, SeveralTeachersConfig):
    """Weights of several teachers' logits and features, of each sample, learned by look-aheads.

    Networks read the logits and features of all models for a sample and weigh the teachers; the
    cross-entropy after the student's step moves the networks. The defaults differ from
    ``reference()``, what the published code does, in these points:

    - the look-ahead reaches back over the step that the student takes anyway, on a share of its
      batch, and the next training batch judges it. The code takes three further steps instead, two
      on the teachers' terms and one on the labels, all on one draw of a buffer of hard training
      samples that judges them too, and undoes them;
    - the networks start from equal weights, the mean of losses;
    - the feature network reads each sample's own pooled features, of length 1. The code's Gram
      matrix has entries of 1e4 and more, so that the softmax is one-hot and its gradient exactly
      0; and it ties the network to a batch size and the order of samples;
    - distances of features are relative to each teacher's mean square feature, and regressors
      reach negative features;
    - Adam has no L2 penalty, which moves whatever has no gradient by its whole rate;
    - alpha and the labels' weight are those of the other methods. The code has 1 and 1.

    Faults of the code that are mended in both: the reverse sweep knows Nesterov's step, which the
    code ignores though its own command has it; undoing the three steps leaves BatchNorm's
    statistics as they were; the buffer is full at its size, whatever the batch's; alpha weighs the
    student's own loss too; a look-ahead follows every so many steps of the whole run, not of each
    epoch. The networks' inputs are detached in both, as there, so that a look-ahead does not see
    how one step changes the weights of the next.

    With one teacher, whose weight is 1, it is ``kd``, and ``align`` where temperatures are learned.
    """

    method: ClassVar[str] = "mmkd"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        SeveralTeachersConfig.__post_init__(self)
        TeacherWeightsConfig.__post_init__(self)
        if self.reads_whole_batches:
            rule = f"feature_input={self.feature_input!r} needs whole batches, meta_fraction 1"
            require(self.meta_fraction == 1, rule, "meta_fraction", self.meta_fraction)

    @classmethod
    def reference(cls) -> Self:
        """Returns what Rorozhl/MMKD does, at the settings of its README."""
        return cls(
            alpha=1.0,
            ce_weight=1.0,
            features_weight=100.0,
            feature_units="raw",
            rectified=True,
            look_ahead="three_step",
            interval=5,
            meta_fraction=1.0,
            start="random",
            feature_input="gram_raw",
            meta_weight_decay=1e-4,
        )

    @property
    def unused_fields(self) -> Collection[str]:
        """Settings of features, networks, temperatures and look-aheads that it has none of."""
        unused = {*super().unused_fields}
        unused |= {"tau_s", "tau_t"} if self.learns_temperatures else {"tau_range", "confidence"}
        unused |= {"meta_data"} if self.is_piloted else {"buffer_size"}
        if not self.learns_weights:
            unused |= {"start", "meta_lr", "meta_weight_decay"}
        if not (self.learns_weights and self.uses_features):
            unused |= {"feature_input"}
        return unused

    @property
    def reads_whole_batches(self) -> bool:
        """Whether a network reads Gram matrices, which belong to one batch size and one rank."""
        return self.learns_weights and self.uses_features and self.feature_input != "pooled"

    def build(self) -> "MMKD":
        """Returns the distiller."""
        return MMKD(self)


@dataclass(frozen=True)
class StepLoss:
    """A step's loss as a function of the student's outputs, with the graph to φ.

    Attributes:
        loss: Maps the outputs to the part's loss.
        batch: What the step trains on.
        part: What the step descends.
        shift: Added to (log τ_s, log τ_t), (2,), zeros; its gradient is that of a common relative
            change of the temperatures.
    """

    loss: Callable[["StepLoss", Tensor], Tensor]
    batch: Batch
    part: Part
    shift: Tensor

    def __call__(self, outputs: Tensor) -> Tensor:
        """Returns the scalar batch mean."""
        return self.loss(self, outputs)


class MMKD(SeveralTeachers, LookingAhead):
    """L = w CE + α τ_s τ_t Σ_k w_k KL_k + β Σ_k v_k d_k, with w, v (and τ) that look-aheads move.

    Where temperatures are learned, the teachers' term keeps the size that it has at τ = 4, as in
    ``MKD``.
    """

    _config: MMKDConfig

    def __init__(self, config: MMKDConfig) -> None:
        SeveralTeachers.__init__(self, config)
        LookingAhead.__init__(self, config)
        if config.is_piloted:
            self.meta_data = None
        self._learned = LearnedWeights(config)
        self._skipped = 0
        self._is_extended = False
        self._buffer: HardBuffer | None = None
        self._latest: tuple[Batch, Tensor] | None = None

    def extend(self, student: nn.Module, example: Batch, seed: int) -> nn.Module:
        """Makes the networks, and returns the student with a regressor for each teacher.

        A network that reads a Gram matrix takes batches of the example's size alone.

        Raises:
            DrawError: If the hard buffer cannot hold what a look-ahead draws of it.
        """
        config, ensemble_logits = self._config, example.ensemble_logits
        assert ensemble_logits is not None
        samples, teachers, classes = ensemble_logits.shape
        config.require_batch(samples)
        extended = super().extend(student, example, seed)
        if config.is_piloted:
            self._buffer = HardBuffer(config.buffer_size, seed)
        if config.learns_weights:
            widths = {"logits": classes * (teachers + 1)}
            if config.uses_features:
                channels = [features.shape[1] for features in example.teacher_features]
                pooled = sum(channels) + map_shape(student, example.inputs)[0]
                widths["features"] = (
                    samples * (teachers + 1) if config.reads_whole_batches else pooled
                )
            dtype = at_least_float32(ensemble_logits).dtype
            self._learned.make_networks(widths, teachers, seed, dtype)
            self.weighs = tuple(widths)
        if teachers == 1:
            _logger.warning(
                "mmkd with one teacher, whose weight is 1, is %s: there are no weights to learn",
                "align" if config.learns_temperatures else "kd",
            )
        self._is_extended = True
        return extended

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Learns on the student's device, with its ranks.

        Raises:
            RuntimeError: If ``extend`` was not called.
        """
        if not self._is_extended:
            raise RuntimeError("call extend before training: its example has the shapes of a batch")
        super().attach(student, optimiser)
        self._student, self._optimiser = student, optimiser
        self._device = next(student.parameters()).device
        self._learned.to(self._device)

    def weights(self, logits: Tensor, batch: Batch) -> Tensor:
        """Returns the weight of each teacher's logits for each sample, (B, K)."""
        assert batch.ensemble_logits is not None
        require_same_classes_of_all(logits, batch.ensemble_logits)
        if "logits" not in self.weighs:
            return equal_weights(logits, batch.ensemble_logits.shape[1])
        return self._learned.weigh("logits", logits_input(logits, batch.ensemble_logits))

    def feature_weights(self, outputs: StudentOutputs, batch: Batch) -> Tensor:
        """Returns the weight of each teacher's features for each sample, (B, K)."""
        if "features" not in self.weighs:
            return super().feature_weights(outputs, batch)
        kind, maps = self._config.feature_input, batch.teacher_features
        return self._learned.weigh("features", feature_input(kind, outputs.features, maps))

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the loss of the batch, at the weights and temperatures as they stand."""
        weighed = self._weigh(outputs, batch)
        self._count(weighed, batch)
        if self._buffer is not None:
            self._latest = batch, weighed.outputs.logits.argmax(dim=1) != batch.classes
        return self._tempered(weighed, batch)

    def after_step(self, lr: float) -> None:
        """Shows the hard buffer the batch, and what of it the student got wrong before its step."""
        if self._buffer is not None and self._latest is not None:
            batch, is_wrong = self._latest
            if self._group is not None:
                is_wrong = rows_of_all_ranks(is_wrong.to(torch.uint8), self._group)
            self._buffer.add(batch_of_all_ranks(batch, self._group), is_wrong)
            self._latest = None

    def temperatures(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        learned = self._learned.temperatures
        return super().temperatures() if learned is None else learned.summary()

    def remembers(self, step: int) -> bool:
        """Whether a look-ahead reaches back over this step of the student."""
        return not self._config.is_piloted and super().remembers(step)

    def remember(self, step: TakenStep, batch: Batch) -> None:
        """Keeps the step, with the part of its batch that the look-ahead passes again."""
        passed = batch.first(self.meta_samples(batch))
        loss = self._step_loss(passed, "all")
        self._memory.add(step.complete(passed.inputs, loss, batch_size=len(batch.labels)))

    def holds_steps(self, step: int) -> bool:
        """Whether the next look-ahead reaches back behind the step."""
        return not self._config.is_piloted and super().holds_steps(step)

    def meta_step(self, meta_batch: Batch) -> MetaStep:
        """Moves what is learned by the cross-entropy after the steps.

        Args:
            meta_batch: The samples that judge the student's own steps; for ``three_step``, which
                draws its own, the batch just trained on.
        """
        if self._buffer is None:
            steps = self._memory.steps
            return self._learn(steps, meta_batch, steps[-1].batch_size or len(meta_batch.labels))
        drawn = drawn_for_rank(self._buffer, self.meta_samples(meta_batch), self._group)
        parts: tuple[Part, ...] = ("teachers", "teachers", "labels")
        losses = [self._step_loss(drawn, part) for part in parts]
        with rolled_back(self._student, self._optimiser):
            steps = [
                tried_step(self._student, self._optimiser, drawn.inputs, loss).complete(
                    drawn.inputs, loss
                )
                for loss in losses
            ]
            return self._learn(steps, drawn, len(meta_batch.labels))

    def state_dict(self) -> dict[str, Any]:
        """Returns what is learned, and the hard buffer."""
        buffer = {} if self._buffer is None else self._buffer.state_dict()
        learned = self._learned.state_dict()
        return {"learned": learned, "buffer": buffer, "skipped": self._skipped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes both."""
        self._learned.load_state_dict(state["learned"])
        if self._buffer is not None:
            self._buffer.load_state_dict(state["buffer"], self._device)
        self._skipped = state["skipped"]

    def _tempered(self, weighed: Weighed, batch: Batch, shift: Tensor | None = None) -> Losses:
        temperatures = self._learned.temperatures
        if temperatures is None:
            return self._losses(weighed, batch, self._config.tau_s, self._config.tau_t)
        tau_s, tau_t = temperatures.taus(shift)
        return self._losses(weighed, batch, tau_s, tau_t, "free")

    def _step_loss(self, batch: Batch, part: Part) -> StepLoss:
        like = self._learned.phi[0]
        shift = torch.zeros(2, device=like.device, dtype=like.dtype, requires_grad=True)
        return StepLoss(self._loss_of_part, batch, part, shift)

    def _loss_of_part(self, step: StepLoss, outputs: Tensor) -> Tensor:
        losses = self._tempered(self._weigh(outputs, step.batch), step.batch, step.shift)
        match step.part:
            case "all":
                return losses.total
            case "labels":
                return losses.ce
        assert losses.kd is not None
        of_teachers = self._config.alpha * losses.kd
        if losses.features is None:
            return of_teachers
        return of_teachers + self._config.features_weight * losses.features

    def _learn(self, steps: Sequence[TakenStep], meta_batch: Batch, batch_size: int) -> MetaStep:
        def meta_loss(forward: Forward) -> Tensor:
            outputs = at_least_float32(forward(meta_batch.inputs))
            return F.cross_entropy(self._split(outputs).logits, meta_batch.labels)

        learned, group = self._learned, self._group
        shifts = [] if learned.temperatures is None else [_loss_of(step).shift for step in steps]
        estimator = self._config.estimator
        found = meta_gradient(steps, meta_loss, learned.phi, shifts, estimator, group)
        seen_loss = found.look_ahead.meta_loss
        if found.is_finite:
            learned.move(found, self._seen(found.look_ahead), group)
        else:
            self._skip(float(seen_loss))
        cost = self._config.step_equivalents(batch_size, len(meta_batch.labels))
        return MetaStep(seen_loss, found.common, cost, is_skipped=not found.is_finite)

    def _seen(self, found: LookAhead) -> list[SeenStep]:
        """Returns the steps that the teachers had a part in, as a search for temperatures does."""
        seen: list[SeenStep] = []
        for step, linearised in zip(found.steps, found.passes, strict=True):
            batch = _loss_of(step).batch
            if _loss_of(step).part == "labels" or batch.ensemble_logits is None:
                continue
            logits = self._split(linearised.logits).logits
            tangent = self._split(linearised.tangent).logits
            weights = self.weights(logits, batch)
            seen.append(SeenStep(Linearised(logits, tangent, None), batch.ensemble_logits, weights))
        return seen

    def _skip(self, meta_loss: float) -> None:
        self._skipped += 1
        if self._skipped == 1:
            _logger.warning(
                "the meta gradient is not finite (meta loss %g): this look-ahead and further ones "
                "like it are skipped, what is learned stays, and training goes on",
                meta_loss,
            )


def _loss_of(step: TakenStep) -> StepLoss:
    assert isinstance(step.loss, StepLoss)
    return step.loss
