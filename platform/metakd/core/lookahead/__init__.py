r"""The look-ahead hypergradient: how a meta loss after a student's step depends on φ before it.

With the step θ' = θ − P ∇_θ L(θ, φ; B) that the student takes anyway and the meta loss M(θ'),

    dM/dφ = − ∂/∂φ ⟨ J_θ z(B) · P v , ∂L/∂z (z, φ) ⟩      with v = ∇M(θ'),

exactly, whenever φ reaches L only through functions of the student's logits z: one forward-mode
pass (JVP) replaces the second backward pass through the network. P is the transposed Jacobian of
the optimiser's real update (SGD, momentum, Nesterov, Adam, AdamW), and several steps are swept in
reverse with Hessian products between them.

Use it around the ordinary step::

    step = TakenStep(student, optimiser)              # before the forward pass
    loss(student(inputs)).backward()
    optimiser.step()
    step.complete(inputs, loss)
    found = hypergradient([step], meta_loss, phi)

``metakd.core.MetaTemperature`` does all of this for temperatures.
"""

from metakd.core.lookahead.estimators import Linearised
from metakd.core.lookahead.optimiser_step import UnknownOptimiserError, inner_optimiser
from metakd.core.lookahead.sweep import (
    ESTIMATORS,
    Estimator,
    Forward,
    Hypergradient,
    LookAhead,
    MetaLoss,
    hypergradient,
    look_ahead,
)
from metakd.core.lookahead.taken_step import LogitsOf, LossOfLogits, NoStepError, TakenStep, bare

__all__ = [
    "ESTIMATORS",
    "Estimator",
    "Forward",
    "Hypergradient",
    "Linearised",
    "LogitsOf",
    "LookAhead",
    "LossOfLogits",
    "MetaLoss",
    "NoStepError",
    "TakenStep",
    "UnknownOptimiserError",
    "bare",
    "hypergradient",
    "inner_optimiser",
    "look_ahead",
]
