"""PyTorch's optimisers, without the import of its compiler.

``torch.optim`` prepares for being compiled: the first optimiser of a process, and its first step,
import ``torch._dynamo``, which takes as many seconds of CPU as PyTorch itself. Code that compiles
nothing, as the loop here, needs none of it. The classes here are PyTorch's own, their update is its
very code; only the wrappers that speak to the compiler are left off.
"""

import inspect
from typing import TypeVar

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])


def _without_compiler(kind: Kind) -> Kind:
    """Takes the wrappers off the methods of an optimiser's class."""
    for name, method in vars(Optimizer).items():
        if inspect.isfunction(method) and method.__code__.co_filename == torch._compile.__file__:
            setattr(kind, name, inspect.unwrap(method))
    kind.step = torch.no_grad()(inspect.unwrap(kind.step))  # type: ignore[method-assign]
    return kind


@_without_compiler
class EagerSGD(SGD):
    """``torch.optim.SGD``, to the bit."""


@_without_compiler
class EagerAdam(Adam):
    """``torch.optim.Adam``, to the bit."""


@_without_compiler
class EagerAdamW(AdamW):
    """``torch.optim.AdamW``, to the bit."""


EAGER = (EagerSGD, EagerAdam, EagerAdamW)
