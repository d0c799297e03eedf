"""An optimiser's step, differentiated backwards: from θ' and its state to the gradient it used.

A look-ahead needs to know how far the current gradient g moves θ'. Each rule here is the transposed
Jacobian of one optimiser's update of one parameter, (θ, state, g) → (θ', state'), taken from the
real optimiser's settings and state at the real step. Nothing is held constant: Adam's second moment
depends on g too, and that path is differentiated. All updates act elementwise.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from metakd.core.optimisers import EAGER

State = dict[str, Tensor]
KNOWN_OPTIMISERS = (SGD, Adam, AdamW)
WRAPPING = ("accelerate", "lightning", "lightning_fabric", "pytorch_lightning")
"""Libraries whose wrapped optimisers take the very step of the one inside."""


class UnknownOptimiserError(ValueError):
    """The optimiser's step cannot be differentiated."""


class PulledBack(NamedTuple):
    """Cotangents before a step.

    Attributes:
        gradient: Of the loss gradient that the step used, shape of the parameter.
        theta: Of the parameter, without its path through the loss gradient.
        state: Of the optimiser's state, by its names there.
    """

    gradient: Tensor
    theta: Tensor
    state: State


class StepRule(Protocol):
    """The transposed Jacobian of one parameter's update."""

    def pull_back(self, theta_bar: Tensor, state_bar: State) -> PulledBack:
        """Maps the cotangents of θ' and of the state after the step to those before it."""


def require_known(optimiser: Optimizer) -> None:
    """Raises ``UnknownOptimiserError`` unless the optimiser's step can be differentiated."""
    if _is_known(optimiser):
        return
    names = ", ".join(kind.__name__ for kind in KNOWN_OPTIMISERS)
    inside = [
        f"{name}, {type(value).__name__}"
        for name, value in vars(optimiser).items()
        if isinstance(value, Optimizer) and _is_known(value)
    ]
    remedy = f"train the student with one of torch.optim's {names}"
    if inside:
        remedy += f", or give the optimiser inside it ({inside[0]}) if that moves the student"
    raise UnknownOptimiserError(
        f"the look-ahead cannot differentiate a step of {type(optimiser).__name__}; {remedy}"
    )


def inner_optimiser(optimiser: Optimizer) -> Optimizer:
    """Returns the optimiser that steps where a training library's wrapper only passes it on."""
    for name in ("optimizer", "_optimizer"):
        inner = vars(optimiser).get(name)
        if type(optimiser).__module__.split(".")[0] in WRAPPING and isinstance(inner, Optimizer):
            return inner_optimiser(inner)
    return optimiser


def _is_known(optimiser: Optimizer) -> bool:
    steps = [kind.step for kind in (*KNOWN_OPTIMISERS, *EAGER)]
    return type(optimiser).step in steps


def rule_of_step(
    optimiser: Optimizer, parameter: Tensor, group: dict[str, Any], theta: Tensor, was_new: bool
) -> StepRule:
    """Reads off the optimiser how it has just moved a parameter.

    Args:
        optimiser: Right after its step, with the gradient that moved it still in place.
        parameter: The parameter.
        group: Its parameter group.
        theta: Its value before the step.
        was_new: Whether it had no state before the step.
    """
    if isinstance(optimiser, SGD):
        return SGDStep(
            lr=float(group["lr"]),
            momentum=float(group["momentum"]),
            dampening=float(group["dampening"]),
            nesterov=bool(group["nesterov"]),
            weight_decay=float(group["weight_decay"]),
            sign=-1.0 if group["maximize"] else 1.0,
            was_new=was_new,
        )
    assert parameter.grad is not None
    state = optimiser.state[parameter]
    sign = -1.0 if group["maximize"] else 1.0
    decoupled = bool(group.get("decoupled_weight_decay", isinstance(optimiser, AdamW)))
    used = sign * parameter.grad.detach()  # a fused step under a GradScaler has unscaled it
    if not decoupled:
        used = used + group["weight_decay"] * theta
    beta1, beta2 = (float(beta) for beta in group["betas"])
    # On a GPU a fused step counts there, and a float of it would wait until the step is done.
    count = state["step"].double() if state["step"].device.type != "cpu" else float(state["step"])
    return AdamStep(
        rate=float(group["lr"]) / (1 - beta1**count),
        beta1=beta1,
        beta2=beta2,
        eps=float(group["eps"]),
        correction2=1 - beta2**count,
        coupled_decay=0.0 if decoupled else float(group["weight_decay"]),
        shrinkage=1 - float(group["lr"]) * float(group["weight_decay"]) if decoupled else 1.0,
        sign=sign,
        used=used.clone(),
        exp_avg=state["exp_avg"].clone(),
        exp_avg_sq=state["exp_avg_sq"].clone(),
        max_exp_avg_sq=state["max_exp_avg_sq"].clone() if group["amsgrad"] else None,
    )


