"""Learned temperatures as a module: the loss, the look-ahead, the move."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from metakd.core.batches import Inputs, changed
from metakd.core.hypergradient import MetaLoss, TakenStep
from metakd.core.look_aheads import MetaStep, require_one_of
from metakd.core.losses import Losses, TaskLoss
from metakd.core.meta_gradient import meta_gradient
from metakd.core.meta_temperature.alignment import AlignmentRule
from metakd.core.meta_temperature.config import (
    CONFIG_OF_RULE,
    AlignmentConfig,
    GradientConfig,
    LearnedTemperatureConfig,
    RuleName,
)
from metakd.core.meta_temperature.gradient import GradientRule
from metakd.core.meta_temperature.rule import MetaRule, SeenStep
from metakd.core.meta_temperature.tempered_loss import TemperedLoss
from metakd.core.meta_temperature.watch import Watch
from metakd.core.ranks import ranks_of
from metakd.core.temperatures import make_temperatures

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchLoss:
    """A batch's loss as a function of the student's logits (B, C), with the graph to φ.

    Attributes:
        tempered: L(·; φ).
        teacher_logits: z_t, (B, C).
        labels: Class indices (B,), or probabilities (B, C).
        shift: See ``TemperedLoss.forward``.
    """

    tempered: TemperedLoss
    teacher_logits: Tensor
    labels: Tensor
    shift: Tensor

    def __call__(self, student_logits: Tensor) -> Tensor:
        """Returns the scalar batch mean."""
        losses: Losses = self.tempered(student_logits, self.teacher_logits, self.labels, self.shift)
        return losses.total


def _learned(config: LearnedTemperatureConfig) -> tuple[TemperedLoss, MetaRule]:
    """Returns the loss with φ at its start, and the rule that moves φ."""
    c = config
    if isinstance(c, AlignmentConfig):
        aligned = AlignmentRule(*c.tau_range, c.confidence, c.form == "shared")
        temperatures = make_temperatures(c.form, aligned.middle, aligned.middle)
        tempered = TemperedLoss(temperatures, c.alpha, learn_alpha=False, scale=c.scale)
        tempered.requires_grad_(False)
        return tempered, aligned
    assert isinstance(c, GradientConfig)
    temperatures = make_temperatures(c.form, c.tau_s, c.tau_t, c.num_classes)
    tempered = TemperedLoss(temperatures, c.alpha, c.learn_alpha, c.scale)
    tempered.requires_grad_(False)
    return tempered, GradientRule(tempered.phi, c.meta_lr)


class MetaTemperature(nn.Module):
    """Softmax temperatures that are learned while the student trains, in anyone's loop.

    Example:
        >>> temps = MetaTemperature(init=4.0).watch(student, optimiser)  # doctest: +SKIP
        >>> for x, y in batches:  # doctest: +SKIP
        ...     if temps.is_due:  # the step behind is judged by samples of the next batch
        ...         temps.meta_step(x[:16], y[:16])
        ...     loss = temps.loss(student(x), teacher(x), y)
        ...     optimiser.zero_grad()
        ...     loss.backward()
        ...     optimiser.step()

    Save and load it with ``state_dict`` beside the student and the optimiser: a resumed run is the
    same run, to the bit on a CPU.

    Args:
        init: Where the gradient rule starts the temperature, or one for the student and one for the
            teacher; 4 unless it is given. The alignment rule has no start.
        rule: ``gradient`` descends the look-ahead hypergradient (MKD-style); ``alignment`` scores
            all temperatures of a range at each look-ahead.
        **settings: Further fields of ``GradientConfig`` or ``AlignmentConfig``.

    Raises:
        ValueError: If a setting is out of its range, or there is no such rule.

    Attributes:
        config: The settings.
        steps: How many steps of the student were seen.
        skipped: How many look-aheads moved nothing because they were not finite.
    """

    def __init__(
        self,
        init: float | tuple[float, float] | None = None,
        rule: RuleName = "gradient",
        **settings: Any,  # noqa: ANN401 - fields of the rule's configuration
    ) -> None:
        super().__init__()
        require_one_of("rule", rule, tuple(CONFIG_OF_RULE))
        if init is not None:
            if rule != "gradient":
                raise ValueError(f"rule={rule!r} has no start, got init={init}: leave it out")
            settings["tau_s"], settings["tau_t"] = init if isinstance(init, tuple) else (init, init)
        self.config: LearnedTemperatureConfig = CONFIG_OF_RULE[rule](**settings)
        self.steps = 0
        self.skipped = 0
        self._tempered, self._rule = _learned(self.config)
        self._watch: Watch | None = None

    @classmethod
    def of(cls, config: LearnedTemperatureConfig) -> Self:
        """Returns temperatures with these settings."""
        settings = {field.name: getattr(config, field.name) for field in fields(config)}
        return cls(rule=config.rule, **settings)

    def loss(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss that the student descends, at the temperatures as they stand; scalar.

        Args:
            student_logits: z_s, (B, C).
            teacher_logits: z_t, (B, C); no gradient flows back into them.
            labels: Class indices (B,), or probabilities (B, C).

        Raises:
            ValueError: If the logits differ in shape.
        """
        return self.losses(student_logits, teacher_logits, labels).total

    def losses(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
        """Returns ``loss`` with its parts."""
        losses: Losses = self._tempered(student_logits, teacher_logits.detach(), labels)
        if self._watch is not None:
            self._watch.saw_answers(teacher_logits.detach(), labels)
        return losses

    def use_task_loss(self, task_loss: TaskLoss) -> None:
        """Puts another loss of logits and labels in the place of cross-entropy."""
        self._tempered.task_loss = task_loss

    @property
    def temperatures(self) -> tuple[float, float]:
        """The present (τ_s, τ_t); geometric means where each class or sample has its own."""
        return self._tempered.temperatures.summary()

    @property
    def alpha(self) -> float:
        """The present weight of the teacher's term."""
        return self._tempered.alpha

    def watch(self, student: nn.Module, optimiser: Optimizer) -> Self:
        """Remembers, from now on, the student's steps that look-aheads need; moves to its device.

        Args:
            student: The module that the loop calls, wrapped by DDP or ``torch.compile`` or not. It
                maps one argument to logits (B, C).
            optimiser: The optimiser that moves it.

        Raises:
            UnknownOptimiserError: If the optimiser's step cannot be differentiated.
            ValueError: If the optimiser moves no parameter of the student.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = Watch(self, student, optimiser)
        return self.attach(student)

    def attach(self, student: nn.Module) -> Self:
        """Moves to the student's device and, where that is a DDP module, learns with its ranks."""
        self._tempered.group = ranks_of(student)
        return self.to(next(student.parameters()).device)

    @property
    def is_due(self) -> bool:
        """Whether the step just taken is one that ``meta_step`` would look back at."""
        return self._watch is not None and self._watch.is_due

    def meta_step(
        self,
        inputs: Tensor,
        labels: Tensor,
        objective: TaskLoss = F.cross_entropy,
    ) -> MetaStep | None:
        """Moves the temperatures after the student's step, if a look-ahead is due.

        Args:
            inputs: Held-out samples that judge the step, (B', ...), or the next training batch.
            labels: Their classes, (B',).
            objective: The meta loss of logits and labels, a scalar.

        Returns:
            What was seen, or None when none is due.

        Raises:
            RuntimeError: If ``watch`` was not called.
        """
        if self._watch is None:
            raise RuntimeError("call watch(student, optimiser) before the loop")
        if not self._watch.is_due:
            return None
        steps = self._watch.take()
        with self._watch.looking_back():
            return self.learn(
                steps,
                lambda forward: objective(forward(inputs), labels),
                meta_samples=len(labels),
            )

    def complete(
        self, step: TakenStep, inputs: Inputs, teacher_logits: Tensor, labels: Tensor
    ) -> TakenStep:
        """Completes a remembered step with the part of its batch that the look-ahead passes again.

        Args:
            step: The step, just taken.
            inputs: Its whole batch, (B, ...).
            teacher_logits: z_t, (B, C).
            labels: (B,), or (B, C).
        """
        rows = self.config.samples_of(len(labels))
        shift = torch.zeros(2, device=teacher_logits.device, dtype=self._dtype, requires_grad=True)
        loss = BatchLoss(self._tempered, teacher_logits[:rows].detach(), labels[:rows], shift)
        passed = changed(inputs, lambda tensor: tensor[:rows])
        return step.complete(passed, loss, batch_size=len(labels))

    def learn(
        self,
        steps: Sequence[TakenStep],
        meta_loss: MetaLoss,
        meta_samples: int,
    ) -> MetaStep:
        """Moves the temperatures by a look-ahead over steps that ``complete`` made.

        A meta loss or gradient that is not finite moves nothing: it is counted in ``skipped``, the
        log says so, and training goes on.

        Args:
            steps: The last ``horizon`` steps of the student, oldest first.
            meta_loss: See ``look_ahead``.
            meta_samples: How many samples it is taken over.
        """
        phi, group = self._tempered.phi, self._tempered.group
        losses = [step.loss for step in steps]
        shifts = [loss.shift for loss in losses if isinstance(loss, BatchLoss)]
        found = meta_gradient(steps, meta_loss, phi, shifts, self.config.estimator, group)
        seen_loss = found.look_ahead.meta_loss
        if found.is_finite:
            seen = [
                SeenStep(linearised, loss.teacher_logits)
                for linearised, loss in zip(found.look_ahead.passes, losses, strict=True)
                if isinstance(loss, BatchLoss)
            ]
            self._rule.move(phi, found.of_phi, seen, group)
            self._tempered.clamp_()
        else:
            self._skip(float(seen_loss))
        batch_size = steps[-1].batch_size or meta_samples
        cost = self.config.step_equivalents(batch_size, meta_samples)
        return MetaStep(seen_loss, found.common, cost, is_skipped=not found.is_finite)

    def get_extra_state(self) -> dict[str, int]:
        """Returns the counters, for the state dict."""
        return {"steps": self.steps, "skipped": self.skipped}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes the counters from a state dict."""
        self.steps, self.skipped = state["steps"], state["skipped"]

    @property
    def _dtype(self) -> torch.dtype:
        return self._tempered.phi[0].dtype

    def _skip(self, meta_loss: float) -> None:
        self.skipped += 1
        if self.skipped == 1:
            _logger.warning(
                "the meta gradient is not finite (meta loss %g): this look-ahead is skipped, the "
                "temperatures stay, and training goes on; MetaTemperature.skipped counts further "
                "ones",
                meta_loss,
            )
