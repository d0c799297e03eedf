"""A student's pass along a direction in parameter space, by three estimators.

With u = (∂θ'/∂g)ᵀ ∇M(θ'), a step contributes ∂/∂φ ⟨∇_θ L(θ, φ), u⟩ to dM/dφ. Where φ reaches L only
through functions of the student's logits z, that is ∂/∂φ ⟨J u, ∂L/∂z (z, φ)⟩ with J = ∂z/∂θ: an
estimator has to find J u, and everything that depends on φ happens at (B, C) numbers.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from metakd.core.lookahead.passes import logits_at, repeated
from metakd.core.lookahead.taken_step import TakenStep
from metakd.core.losses import at_least_float32

Direction = dict[str, Tensor]


class Linearised(NamedTuple):
    """A step's pass at θ, along u.

    Attributes:
        logits: z(θ), (B, C), float32 or finer.
        tangent: J u, how the logits change along u, (B, C), float32 or finer.
        hessian_product: ∇²_θ L · u by name, for the step before; None where it is not needed.
    """

    logits: Tensor
    tangent: Tensor
    hessian_product: Direction | None


Estimate = Callable[[TakenStep, Direction, bool], Linearised]
"""Takes a step, u by name, and whether the Hessian product is wanted."""


def by_jvp(step: TakenStep, direction: Direction, with_hessian: bool) -> Linearised:
    """Returns the pass along a direction by forward mode; see ``linearised``.

    The Hessian product is forward over reverse.

    Raises:
        NotImplementedError: If an operator of the student has no forward-mode rule.
    """
    load_forward_rules()
    if with_hessian:
        return _forward_over_reverse(step, direction)
    with torch.no_grad(), repeated(step), forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(theta, direction[name]) for name, theta in step.theta.items()
        }
        logits, tangent = forward_ad.unpack_dual(logits_at(step, dual))
        if tangent is None:
            tangent = torch.zeros_like(logits)
    return Linearised(at_least_float32(logits), at_least_float32(tangent), None)


@cache
def load_forward_rules() -> None:
    """Has PyTorch load its forward-mode rules, which it does at the first dual tensor.

    It takes a quarter of a second, once in a process: what is timed does it before.
    """
    with warnings.catch_warnings(), forward_ad.dual_level():
        # PyTorch compiles them by a function that it deprecates itself.
        warnings.filterwarnings("ignore", ".*torch.jit.script.*", FutureWarning)
        forward_ad.make_dual(torch.zeros(()), torch.zeros(()))


def _forward_over_reverse(step: TakenStep, direction: Direction) -> Linearised:
    def loss_and_logits(theta: Direction) -> tuple[Tensor, Tensor]:
        logits = at_least_float32(logits_at(step, theta))
        return step.loss(logits), logits

    slope = torch.func.grad(loss_and_logits, has_aux=True)
    try:
        with repeated(step):
            outputs = torch.func.jvp(slope, (step.theta,), (direction,))
    except RuntimeError as error:
        if "autograd.Function" in str(error):  # what torch.func says of an operator without rules
            raise NotImplementedError(str(error)) from error
        raise
    (_, logits), (product, tangent) = outputs[0], outputs[1]
    product = {name: value.detach() for name, value in product.items()}
    return Linearised(logits.detach(), tangent.detach(), product)


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
