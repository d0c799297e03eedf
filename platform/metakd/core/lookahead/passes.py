"""Passes through the student at parameters of one's choice, as its training pass was."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase

from metakd.core.lookahead.taken_step import TakenStep


@contextmanager
def frozen_running_statistics(model: nn.Module) -> Iterator[None]:
    """Lets training-mode passes through ``model`` move no running statistics.

    The look-ahead passes the same batch, and the meta batch, through the student once more; the
    running statistics belong to the training pass alone.
    """
    tracking = [
        module
        for module in model.modules()
        if isinstance(module, _NormBase) and module.track_running_stats and module.training
    ]
    for module in tracking:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in tracking:
            module.track_running_stats = True


def logits_at(step: TakenStep, theta: Mapping[str, Tensor]) -> Tensor:
    """Returns the student's logits (B, C) on the step's inputs, at other parameters.

    Buffers that passes move are those before the step's own pass; what moves is a copy.
    """
    buffers = {name: buffer.clone() for name, buffer in step.buffers.items()}
    values = _wherever_they_stand(step.student, {**theta, **buffers})
    # PyTorch's own tying would put the values of a module that stands in two places back wrongly.
    outputs = functional_call(step.student, values, (step.inputs,), tie_weights=False)
    return step.logits_of(outputs)


def _wherever_they_stand(student: nn.Module, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns values for all places of tied parameters and buffers, each module once.

    Args:
        student: The student.
        values: By the names of ``named_parameters`` and ``named_buffers``.
    """
    named = (*student.named_parameters(), *student.named_buffers())
    of_tensor = {id(tensor): values[name] for name, tensor in named if name in values}
    return {
        f"{prefix}.{name}" if prefix else name: of_tensor[id(tensor)]
        for prefix, module in student.named_modules()
        for name, tensor in (*module._parameters.items(), *module._buffers.items())
        if id(tensor) in of_tensor
    }


@contextmanager
def extra_passes(step: TakenStep) -> Iterator[None]:
    """Lets passes through the student move nothing of it, each module in its mode of the step.

    Gradient checkpointing is off inside: PyTorch's reentrant kind knows neither forward mode nor
    gradients of chosen tensors.
    """
    student = step.student
    kept = [(buffer, buffer._version, buffer.clone()) for buffer in student.buffers()]
    with ExitStack() as stack:
        stack.callback(_restore, kept)
        for module, training in step.modes.items():
            if module.training != training:
                stack.callback(setattr, module, "training", not training)
                module.training = training
        stack.enter_context(frozen_running_statistics(student))
        checkpoint = torch.utils.checkpoint
        stack.callback(setattr, checkpoint, "CheckpointFunction", checkpoint.CheckpointFunction)
        checkpoint.CheckpointFunction = _Uncheckpointed  # type: ignore[misc,assignment]
        yield


@torch.no_grad()
def _restore(kept: list[tuple[Tensor, int, Tensor]]) -> None:
    for buffer, version, value in kept:
        if buffer._version != version:
            buffer.copy_(value)


class _Uncheckpointed:
    """Stands in for PyTorch's reentrant checkpoint, and keeps the activations."""

    @staticmethod
    def apply(
        function: Callable[..., object], preserve_rng_state: bool, *arguments: object
    ) -> object:
        return function(*arguments)


@contextmanager
def repeated(step: TakenStep) -> Iterator[None]:
    """Passes inside draw the dropout masks of the step again, in full precision.

    Fused attention has neither a forward-mode rule nor a second derivative; PyTorch's math kernel
    has both, so it stands in for the other here and only here.
    """
    with (
        step.random_state.again(),
        torch.autocast(step.device.type, enabled=False),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield
