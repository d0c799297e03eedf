"""How much of the current gradient an optimiser puts into its next step.

With θ' = θ − P·g + (terms without g), the look-ahead hypergradient needs P. For SGD it is a number
for each parameter group, known exactly from the optimiser's own settings and state.
"""

from torch import Tensor
from torch.optim import SGD, Optimizer


class UnknownOptimiserError(ValueError):
    """The optimiser's step cannot be differentiated by its current gradient."""


def gradient_factors(optimiser: Optimizer) -> dict[Tensor, float]:
    """Returns ∂(θ − θ')/∂g of the next step, for each parameter that the optimiser moves.

    Plain SGD and momentum: η. Nesterov: η (1 + μ). Dampening d: η (1 − d) once the momentum buffer
    exists; its first value is the gradient itself. Weight decay adds a term without g's meta
    dependence and leaves P as it is. Call it *before* ``optimiser.step()``.

    Raises:
        UnknownOptimiserError: If the optimiser is not ``torch.optim.SGD``.
    """
    if not isinstance(optimiser, SGD):
        raise UnknownOptimiserError(
            f"the look-ahead knows the step of torch.optim.SGD, got {type(optimiser).__name__}: "
            "train the student with SGD"
        )
    factors: dict[Tensor, float] = {}
    for group in optimiser.param_groups:
        sign = -1.0 if group["maximize"] else 1.0
        for parameter in group["params"]:
            factor = sign * float(group["lr"])
            if group["nesterov"]:
                factor *= 1.0 + group["momentum"]
            elif group["momentum"] and "momentum_buffer" in optimiser.state[parameter]:
                factor *= 1.0 - group["dampening"]
            factors[parameter] = factor
    return factors
