"""Listens to a student and its optimiser, so that a loop need not call anything before a step."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.hypergradient import TakenStep

if TYPE_CHECKING:
    from metakd.core.meta_temperature.module import MetaTemperature


class Watch:
    """Remembers the steps of a student that the look-aheads of a ``MetaTemperature`` need.

    With gradients accumulated over several forward passes, the last of them stands for the step:
    its part of the batch is as good a sample as any other.

    Args:
        temperature: Whose steps are counted.
        student: The module that the loop calls.
        optimiser: The optimiser that moves it.
    """

    def __init__(
        self, temperature: "MetaTemperature", student: nn.Module, optimiser: Optimizer
    ) -> None:
        TakenStep(student, optimiser)  # refuses here what it would refuse at the first step
        self._temperature = temperature
        self._student = student
        self._optimiser = optimiser
        self._device = next(student.parameters()).device.type
        self._begun: TakenStep | None = None
        self._inputs: Tensor | None = None
        self._answers: tuple[Tensor, Tensor] | None = None
        self._precision = (False, torch.get_autocast_dtype(self._device))
        self._taken: deque[tuple[TakenStep, Tensor, Tensor, Tensor]] = deque(
            maxlen=temperature.config.horizon
        )
        self._was_due = False
        self._is_looking_back = False
        self._hooks = [
            student.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            optimiser.register_step_post_hook(self._after_step),
        ]

    @property
    def is_due(self) -> bool:
        """Whether the step just taken ends a look-ahead that has not been looked at."""
        return self._was_due

    def saw_answers(self, teacher_logits: Tensor, labels: Tensor) -> None:
        """Takes what the loss was computed from."""
        if self._begun is not None:
            self._answers = (teacher_logits, labels)

    def take(self) -> list[TakenStep]:
        """Returns the remembered steps, completed, and forgets them."""
        self._was_due = False
        steps = [self._temperature.complete(*taken) for taken in self._taken]
        self._taken.clear()
        return steps

    @contextmanager
    def looking_back(self) -> Iterator[None]:
        """Keeps the autocast of the student's last training pass, and counts no pass inside."""
        enabled, dtype = self._precision
        self._is_looking_back = True
        try:
            with torch.autocast(self._device, dtype=dtype, enabled=enabled):
                yield
        finally:
            self._is_looking_back = False

    def end(self) -> None:
        """Stops listening."""
        for hook in self._hooks:
            hook.remove()

    def _before_forward(
        self, module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, object]
    ) -> None:
        is_training_pass = module.training and torch.is_grad_enabled()
        if self._is_looking_back or not is_training_pass:
            return
        if len(args) != 1 or kwargs:
            raise TypeError(
                "a watched student takes one positional argument, so that a look-ahead can pass it "
                f"again, got {len(args)} and the keywords {sorted(kwargs)}: wrap it in a module "
                "that maps one tensor to logits"
            )
        if self._temperature.config.remembers(self._temperature.steps):
            self._begun = TakenStep(self._student, self._optimiser)
            self._inputs = args[0].detach()
            enabled = torch.is_autocast_enabled(self._device)
            self._precision = (enabled, torch.get_autocast_dtype(self._device))

    def _after_step(self, optimiser: Optimizer, args: object, kwargs: object) -> None:
        step = self._temperature.steps
        self._temperature.steps += 1
        self._was_due = False
        if self._begun is not None and self._inputs is not None and self._answers is not None:
            self._taken.append((self._begun, self._inputs, *self._answers))
            self._was_due = self._temperature.config.is_due(step)
        self._begun = self._inputs = self._answers = None
