"""Learned temperatures as a module: the loss, the look-ahead, the move."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from metakd.core.batches import Inputs, changed
from metakd.core.lookahead import Forward, LogitsOf, MetaLoss, TakenStep
from metakd.core.lookahead.look_aheads import MetaStep, require_one_of
from metakd.core.lookahead.sweep import meta_gradient
from metakd.core.losses import Losses, TaskLoss, at_least_float32, require_same_classes
from metakd.core.meta_temperature.batch_loss import BatchLoss, TemperedLoss
from metakd.core.meta_temperature.config import (
    CONFIG_OF_RULE,
    AlignmentConfig,
    GradientConfig,
    LearnedTemperatureConfig,
    RuleName,
)
from metakd.core.meta_temperature.rows import rows_of
from metakd.core.meta_temperature.rules import AlignmentRule, GradientRule, MetaRule
from metakd.core.meta_temperature.watch import Watch
from metakd.core.ranks import ranks_of
from metakd.core.temperatures import make_temperatures

_logger = logging.getLogger(__name__)


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

    Logits are (B, C), or have further dimensions, such as (B, T, V) of tokens or (B, C, H, W) of
    pixels: each position is then a sample of its own. Half precision is computed in float32; −inf,
    of classes that are masked on both sides, counts as probability 0.

    Args:
        init: Where the gradient rule starts the temperature, or one for the student and one for the
            teacher; 4 unless it is given. The alignment rule has no start.
        rule: ``gradient`` descends the look-ahead hypergradient (MKD-style); ``alignment`` scores
            all temperatures of a range at each look-ahead.
        class_dim: The dimension of the classes in logits of three dimensions or more, where their
            shape and the labels' leave it open.
        ignore_index: The label of samples, or positions, that are left out of the whole loss, such
            as −100 of padding; None: the teacher's term has all of them.
        **settings: Further fields of ``GradientConfig`` or ``AlignmentConfig``.

    Raises:
        ValueError: If a setting is out of its range, or there is no such rule.

    Attributes:
        config: The settings.
        steps: How many steps of the student were seen.
        meta_steps: How many look-aheads moved the temperatures.
        skipped: How many look-aheads moved nothing because they were not finite.
    """

    def __init__(
        self,
        init: float | tuple[float, float] | None = None,
        rule: RuleName = "gradient",
        class_dim: int | None = None,
        ignore_index: int | None = None,
        **settings: Any,  # noqa: ANN401 - fields of the rule's configuration
    ) -> None:
        super().__init__()
        require_one_of("rule", rule, tuple(CONFIG_OF_RULE))
        if init is not None:
            twice = [name for name in ("tau_s", "tau_t") if name in settings]
            if twice:
                raise ValueError(f"init={init} is the start of both, got {twice[0]} beside it")
            if rule != "gradient":
                raise ValueError(f"rule={rule!r} has no start, got init={init}: leave it out")
            settings["tau_s"], settings["tau_t"] = init if isinstance(init, tuple) else (init, init)
        self.config: LearnedTemperatureConfig = CONFIG_OF_RULE[rule](**settings)
        self.steps = 0
        self.meta_steps = 0
        self.skipped = 0
        self._class_dim = class_dim
        self._ignore_index = ignore_index
        self._task_loss: TaskLoss = F.cross_entropy
        self._tempered, self._rule = _learned(self.config)
        self._watch: Watch | None = None
        self._is_attached = False
        self._unwatched = 0
        self._is_checked = False

    @classmethod
    def of(cls, config: LearnedTemperatureConfig) -> Self:
        """Returns temperatures with these settings."""
        settings = {field.name: getattr(config, field.name) for field in fields(config)}
        return cls(rule=config.rule, **settings)

    def loss(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss that the student descends, at the temperatures as they stand; scalar.

        Args:
            student_logits: z_s, (B, C), or with further dimensions.
            teacher_logits: z_t, of the same shape; no gradient flows back into them.
            labels: Class indices, of the logits' shape without the classes, or class probabilities.

        Raises:
            ValueError: If the logits differ in shape, have fewer than two classes or more than the
                temperatures are for, or leave open where the classes are.
        """
        return self.losses(student_logits, teacher_logits, labels).total

    def losses(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Losses:
        """Returns ``loss`` with its parts."""
        # Autograd keeps no tensors of inference mode.
        teacher_logits, labels = (
            tensor.clone() if tensor.is_inference() else tensor
            for tensor in (teacher_logits.detach(), labels)
        )
        batch_loss = self._batch_loss(student_logits, teacher_logits, labels)
        require_same_classes(student_logits, teacher_logits)
        c = self.config
        if isinstance(c, GradientConfig) and c.num_classes is not None:
            classes = student_logits.shape[batch_loss.rows.class_dim]
            batch_loss.require_classes(c.num_classes, classes)
        if not self._is_checked:
            self._is_checked = True
            batch_loss.check(student_logits)
        losses = batch_loss.losses(student_logits)
        if student_logits.requires_grad and torch.is_grad_enabled():
            if self._watch is not None:
                self._watch.saw_loss(student_logits, teacher_logits, labels)
            elif not self._is_attached:
                self._say_when_unwatched()
        return losses

    def use_task_loss(self, task_loss: TaskLoss) -> None:
        """Puts another loss of logits and labels, as they are, in the place of cross-entropy."""
        self._task_loss = task_loss

    @property
    def temperatures(self) -> tuple[float, float]:
        """The present (τ_s, τ_t); geometric means where each class or sample has its own."""
        return self._tempered.temperatures.summary()

    @property
    def alpha(self) -> float:
        """The present weight of the teacher's term."""
        return self._tempered.alpha

    def watch(
        self, student: nn.Module, optimiser: Optimizer, output: LogitsOf | None = None
    ) -> Self:
        """Remembers, from now on, the student's steps that look-aheads need; moves to its device.

        A look-ahead repeats the pass whose logits entered the loss. They are found in what the
        student returned: a tensor, or a tuple, mapping or dataclass that holds them. The student's
        copies and saved files know nothing of it.

        The step is differentiated as the optimiser took it, from the gradients that it found. What
        scaled them before, such as clipping, is held constant: see
        ``metakd.core.meta_temperature``. So are parameters that another optimiser moves.

        Args:
            student: The module that the loop calls, wrapped by DDP or ``torch.compile`` or not
                (with ``fullgraph=True``: the compiled one). It takes one argument, a tensor
                (B, ...) or a mapping of them.
            optimiser: The optimiser that moves it; wrappers of Accelerate and Lightning are looked
                into.
            output: Takes what the student returns to the logits of the loss, where the loop
                computes these from it, for example ``lambda returned: returned[:, :10]``.

        Raises:
            UnknownOptimiserError: If the optimiser's step cannot be differentiated.
            ValueError: If the optimiser moves no parameter of the student.
        """
        if self._watch is not None:
            self._watch.end()
        self._watch = Watch(self, student, optimiser, output)
        return self.attach(student)

    def attach(self, student: nn.Module) -> Self:
        """Moves to the student's device and, where that is a DDP module, learns with its ranks."""
        self._is_attached = True
        self._tempered.group = ranks_of(student)
        return self.to(next(student.parameters()).device)

    @property
    def is_due(self) -> bool:
        """Whether the step just taken is one that ``meta_step`` would look back at."""
        return self._watch is not None and self._watch.is_due

    def meta_step(
        self,
        inputs: Inputs,
        labels: Tensor,
        objective: Callable[[Any, Tensor], Tensor] = F.cross_entropy,
    ) -> MetaStep | None:
        """Moves the temperatures after the student's step, if a look-ahead is due.

        Args:
            inputs: Held-out samples that judge the step, (B', ...), or the next training batch.
            labels: Their classes, (B',).
            objective: The meta loss of what the student returns and of the labels, a scalar;
                cross-entropy is taken of its logits.

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
        logits_of = steps[-1].logits_of

        def meta_loss(forward: Forward) -> Tensor:
            outputs = forward(inputs)
            if objective is not F.cross_entropy:
                return objective(outputs, labels)
            logits = at_least_float32(logits_of(outputs))
            rows = rows_of(logits, labels, self._class_dim, self._ignore_index)
            return F.cross_entropy(rows.of(logits), rows.of_labels(labels))

        with self._watch.looking_back():
            return self.learn(steps, meta_loss, meta_samples=len(labels))

    def complete(
        self, step: TakenStep, inputs: Inputs, teacher_logits: Tensor, labels: Tensor
    ) -> TakenStep:
        """Completes a remembered step with the part of its batch that the look-ahead passes again.

        It is the whole batch where inputs, logits and labels do not correspond sample by sample.

        Args:
            step: The step, just taken.
            inputs: Its whole batch, (B, ...).
            teacher_logits: z_t, (B, C), or with further dimensions.
            labels: Class indices, or class probabilities.
        """
        batch_size = len(teacher_logits)
        named = [inputs] if isinstance(inputs, Tensor) else list(inputs.values())
        rows = batch_size
        if all(tensor.dim() > 0 and len(tensor) == batch_size for tensor in (*named, labels)):
            rows = self.config.samples_of(batch_size)
        loss = self._batch_loss(
            teacher_logits[:rows],
            teacher_logits[:rows].detach(),
            labels if rows == batch_size else labels[:rows],
            torch.zeros(2, device=teacher_logits.device, dtype=self._dtype, requires_grad=True),
        )
        passed = inputs if rows == batch_size else changed(inputs, lambda tensor: tensor[:rows])
        return step.complete(passed, loss, batch_size)

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
        shifts = [
            loss.shift for loss in losses if isinstance(loss, BatchLoss) and loss.shift is not None
        ]
        found = meta_gradient(steps, meta_loss, phi, shifts, self.config.estimator, group)
        seen_loss = found.look_ahead.meta_loss
        if found.is_finite:
            seen = [
                loss.seen(linearised)
                for linearised, loss in zip(found.look_ahead.passes, losses, strict=True)
                if isinstance(loss, BatchLoss)
            ]
            self._rule.move(phi, found.of_phi, seen, group)
            self._tempered.clamp_()
            self.meta_steps += 1
        else:
            self._skip(float(seen_loss))
        batch_size = steps[-1].batch_size or meta_samples
        last, config = losses[-1], self.config
        if isinstance(last, BatchLoss) and len(last.teacher_logits) == batch_size:
            config = replace(config, meta_fraction=1.0)
        cost = config.step_equivalents(batch_size, meta_samples)
        return MetaStep(seen_loss, found.common, cost, is_skipped=not found.is_finite)

    def get_extra_state(self) -> dict[str, int]:
        """Returns the counters, for the state dict."""
        return {"steps": self.steps, "meta_steps": self.meta_steps, "skipped": self.skipped}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Takes the counters from a state dict."""
        self.steps, self.skipped = state["steps"], state["skipped"]
        self.meta_steps = state.get("meta_steps", 0)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the student and its optimiser out of copies and saved files."""
        return {**self.__dict__, "_watch": None}

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

    def _batch_loss(
        self,
        like: Tensor,
        teacher_logits: Tensor,
        labels: Tensor,
        shift: Tensor | None = None,
    ) -> BatchLoss:
        """Returns the loss of a batch whose logits have a shape ``like`` those."""
        rows = rows_of(like, labels, self._class_dim, self._ignore_index)
        return BatchLoss(self._tempered, rows, teacher_logits, labels, self._task_loss, shift)

    def _say_when_unwatched(self) -> None:
        self._unwatched += 1
        if self._unwatched == self.config.interval + 1:
            _logger.warning(
                "the temperatures are not being learned: after %d losses nothing is watched, so "
                "they stay at %.3g and %.3g; call watch(student, optimiser) before the loop",
                self._unwatched,
                *self.temperatures,
            )
