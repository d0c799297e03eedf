"""A student's pass along a direction in parameter space: the interface of the estimators.

With u = (∂θ'/∂g)ᵀ ∇M(θ'), a step contributes ∂/∂φ ⟨∇_θ L(θ, φ), u⟩ to dM/dφ. Where φ reaches L only
through functions of the student's logits z, that is ∂/∂φ ⟨J u, ∂L/∂z (z, φ)⟩ with J = ∂z/∂θ: an
estimator has to find J u, and everything that depends on φ happens at (B, C) numbers.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from metakd.core.hypergradient.taken_step import TakenStep

Direction = dict[str, Tensor]


class Linearised(NamedTuple):
    """A step's pass at θ, along u.

    Attributes:
        logits: z(θ), (B, C), float32 or finer.
        tangent: J u, how the logits change along u, (B, C), float32 or finer.
        hessian_product: ∇²_θ L · u by name, which the step before needs; None where nobody asked.
    """

    logits: Tensor
    tangent: Tensor
    hessian_product: Direction | None


Estimate = Callable[[TakenStep, Direction, bool], Linearised]
"""Takes a step, u by name, and whether the Hessian product is wanted."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """Returns half and bfloat16 as float32, anything finer as it is."""
    return tensor.float() if tensor.dtype.itemsize < torch.float32.itemsize else tensor
