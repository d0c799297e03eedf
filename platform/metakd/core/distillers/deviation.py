"""How far a sample's logits spread: the unit of temperatures that are each sample's own."""

from typing import Literal, get_args

from torch import Tensor, where

Deviation = Literal["population", "unbiased"]

ROUNDING = 1e-6
"""Logits that deviate by less than this share of the largest (or of 1) are constant."""


def require_deviation(deviation: str) -> None:
    """Raises ``ValueError`` unless it names a standard deviation."""
    if deviation not in get_args(Deviation):
        raise ValueError(f"deviation must be population or unbiased, got deviation={deviation!r}")


def deviations(logits: Tensor, deviation: Deviation) -> Tensor:
    """Returns the standard deviation of each row, (B,); constant rows have 1 and no slope.

    Args:
        logits: (B, C).
        deviation: Over C (population) or over C − 1 (unbiased).
    """
    classes = logits.shape[1]
    variance = (logits - logits.mean(dim=1, keepdim=True)).square().mean(dim=1)
    if deviation == "unbiased":
        variance = variance * (classes / (classes - 1))
    least = ROUNDING * logits.detach().abs().amax(dim=1).clamp_min(1.0)
    # Chosen before the root, whose slope at 0 is infinite.
    return where(variance > least.square(), variance, 1.0).sqrt()
