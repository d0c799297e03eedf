"""The teacher learns to teach: MetaDistil (Zhou et al. 2022, arXiv 2106.04570).

Before its step the student takes a *pilot* step on the same batch, which is undone afterwards. The
cross-entropy of the pilot student on a *quiz set*, which no student trains on, is the meta loss,
whose gradient the teacher descends. Then the student takes its real step with the teacher that has
learned.

With θ' the parameters after the pilot and M(θ') the quiz loss, the teacher's logits z_t reach M
through the pilot's loss at the student's logits alone. So dM/dz_t takes one forward-mode pass
(``look_ahead``), and one ordinary backward pass of ⟨dM/dz_t, z_t(φ)⟩ brings it to the teacher's
parameters φ: no second derivative of the student, and no graph that spans both networks.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Batch, changed
from metakd.core.distillers.distiller import DistillerConfig, LookingAhead
from metakd.core.distillers.fields import require_at_least_0, require_share, require_temperature
from metakd.core.distillers.rise import EPOCHS_OF_RECIPE
from metakd.core.live_teacher import LiveTeacher, TeacherAlgorithm
from metakd.core.lookahead import Forward, TakenStep, bare, look_ahead
from metakd.core.lookahead.look_aheads import (
    LookAheads,
    MetaData,
    MetaStep,
    StepMemory,
    require,
    require_one_of,
)
from metakd.core.lookahead.passes import frozen_running_statistics
from metakd.core.lookahead.sweep import graph_to
from metakd.core.losses import Losses, at_least_float32, distillation_loss, require_same_classes
from metakd.core.meta_temperature.config import require_tau_range
from metakd.core.meta_temperature.rules import AlignedTemperatures, SeenStep
from metakd.core.optimisers import EagerSGD
from metakd.core.ranks import mean_over_ranks, ranks_of
from metakd.core.snapshot import rolled_back, tried_step

_logger = logging.getLogger(__name__)

Divergence = Literal["kl", "mse"]
Pilot = Literal["own", "sgd", "none"]
PUBLISHED_WARMUP = 150
"""Of 240 epochs, those in which the published code leaves the teacher as it is."""


@dataclass(frozen=True, kw_only=True)
class MetaDistilConfig(LookAheads, DistillerConfig):
    """How the teacher learns to teach.

    What the published code does is in ``reference()``. The defaults mend: a pilot that is not the
    step which the student takes (plain SGD beside momentum or AdamW); the default rate of 0.05,
    which destroys the teacher; a momentum that fills while the teacher does not move; second-order
    work in those epochs; a quiz that the student trains on in augmented form.
    """

    method: ClassVar[str] = "metadistil"
    version: ClassVar[int] = 1
    moves_teacher: ClassVar[bool] = True

    interval: int = 1
    """A pilot precedes every so many steps of the student."""
    meta_fraction: float = 1.0
    """Share of the pilot's batch whose logits the teacher learns from, in (0, 1]; the quiz has as
    many samples."""
    horizon: int = 1
    """Steps of a pilot, m, over the batches that come; 1 to 5, at most ``interval``."""
    meta_data: MetaData = "held_out"
    """The quiz: held-out samples, or the batch that the pilot begins with."""
    tau_s: float = 4.0
    """The student's temperature, above 0."""
    tau_t: float = 4.0
    """The teacher's temperature, above 0."""
    alpha: float = 0.9
    """Weight of the teacher's term, in [0, 1]; the labels have the rest."""
    divergence: Divergence = "kl"
    """The teacher's term: Hinton's, or the mean square of (z_t/τ_t − z_s/τ_s)."""
    teacher_lr: float = 2e-4
    """The teacher's peak rate, at least 0; it falls as the student's does. At 0 it is KD."""
    teacher_algorithm: TeacherAlgorithm = "sgd"
    """What moves the teacher: SGD with momentum 0.9, or AdamW."""
    teacher_weight_decay: float = 0.0
    """Of the teacher, at least 0."""
    largest_norm: float | None = None
    """To which the teacher's gradient is scaled down, above 0; None leaves it."""
    warmup: float | None = 0.0
    """Epochs in which the teacher stays as it is, at least 0; None: 150 of 240, as published."""
    pilot: Pilot = "own"
    """The pilot's step: by the student's own optimiser; by plain SGD; or none, which judges the
    teacher by the student's real step, never taken back."""
    pilot_lr: float = 0.05
    """Of an SGD pilot, the peak rate, above 0; it falls as the student's does."""
    learns_temperatures: bool = False
    """Whether pilots move the temperatures too, by the alignment rule: tau_s and tau_t are not
    used then, and the teacher's term keeps the size that it has at τ = 4. Needs kl."""
    tau_range: tuple[float, float] = (1.0, 16.0)
    """The range of the alignment rule, where temperatures are learned."""
    confidence: float = 0.25
    """The alignment rule's confidence, where temperatures are learned; above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_temperature("tau_s", self.tau_s)
        require_temperature("tau_t", self.tau_t)
        require_share("alpha", self.alpha)
        for name in ("teacher_lr", "teacher_weight_decay"):
            require_at_least_0(name, getattr(self, name))
        if self.warmup is not None:
            require_at_least_0("warmup", self.warmup)
        if self.largest_norm is not None:
            require(
                self.largest_norm > 0,
                "largest_norm must be above 0",
                "largest_norm",
                self.largest_norm,
            )
        require(self.pilot_lr > 0, "pilot_lr must be above 0", "pilot_lr", self.pilot_lr)
        require(
            self.horizon <= self.interval,
            f"a pilot has at most interval={self.interval} steps",
            "horizon",
            self.horizon,
        )
        require_one_of("divergence", self.divergence, get_args(Divergence))
        require_one_of("teacher_algorithm", self.teacher_algorithm, get_args(TeacherAlgorithm))
        require_one_of("pilot", self.pilot, get_args(Pilot))
        require_tau_range(self.tau_range)
        require(self.confidence > 0, "confidence must be above 0", "confidence", self.confidence)
        if self.learns_temperatures:
            rule = "learned temperatures need divergence='kl'"
            require(self.divergence == "kl", rule, "divergence", self.divergence)

    @staticmethod
    def reference() -> "MetaDistilConfig":
        """Returns what the published code for images does, at the rate that its authors advise.

        Left out: second-order work and momentum of the epochs in which the teacher does not move,
        and augmented quizzes. Its teacher's rate falls at epochs 180 and 210 of 240, here as the
        student's does.
        """
        return MetaDistilConfig(
            teacher_weight_decay=5e-4, warmup=None, pilot="sgd", teacher_lr=3e-4
        )

    @property
    def unused_fields(self) -> Collection[str]:
        """Settings of temperatures and pilots of another kind."""
        taus = {"tau_s", "tau_t"} if self.learns_temperatures else {"tau_range", "confidence"}
        return taus if self.pilot == "sgd" else taus | {"pilot_lr"}

    def build(self) -> "MetaDistil":
        """Returns the distiller."""
        return MetaDistil(self)

    def look_aheads(self, steps: int) -> int:
        """Returns how many pilots precede the steps of a run without a warm-up."""
        return super().look_aheads(steps) if self.pilot == "none" else -(-steps // self.interval)

    def step_equivalents(self, batch_size: int, meta_samples: int) -> float:
        """Returns what one pilot costs, in passes of the student.

        Not in it: the teacher's passes, and the look at the quiz before a pilot, which is for the
        record as validation is. Both show in the measured seconds.
        """
        tried = 0 if self.pilot == "none" else self.horizon
        return tried + super().step_equivalents(batch_size, meta_samples)

    def teacher_passes(self, steps: int, batch_size: int) -> float:
        """Returns what the teacher does for all pilots, in its forward passes of a training batch.

        A backward pass counts as two, and goes through the samples that it learns from alone.
        """
        share = self.samples_of(batch_size) / batch_size
        passed = share if self.pilot == "none" else 1.0
        return self.look_aheads(steps) * self.horizon * (passed + 2 * share)

    def is_frozen(self, epoch: int, epochs: int) -> bool:
        """Says whether the teacher stays as it is in epoch 0, 1, ... of a run."""
        warmup = self.warmup
        if warmup is None:
            warmup = PUBLISHED_WARMUP * epochs / EPOCHS_OF_RECIPE
        return self.teacher_lr == 0 or epoch < warmup


@dataclass(frozen=True)
class TaughtStep:
    """A step, and the teacher's logits that it was taught by.

    Attributes:
        step: The step, completed.
        teacher_logits: z_t of the samples that are looked at again, (b, C), with the graph to the
            teacher.
        leaf: The same values, as the step's loss sees them: where dM/dz_t is found.
        shift: Added to (log τ_s, log τ_t), (2,), zeros.
    """

    step: TakenStep
    teacher_logits: Tensor
    leaf: Tensor
    shift: Tensor


class MetaDistil(LookingAhead):
    """L = (1−α) CE + α s KL, with a teacher that pilots move."""

    def __init__(self, config: MetaDistilConfig) -> None:
        super().__init__(config)
        self.skipped = 0
        self._config = config
        self._is_frozen = True
        self._live: LiveTeacher | None = None
        self._attached: tuple[nn.Module, Optimizer] | None = None
        self._taught: StepMemory[TaughtStep] = StepMemory(config)
        self._learned: AlignedTemperatures | None = None
        if config.learns_temperatures:
            self._learned = AlignedTemperatures(config.tau_range, config.confidence)

    @property
    def teacher(self) -> nn.Module | None:
        """The teacher as it stands."""
        return None if self._live is None else self._live.module

    def take_teacher(self, teacher: nn.Module) -> None:
        """Teaches by this module from the first epoch on in which it moves.

        Raises:
            TeacherError: If it has no trainable parameters.
        """
        c = self._config
        self._live = LiveTeacher(
            teacher, c.teacher_algorithm, c.teacher_lr, c.teacher_weight_decay, c.largest_norm
        )

    def attach(self, student: nn.Module, optimiser: Optimizer) -> None:
        """Takes pilots with this student and its optimiser."""
        self._attached = student, optimiser
        if self._learned is not None:
            self._learned.to(next(student.parameters()).device)

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Lets the teacher move once the warm-up is over."""
        self._is_frozen = self._config.is_frozen(epoch, epochs)

    def loss(self, outputs: Tensor, batch: Batch) -> Losses:
        """Returns the distillation loss of the batch, by the teacher as it stands."""
        if self._is_frozen:
            assert batch.teacher_logits is not None
            return self._losses(outputs, batch.teacher_logits, batch.labels)
        return self._losses(outputs, self._learner.logits(batch.inputs), batch.labels)

    def temperatures(self) -> tuple[float, float]:
        """Returns the current (τ_s, τ_t)."""
        if self._learned is not None:
            return self._learned.summary()
        return self._config.tau_s, self._config.tau_t

    def pilot_batches(self, step: int) -> int:
        """Returns m before every ``interval``-th step, once the warm-up is over."""
        has_pilots = self._config.pilot != "none" and not self._is_frozen
        return self._config.horizon if has_pilots and step % self._config.interval == 0 else 0

    def pilot_step(self, batches: Sequence[Batch], quiz: Batch) -> MetaStep:
        """Takes a pilot, and moves the teacher by the quiz loss after it."""
        assert self._attached is not None
        student, optimiser = self._attached
        with rolled_back(student, optimiser):
            with torch.no_grad(), frozen_running_statistics(bare(student)):
                before = self._quiz_loss(quiz, bare(student))
            pilot = self._pilot(student, optimiser)
            taught = [self._try(student, pilot, batch) for batch in batches]
            seen = self._learn(taught, quiz)
        named = mean_over_ranks({"before": before}, ranks_of(student))
        return seen._replace(before=named["before"])

    def remembers(self, step: int) -> bool:
        """Whether the step stands in for a pilot."""
        return self._is_its_own_pilot and super().remembers(step)

    def holds_steps(self, step: int) -> bool:
        """Whether the next look-ahead reaches back behind the step."""
        return self._is_its_own_pilot and super().holds_steps(step)

    def is_meta_step(self, step: int) -> bool:
        """Whether the student's own step, here, stands in for a pilot."""
        return self._is_its_own_pilot and super().is_meta_step(step)

    def remember(self, step: TakenStep, batch: Batch) -> None:
        """Keeps the step, with the teacher's logits for the part that is looked at again."""
        learnt_from = batch.first(self.meta_samples(batch))
        teacher_logits = self._learner.logits_with_graph(learnt_from.inputs)
        self._taught.add(self._completed(step, batch, teacher_logits))

    def meta_step(self, meta_batch: Batch) -> MetaStep:
        """Moves the teacher by the quiz loss after the student's real step."""
        return self._learn(self._taught.steps, meta_batch)

    def state_dict(self) -> dict[str, Any]:
        """Returns the teacher as it stands, and the temperatures where they are learned."""
        return {
            "teacher": None if self._live is None else self._live.state_dict(),
            "temperatures": None if self._learned is None else self._learned.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes both as they were."""
        if state["teacher"] is not None:
            self._learner.load_state_dict(state["teacher"])
        if self._learned is not None:
            self._learned.load_state_dict(state["temperatures"])

    @property
    def _learner(self) -> LiveTeacher:
        if self._live is None:
            raise RuntimeError("MetaDistil moves its teacher: give it by take_teacher")
        return self._live

    @property
    def _is_its_own_pilot(self) -> bool:
        return self._config.pilot == "none" and not self._is_frozen

    def _pilot(self, student: nn.Module, optimiser: Optimizer) -> Optimizer:
        if self._config.pilot == "own":
            return optimiser
        trained = [p for p in student.parameters() if p.requires_grad]
        return EagerSGD(trained, lr=self._config.pilot_lr * share_of_peak(optimiser))

    def _try(self, student: nn.Module, pilot: Optimizer, batch: Batch) -> TaughtStep:
        rows = self.meta_samples(batch)
        teacher_logits = self._learner.logits_with_graph(batch.first(rows).inputs)
        whole = teacher_logits.detach()
        if rows < len(batch.labels):
            others = changed(batch.inputs, lambda tensor: tensor[rows:])
            whole = torch.cat([whole, self._learner.logits(others)])

        def loss(logits: Tensor) -> Tensor:
            return self._losses(logits, whole, batch.labels).total

        return self._completed(
            tried_step(student, pilot, batch.inputs, loss), batch, teacher_logits
        )

    def _completed(self, step: TakenStep, batch: Batch, teacher_logits: Tensor) -> TaughtStep:
        learnt_from = batch.first(len(teacher_logits))
        leaf = teacher_logits.detach().requires_grad_()
        shift = torch.zeros(2, device=leaf.device, dtype=leaf.dtype, requires_grad=True)

        def loss(logits: Tensor) -> Tensor:
            return self._losses(logits, leaf, learnt_from.labels, shift).total

        step.complete(learnt_from.inputs, loss, batch_size=len(batch.labels))
        return TaughtStep(step, teacher_logits, leaf, shift)

    def _learn(self, taught: Sequence[TaughtStep], quiz: Batch) -> MetaStep:
        """Moves the teacher, and the temperatures, by the quiz loss after the steps."""
        assert self._attached is not None
        student, optimiser = self._attached
        group, learned = ranks_of(student), self._learned
        phi = [] if learned is None else [learned.log_tau]
        quiz_loss = partial(self._quiz_loss, quiz)
        with graph_to(phi):
            estimator = self._config.estimator
            found = look_ahead([each.step for each in taught], quiz_loss, estimator, group)
            # Each rank's logits are its own: what is averaged is their gradient by the teacher.
            slopes = found.gradients([each.leaf for each in taught])
            shifts = [each.shift for each in taught]
            of_taus = [] if learned is None else found.gradients([*phi, *shifts], group)
        teacher_logits = [each.teacher_logits for each in taught]
        has_moved = self._learner.learn(teacher_logits, slopes, share_of_peak(optimiser), group)
        if not has_moved:
            self._skip(float(found.meta_loss))
        elif learned is not None:
            passes = zip(found.passes, taught, strict=True)
            seen = [SeenStep(linearised, each.leaf.detach()) for linearised, each in passes]
            learned.move(of_taus[0], seen, group)
        batch_size = taught[0].step.batch_size or len(quiz.labels)
        return MetaStep(
            meta_loss=found.meta_loss,
            gradient=torch.stack(list(of_taus[1:])).sum(dim=0) if of_taus else None,
            step_equivalents=self._config.step_equivalents(batch_size, len(quiz.labels)),
            is_skipped=not has_moved,
        )

    def _quiz_loss(self, quiz: Batch, forward: Forward) -> Tensor:
        return F.cross_entropy(at_least_float32(forward(quiz.inputs)), quiz.labels)

    def _losses(
        self, logits: Tensor, teacher_logits: Tensor, labels: Tensor, shift: Tensor | None = None
    ) -> Losses:
        c = self._config
        if self._learned is not None:
            assert self._attached is not None
            group = ranks_of(self._attached[0])
            taus = self._learned.taus(shift)
            return distillation_loss(
                logits, teacher_logits, labels, *taus, c.alpha, "free", group=group
            )
        if c.divergence == "kl":
            return distillation_loss(logits, teacher_logits, labels, c.tau_s, c.tau_t, c.alpha)
        require_same_classes(logits, teacher_logits)
        ce = F.cross_entropy(logits, labels)
        kd = (logits / c.tau_s - teacher_logits / c.tau_t).square().mean()
        return Losses((1 - c.alpha) * ce + c.alpha * kd, ce, kd)

    def _skip(self, quiz_loss: float) -> None:
        self.skipped += 1
        if self.skipped == 1:
            _logger.warning(
                "the teacher's gradient is not finite (quiz loss %g): this pilot is skipped, the "
                "teacher stays, and training goes on; further ones are counted",
                quiz_loss,
            )


def share_of_peak(optimiser: Optimizer) -> float:
    """Returns a student's present learning rate over that with which its optimiser began."""
    return float(optimiser.param_groups[0]["lr"]) / float(optimiser.defaults["lr"])
