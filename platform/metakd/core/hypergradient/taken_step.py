"""A step that the student takes anyway, remembered so that it can be differentiated."""

import weakref
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from metakd.core.hypergradient.optimiser_step import StepRule, require_known, rule_of_step
from metakd.core.hypergradient.random_state import RandomState

LossOfLogits = Callable[[Tensor], Tensor]


class NoStepError(RuntimeError):
    """A hypergradient was asked for a step that the optimiser has not taken."""


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
    step. In between it listens to the optimiser, so that clipping, gradient scaling or an early
    ``zero_grad`` cannot make it remember another step than the real one.

    Args:
        student: The student; wrappers of DDP and ``torch.compile`` are looked through.
        optimiser: The optimiser that takes the step.

    Raises:
        UnknownOptimiserError: If the optimiser's step cannot be differentiated.
        ValueError: If the optimiser moves no parameter of the student.

    Attributes:
        student: The bare module.
        theta: The parameters before the step that it moved, by name.
        parameters: The same parameters as they stand in the student.
        rules: How the optimiser moved each.
        inputs: The batch of the step, (B, ...).
        loss: The step's loss as a function of its logits (B, C).
        batch_size: Samples of the whole batch, None where nobody said.
    """

    def __init__(self, student: nn.Module, optimiser: Optimizer) -> None:
        require_known(optimiser)
        self.student = bare(student)
        self.device = next(self.student.parameters()).device
        self.random_state = RandomState.now(self.device)
        self.theta: dict[str, Tensor] = {}
        self.parameters: dict[str, Tensor] = {}
        self.rules: dict[str, StepRule] = {}
        self.inputs: object = None
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
                "from it: unfreeze parameters of the student, or hand over the student's optimiser"
            )
        self._new: set[Tensor] = set()
        self._hooks = [
            optimiser.register_step_pre_hook(_weakly(self._before)),
            optimiser.register_step_post_hook(_weakly(self._after)),
        ]

    def __del__(self) -> None:
        self._forget_hooks()

    @property
    def is_complete(self) -> bool:
        """Whether ``complete`` was called."""
        return self.inputs is not None

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
        if not self.rules:
            raise NoStepError(
                "the optimiser has not stepped since the look-ahead began: create TakenStep before "
                "the forward pass and complete it after optimiser.step()"
            )
        self._forget_hooks()
        self.inputs = inputs
        self.loss = loss
        self.batch_size = batch_size
        return self

    @torch.no_grad()
    def _before(self, optimiser: Optimizer) -> None:
        if self.rules:
            return
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                if parameter in self._names and parameter.grad is not None:
                    name = self._names[parameter]
                    self.theta[name] = parameter.detach().clone()
                    self.parameters[name] = parameter
                    if _is_new(optimiser, parameter):
                        self._new.add(parameter)

    # The hooks stay until later: the optimiser is going through its list of them.
    @torch.no_grad()
    def _after(self, optimiser: Optimizer) -> None:
        if self.rules:
            return
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                name = self._names.get(parameter)
                if name in self.theta:
                    self.rules[name] = rule_of_step(
                        optimiser, parameter, group, self.theta[name], parameter in self._new
                    )

    def _forget_hooks(self) -> None:
        for hook in self.__dict__.pop("_hooks", ()):
            hook.remove()


def _is_new(optimiser: Optimizer, parameter: Tensor) -> bool:
    # SGD without momentum, and a fused SGD before its first step, may hold an empty entry.
    return not any(value is not None for value in optimiser.state.get(parameter, {}).values())


def _weakly(method: Callable[[Optimizer], None]) -> Callable[..., None]:
    """Returns a hook that does not keep a forgotten step alive."""
    reference = weakref.WeakMethod(method)

    def hook(optimiser: Optimizer, args: object, kwargs: object) -> None:
        listener = reference()
        if listener is not None:
            listener(optimiser)

    return hook


def _incomplete(logits: Tensor) -> Tensor:
    raise NoStepError("complete the step before differentiating it")
