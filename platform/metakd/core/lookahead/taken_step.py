"""A step that the student takes anyway, remembered so that it can be differentiated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from metakd.core.lookahead.optimiser_step import StepRule, require_known, rule_of_step

LossOfLogits = Callable[[Tensor], Tensor]
LogitsOf = Callable[[Any], Tensor]


@dataclass(frozen=True)
class RandomState:
    """The state of a device's default generator at one moment."""

    device: torch.device
    state: Tensor

    @staticmethod
    def now(device: torch.device) -> "RandomState":
        """Reads the state."""
        if device.type == "cpu":
            return RandomState(device, torch.get_rng_state())
        return RandomState(device, torch.get_device_module(device).get_rng_state(device))

    def restore(self) -> None:
        """Makes it the device's state."""
        if self.device.type == "cpu":
            torch.set_rng_state(self.state)
        else:
            torch.get_device_module(self.device).set_rng_state(self.state, self.device)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draws the same numbers again inside, and leaves the present state as it was."""
        present = RandomState.now(self.device)
        self.restore()
        try:
            yield
        finally:
            present.restore()


class NoStepError(RuntimeError):
    """The optimiser has not taken the step that a hypergradient is to go through."""


def bare(model: nn.Module) -> nn.Module:
    """Returns the module inside wrappers of DDP and ``torch.compile``."""
    for name in ("_orig_mod", "module"):
        inner = getattr(model, name, None)
        is_wrapper = name == "_orig_mod" or isinstance(model, DistributedDataParallel)
        if is_wrapper and isinstance(inner, nn.Module):
            return bare(inner)
    return model


class TakenStep:
    """One step of the student: θ before it, how the optimiser moved θ, and what it trained on.

    Create it right before the training forward pass, and ``complete`` it after the optimiser's
    step. In between it is hooked to the optimiser, so that clipping, gradient scaling, an early
    ``zero_grad`` or a closure cannot make it remember another step than the real one.

    Args:
        student: The student; wrappers of DDP and ``torch.compile`` are looked through.
        optimiser: The optimiser that takes the step.
        is_hooked: Whether the optimiser's next step is its own, or only after ``hook``.

    Raises:
        UnknownOptimiserError: If the optimiser's step cannot be differentiated.
        ValueError: If the optimiser moves no parameter of the student.

    Attributes:
        student: The bare module.
        theta: The parameters before the step that it moved, by name.
        parameters: The same parameters as they stand in the student.
        rules: How the optimiser moved each.
        modes: Whether each module of the student trains in this step, or evaluates.
        buffers: What modules keep beside the parameters and move in their passes, such as the
            vectors of spectral norm, before the pass; BatchNorm's statistics are not among them.
        inputs: The batch of the step, (B, ...).
        logits_of: Takes what the student returns to its logits (B, C).
        loss: The step's loss as a function of its logits (B, C).
        batch_size: Samples of the whole batch, None where unknown.
        is_displaced: Whether parameters changed before the optimiser moved them: the gradient was
            taken elsewhere then.
    """

    def __init__(self, student: nn.Module, optimiser: Optimizer, is_hooked: bool = True) -> None:
        require_known(optimiser)
        self.student = bare(student)
        self.device = next(self.student.parameters()).device
        self.random_state = RandomState.now(self.device)
        self.modes = {module: module.training for module in self.student.modules()}
        self.buffers = {
            name: buffer.detach().clone() for name, buffer in _moving_buffers(self.student)
        }
        self.theta: dict[str, Tensor] = {}
        self.parameters: dict[str, Tensor] = {}
        self.rules: dict[str, StepRule] = {}
        self.inputs: object = None
        self.logits_of: LogitsOf = as_it_is
        self.loss: LossOfLogits = _incomplete
        self.batch_size: int | None = None
        self._names = {
            parameter: name
            for name, parameter in self.student.named_parameters()
            if parameter.requires_grad
        }
        if not any(p in self._names for group in optimiser.param_groups for p in group["params"]):
            raise ValueError(
                "the optimiser moves no parameter of the student, so no temperature can be learned "
                "from it: unfreeze parameters of the student, or give the student's optimiser"
            )
        self._new: set[Tensor] = set()
        self._versions = {parameter: parameter._version for parameter in self._names}
        self.is_displaced = False
        self._hooks = _hooks_of(optimiser)
        if is_hooked:
            self.hook()

    def hook(self) -> None:
        """Takes the optimiser's next step, or the one that it is in, for its own."""
        self._hooks.steps.add(self)
        if self._hooks.stepping is not None:  # the pass is inside optimiser.step(closure)
            self._before(self._hooks.stepping, has_gradients=False)

    def unhook(self) -> None:
        """Takes no further step of the optimiser for its own."""
        self._hooks.steps.discard(self)

    @property
    def is_complete(self) -> bool:
        """Whether ``complete`` was called."""
        return self.inputs is not None

    @property
    def is_taken(self) -> bool:
        """Whether the optimiser has moved parameters of the student since this was created."""
        return bool(self.rules)

    def complete(
        self, inputs: object, loss: LossOfLogits, batch_size: int | None = None
    ) -> "TakenStep":
        """Adds what the step trained on.

        Args:
            inputs: The step's batch, or the part of it that the hypergradient looks at: any one
                argument that the student takes, as a rule a tensor (B, ...).
            loss: The step's loss, a batch mean, as a function of the logits on ``inputs``. The
                meta-parameters enter here and nowhere else.
            batch_size: How many samples the whole batch had, where ``inputs`` is a part of it.

        Raises:
            NoStepError: If the optimiser has not stepped since this was created.
        """
        if not self.is_taken:
            raise NoStepError(
                "the optimiser has not stepped since the look-ahead began: create TakenStep before "
                "the forward pass and complete it after optimiser.step()"
            )
        self.inputs = inputs
        self.loss = loss
        self.batch_size = batch_size
        return self

    @torch.no_grad()
    def _before(self, optimiser: Optimizer, has_gradients: bool = True) -> None:
        if self.is_taken:
            return
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                is_moved = parameter.grad is not None or not has_gradients
                if parameter in self._names and is_moved:
                    name = self._names[parameter]
                    self.theta[name] = parameter.detach().clone()
                    self.is_displaced |= parameter._version != self._versions[parameter]
                    if _is_new(optimiser, parameter):
                        self._new.add(parameter)

    @torch.no_grad()
    def _after(self, optimiser: Optimizer) -> None:
        if self.is_taken or _has_overflowed(optimiser):
            return
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                name = self._names.get(parameter)
                if name in self.theta and parameter.grad is not None:
                    self.parameters[name] = parameter
                    self.rules[name] = rule_of_step(
                        optimiser, parameter, group, self.theta[name], parameter in self._new
                    )
        self.theta = {name: self.theta[name] for name in self.rules}


