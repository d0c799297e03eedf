"""The estimator of choice: J u by one forward-mode pass, exact and without a second backward."""

import warnings
from functools import cache

import torch
from torch import Tensor
from torch.autograd import forward_ad

from metakd.core.hypergradient.linearised import Direction, Linearised, at_least_float32
from metakd.core.hypergradient.passes import logits_at, repeated
from metakd.core.hypergradient.taken_step import TakenStep


def by_jvp(step: TakenStep, direction: Direction, with_hessian: bool) -> Linearised:
    """Returns the pass along a direction by forward mode; see ``linearised``.

    The Hessian product is forward over reverse.

    Raises:
        NotImplementedError: If an operator of the student has no forward-mode rule.
    """
    _load_rules()
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
def _load_rules() -> None:
    """Has PyTorch load its forward-mode rules, which it does at the first dual tensor."""
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
