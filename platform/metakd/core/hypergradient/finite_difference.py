"""The fallback: J u by a central difference of two forward passes, for any operator at all."""

import torch
from torch import Tensor

from metakd.core.hypergradient.linearised import Direction, Linearised, at_least_float32
from metakd.core.hypergradient.passes import logits_at, repeated
from metakd.core.hypergradient.taken_step import TakenStep


def by_finite_difference(step: TakenStep, direction: Direction, with_hessian: bool) -> Linearised:
    """Returns the pass along a direction by (f(θ + εu) − f(θ − εu)) / 2ε; see ``linearised``.

    ε ‖u‖ is the cube root of the machine epsilon times 1 + ‖θ‖, where truncation and rounding
    balance: about three digits in float32, seven in float64.
    """
    length = float(torch.nn.utils.get_total_norm(direction.values()))
    size = float(torch.nn.utils.get_total_norm(step.theta.values()))
    precision = torch.finfo(next(iter(step.theta.values())).dtype).eps
    epsilon = precision ** (1 / 3) * (1 + size) / length if length > 0 else 1.0

    plus, slopes_plus = _pass(step, direction, epsilon, with_hessian)
    minus, slopes_minus = _pass(step, direction, -epsilon, with_hessian)
    product = {
        name: (slopes_plus[name] - slopes_minus[name]) / (2 * epsilon) for name in slopes_plus
    }
    # The logits of masked classes are −inf on both sides.
    tangent = torch.where(plus == minus, 0.0, (plus - minus) / (2 * epsilon))
    return Linearised(
        logits=(plus + minus) / 2,
        tangent=tangent,
        hessian_product=product if with_hessian else None,
    )


def _pass(
    step: TakenStep, direction: Direction, epsilon: float, with_slopes: bool
) -> tuple[Tensor, Direction]:
    """Returns the logits at θ + εu, and the loss gradient there if it is wanted."""
    theta = {name: value + epsilon * direction[name] for name, value in step.theta.items()}
    if not with_slopes:
        with torch.no_grad(), repeated(step):
            return at_least_float32(logits_at(step, theta)), {}
    leaves = {name: value.requires_grad_() for name, value in theta.items()}
    with torch.enable_grad(), repeated(step):
        logits = at_least_float32(logits_at(step, leaves))
        slopes = torch.autograd.grad(
            step.loss(logits), list(leaves.values()), allow_unused=True, materialize_grads=True
        )
    return logits.detach(), dict(zip(leaves, slopes, strict=True))