class _StepHooks:
    """The steps that an optimiser's next step belongs to, behind one pair of hooks that stays.

    Hooks that come and go while the optimiser steps would change the table it walks through.

    Attributes:
        steps: Those that have not been forgotten.
        stepping: The optimiser while it is inside its step.
    """

    def __init__(self, optimiser: Optimizer) -> None:
        self.steps: WeakSet[TakenStep] = WeakSet()
        self.stepping: Optimizer | None = None
        optimiser.register_step_pre_hook(self._before)
        optimiser.register_step_post_hook(self._after)

    def _before(self, optimiser: Optimizer, args: object, kwargs: object) -> None:
        self.stepping = optimiser
        for step in list(self.steps):
            step._before(optimiser)

    def _after(self, optimiser: Optimizer, args: object, kwargs: object) -> None:
        self.stepping = None
        for step in list(self.steps):
            step._after(optimiser)
            if step.is_taken:
                self.steps.discard(step)


_all_hooks: WeakKeyDictionary[Optimizer, _StepHooks] = WeakKeyDictionary()


def _hooks_of(optimiser: Optimizer) -> _StepHooks:
    if optimiser not in _all_hooks:
        _all_hooks[optimiser] = _StepHooks(optimiser)
    return _all_hooks[optimiser]


def _moving_buffers(student: nn.Module) -> list[tuple[str, Tensor]]:
    """Returns what passes may move beside BatchNorm's statistics, by name."""
    of_norms = {
        id(buffer)
        for module in student.modules()
        if isinstance(module, _NormBase)
        for buffer in module.buffers(recurse=False)
    }
    return [
        (name, buffer)
        for name, buffer in student.named_buffers()
        if buffer.is_floating_point() and id(buffer) not in of_norms
    ]


def _has_overflowed(optimiser: Optimizer) -> bool:
    """Says whether a fused step left everything as it was: its GradScaler found an overflow."""
    found = getattr(optimiser, "found_inf", None)
    return found is not None and bool(found)


def as_it_is(outputs: Any) -> Tensor:  # noqa: ANN401 - what a student returns
    """Returns a student's outputs as its logits."""
    logits: Tensor = outputs
    return logits


def _is_new(optimiser: Optimizer, parameter: Tensor) -> bool:
    # SGD without momentum, and a fused SGD before its first step, may hold an empty entry.
    return not any(value is not None for value in optimiser.state.get(parameter, {}).values())


def _incomplete(logits: Tensor) -> Tensor:
    raise NoStepError("complete the step before differentiating it")
