r"""The look-ahead hypergradient: how a meta loss after one student step depends on φ before it.

With the step θ' = θ − P ∇_θ L(θ, φ; B) that the student takes anyway and the meta loss M(θ'),

    dM/dφ = − ∂/∂φ ⟨ J_θ z(B) · P v , ∂L/∂z (z, φ) ⟩      with v = ∇M(θ'),

exactly, whenever φ reaches L only through functions of the student's logits z: one forward-mode
pass (JVP) replaces the second backward pass through the network. ``jvp`` does that;
``double_backward`` differentiates the step itself and is the reference that tests compare with.

Use it around the ordinary step::

    look_ahead = LookAhead(student, optimiser)     # before the forward pass
    logits = student(inputs)
    loss(logits).backward()
    optimiser.step()
    gradient = look_ahead.hypergradient(inputs, logits, loss, meta_loss, phi)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from metakd.core.batchnorm import frozen_running_statistics
from metakd.core.step_factor import gradient_factors

Estimator = Literal["jvp", "double_backward"]
Forward = Callable[[Tensor], Tensor]
LossOfLogits = Callable[[Tensor], Tensor]
MetaLoss = Callable[[Forward], Tensor]


class Hypergradient(NamedTuple):
    """dM/dφ, one tensor for each meta-parameter, and the meta loss M(θ') itself (scalar)."""

    gradients: tuple[Tensor, ...]
    meta_loss: Tensor


class LookAhead:
    """One step of the student, remembered so that a meta loss after it can be differentiated.

    Create it right before the training forward pass: it keeps θ, the optimiser's factor of the
    current gradient and the random state, so that dropout draws the same masks again.

    Args:
        student: The bare module (not its DDP wrapper), in training mode.
        optimiser: The optimiser that takes the student's real step.

    Raises:
        UnknownOptimiserError: If the optimiser's step is not known.
    """

    def __init__(self, student: nn.Module, optimiser: Optimizer) -> None:
        factors = gradient_factors(optimiser)
        self._student = student
        self._moved = {
            name: parameter
            for name, parameter in student.named_parameters()
            if parameter in factors
        }
        self._factors = {name: factors[parameter] for name, parameter in self._moved.items()}
        self._theta = {name: parameter.detach().clone() for name, parameter in self._moved.items()}
        self._random_state = _random_state(next(student.parameters()).device)

    def hypergradient(
        self,
        inputs: Tensor,
        logits: Tensor,
        loss: LossOfLogits,
        meta_loss: MetaLoss,
        phi: Sequence[Tensor],
        estimator: Estimator = "jvp",
    ) -> Hypergradient:
        """Returns dM/dφ after the student's optimiser has stepped.

        Args:
            inputs: The training batch of the step.
            logits: The student's logits on it in the step, (B, C).
            loss: The step's loss as a function of the logits; φ enters here and nowhere else.
            meta_loss: Takes a forward function of the student at θ' and returns the scalar M.
                BatchNorm normalises by batch statistics there and moves no running ones.
            phi: The meta-parameters.
            estimator: ``jvp``, or ``double_backward`` for reference.
        """
        with frozen_running_statistics(self._student):
            if estimator == "jvp":
                return self._by_jvp(inputs, logits.detach(), loss, meta_loss, phi)
            return self._by_double_backward(inputs, loss, meta_loss, phi)

    def _by_jvp(
        self,
        inputs: Tensor,
        logits: Tensor,
        loss: LossOfLogits,
        meta_loss: MetaLoss,
        phi: Sequence[Tensor],
    ) -> Hypergradient:
        value = meta_loss(self._student)
        v = torch.autograd.grad(value, list(self._moved.values()), allow_unused=True)
        tangents = {
            name: torch.zeros_like(theta) if slope is None else slope * self._factors[name]
            for (name, theta), slope in zip(self._theta.items(), v, strict=True)
        }
        direction = self._directional_derivative(inputs, tangents)
        leaf = logits.requires_grad_()
        (slope_at_logits,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
        gradients = torch.autograd.grad(-(direction * slope_at_logits).sum(), list(phi))
        return Hypergradient(gradients, value.detach())

    @torch.no_grad()
    def _directional_derivative(self, inputs: Tensor, tangents: dict[str, Tensor]) -> Tensor:
        """Returns J_θ z(inputs) · tangents at the θ before the step, shape (B, C)."""
        # Fused attention has no forward-mode rule; PyTorch's math kernel has.
        with self._same_random_state(), sdpa_kernel(SDPBackend.MATH), forward_ad.dual_level():
            dual = {
                name: forward_ad.make_dual(theta, tangents[name])
                for name, theta in self._theta.items()
            }
            outputs = functional_call(self._student, dual, (inputs,))
            tangent = forward_ad.unpack_dual(outputs).tangent
        return torch.zeros_like(outputs) if tangent is None else tangent

    def _by_double_backward(
        self, inputs: Tensor, loss: LossOfLogits, meta_loss: MetaLoss, phi: Sequence[Tensor]
    ) -> Hypergradient:
        theta = {name: value.detach().requires_grad_() for name, value in self._theta.items()}
        with self._same_random_state(), sdpa_kernel(SDPBackend.MATH):
            logits = functional_call(self._student, theta, (inputs,))
            slopes = torch.autograd.grad(
                loss(logits), list(theta.values()), create_graph=True, allow_unused=True
            )
            # θ' has the value that the optimiser really reached; only g carries the gradient.
            after = {
                name: parameter.detach()
                if slope is None
                else parameter.detach() + self._factors[name] * (slope.detach() - slope)
                for (name, parameter), slope in zip(self._moved.items(), slopes, strict=True)
            }

            value = meta_loss(lambda batch: functional_call(self._student, after, (batch,)))
            gradients = torch.autograd.grad(value, list(phi))
        return Hypergradient(gradients, value.detach())

    @contextmanager
    def _same_random_state(self) -> Iterator[None]:
        device = next(self._student.parameters()).device
        now = _random_state(device)
        _set_random_state(device, self._random_state)
        try:
            yield
        finally:
            _set_random_state(device, now)


def _random_state(device: torch.device) -> Tensor:
    if device.type == "cpu":
        return torch.get_rng_state()
    state: Tensor = torch.get_device_module(device).get_rng_state(device)
    return state


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)
