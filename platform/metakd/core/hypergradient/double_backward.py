"""The reference: a graph through the student's backward pass, differentiated once more.

J u is linear in u's dual: Jᵀw for a dummy w is one backward pass with a graph, and the derivative
of ⟨Jᵀw, u⟩ by w is J u. It costs most, and keeps a second-order graph of the whole student.
"""

import torch

from metakd.core.hypergradient.linearised import Direction, Linearised, at_least_float32
from metakd.core.hypergradient.passes import logits_at, repeated
from metakd.core.hypergradient.taken_step import TakenStep


def by_double_backward(step: TakenStep, direction: Direction, with_hessian: bool) -> Linearised:
    """Returns the pass along a direction by reverse over reverse; see ``linearised``."""
    theta = {name: value.detach().requires_grad_() for name, value in step.theta.items()}
    leaves = list(theta.values())
    with torch.enable_grad(), repeated(step):
        logits = at_least_float32(logits_at(step, theta))
        slope = (
            torch.autograd.grad(step.loss(logits), logits, create_graph=True)[0]
            if with_hessian
            else torch.zeros_like(logits, requires_grad=True)
        )
        pulled = torch.autograd.grad(
            logits, leaves, slope, create_graph=True, allow_unused=True, materialize_grads=True
        )
        along = sum((p * direction[n]).sum() for n, p in zip(theta, pulled, strict=True))
        assert isinstance(along, torch.Tensor)
        tangent, *product = torch.autograd.grad(
            along, [slope, *leaves] if with_hessian else [slope], materialize_grads=True
        )
    named = dict(zip(theta, product, strict=True)) if with_hessian else None
    return Linearised(logits.detach(), tangent, named)