@dataclass(frozen=True)
class SGDStep:
    """``torch.optim.SGD``: momentum, dampening, Nesterov, weight decay, maximize."""

    lr: float
    momentum: float
    dampening: float
    nesterov: bool
    weight_decay: float
    sign: float
    was_new: bool

    def pull_back(self, theta_bar: Tensor, state_bar: State) -> PulledBack:
        """See ``StepRule``; the state is the momentum buffer."""
        step_bar = -self.lr * theta_bar
        state: State = {}
        if self.momentum == 0:
            used_bar = step_bar
        else:
            buffer_bar = self.momentum * step_bar if self.nesterov else step_bar
            if "momentum_buffer" in state_bar:
                buffer_bar = buffer_bar + state_bar["momentum_buffer"]
            # The buffer's first value is the gradient itself, undampened.
            used_bar = buffer_bar if self.was_new else (1 - self.dampening) * buffer_bar
            if self.nesterov:
                used_bar = used_bar + step_bar
            if not self.was_new:
                state["momentum_buffer"] = self.momentum * buffer_bar
        theta_before = theta_bar + self.weight_decay * used_bar
        return PulledBack(self.sign * used_bar, theta_before, state)


@dataclass(frozen=True)
class AdamStep:
    """``torch.optim.Adam`` and ``AdamW``, AMSGrad, both weight decays and maximize included.

    Attributes:
        rate: Learning rate over the first moment's bias correction.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        eps: Added to the denominator.
        correction2: The second moment's bias correction.
        coupled_decay: The L2 penalty that is added to the gradient.
        shrinkage: What decoupled weight decay multiplies θ by.
        sign: −1 where the optimiser maximises.
        used: The gradient that entered the moments.
        exp_avg: First moment after the step.
        exp_avg_sq: Second moment after the step.
        max_exp_avg_sq: AMSGrad's running maximum after the step.
    """

    rate: float | Tensor
    beta1: float
    beta2: float
    eps: float
    correction2: float | Tensor
    coupled_decay: float
    shrinkage: float
    sign: float
    used: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    max_exp_avg_sq: Tensor | None

    def pull_back(self, theta_bar: Tensor, state_bar: State) -> PulledBack:
        """See ``StepRule``; the state is both moments, and AMSGrad's maximum."""
        dividing = self.exp_avg_sq if self.max_exp_avg_sq is None else self.max_exp_avg_sq
        root = (dividing / self.correction2).sqrt()
        denominator = root + self.eps
        step_bar = -self.rate * theta_bar
        first_bar = step_bar / denominator
        slope_of_root = torch.where(root > 0, 0.5 / (root * self.correction2), 0.0)
        dividing_bar = -step_bar * self.exp_avg / denominator.square() * slope_of_root
        state: State = {}
        if self.max_exp_avg_sq is None:
            second_bar = dividing_bar
        else:
            dividing_bar = dividing_bar + state_bar.get("max_exp_avg_sq", 0.0)
            is_maximum = self.exp_avg_sq >= self.max_exp_avg_sq
            second_bar = torch.where(is_maximum, dividing_bar, 0.0)
            state["max_exp_avg_sq"] = torch.where(is_maximum, 0.0, dividing_bar)
        first_bar = first_bar + state_bar.get("exp_avg", 0.0)
        second_bar = second_bar + state_bar.get("exp_avg_sq", 0.0)
        used_bar = (1 - self.beta1) * first_bar + 2 * (1 - self.beta2) * self.used * second_bar
        state["exp_avg"] = self.beta1 * first_bar
        state["exp_avg_sq"] = self.beta2 * second_bar
        theta_before = self.shrinkage * theta_bar + self.coupled_decay * used_bar
        return PulledBack(self.sign * used_bar, theta_before, state)
