"""Steps that are tried and undone: the student and its optimiser as they were, to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from metakd.core.batches import Inputs
from metakd.core.lookahead import LossOfLogits, TakenStep, bare
from metakd.core.lookahead.taken_step import RandomState
from metakd.core.losses import at_least_float32


@contextmanager
def rolled_back(student: nn.Module, optimiser: Optimizer) -> Iterator[None]:
    """Undoes, at its end, all steps that were taken inside.

    Parameters, buffers (BatchNorm's running statistics among them), the optimiser's state and the
    random state come back exactly; gradients are empty afterwards.

    Args:
        student: The student; wrappers of DDP and ``torch.compile`` are looked through.
        optimiser: What moves it, inside.
    """
    module = bare(student)
    values = {name: value.detach().clone() for name, value in _values(module)}
    state = {
        parameter: {
            name: value.clone() if isinstance(value, Tensor) else value
            for name, value in known.items()
        }
        for parameter, known in optimiser.state.items()
    }
    device = next(module.parameters()).device
    random = [RandomState.now(each) for each in {torch.device("cpu"), device}]
    try:
        yield
    finally:
        with torch.no_grad():
            for name, value in _values(module):
                value.copy_(values[name])
        optimiser.state.clear()
        optimiser.state.update(state)
        optimiser.zero_grad()
        torch.clear_autocast_cache()
        for each in random:
            each.restore()


def tried_step(
    student: nn.Module, optimiser: Optimizer, inputs: Inputs, loss: LossOfLogits
) -> TakenStep:
    """Takes a step as the training loop takes them, and returns it to be completed.

    Args:
        student: The student, perhaps in DDP: its passes go through the wrapper, and under the
            caller's autocast.
        optimiser: What moves it.
        inputs: The batch, (B, ...).
        loss: Of the student's outputs on it, a batch mean; in full precision.
    """
    taken = TakenStep(student, optimiser)
    outputs = student(inputs)
    with torch.autocast(outputs.device.type, enabled=False):
        value = loss(at_least_float32(outputs))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    torch.clear_autocast_cache()  # which holds coarse copies of what has just moved
    return taken


def _values(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()
