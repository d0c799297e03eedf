"""Steps that are tried and undone: the student and its optimiser as they were, to the last bit."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim import Optimizer

from metakd.core.hypergradient import bare
from metakd.core.hypergradient.random_state import RandomState


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
            name: value.clone() if isinstance(value, torch.Tensor) else value
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
        for each in random:
            each.restore()


def _values(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()
