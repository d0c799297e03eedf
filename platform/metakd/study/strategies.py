"""Ways to choose the temperature, each as the runs that it needs in one setting and seed."""

from collections.abc import Callable
from typing import Protocol

from metakd.core.distillers import CrossEntropyConfig, DistillerConfig, KDConfig, MKDConfig


class Choices(Protocol):
    """What a strategy may know of its study."""

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The grid."""

    @property
    def fixed_tau(self) -> float:
        """The default temperature."""

    @property
    def alpha(self) -> float:
        """Weight of the teacher's term."""


Strategy = Callable[[Choices], tuple[DistillerConfig, ...]]


def cross_entropy(choices: Choices) -> tuple[DistillerConfig, ...]:
    """No teacher: one run."""
    return (CrossEntropyConfig(),)


def fixed(choices: Choices) -> tuple[DistillerConfig, ...]:
    """The default temperature, no search: one run."""
    return (_kd(choices.fixed_tau, choices),)


def grid(choices: Choices) -> tuple[DistillerConfig, ...]:
    """A run for each temperature of the grid; validation chooses one of them."""
    return tuple(_kd(tau, choices) for tau in choices.temperatures)


def meta(choices: Choices) -> tuple[DistillerConfig, ...]:
    """Both temperatures learned while the student trains: one run."""
    return (MKDConfig(tau_s=choices.fixed_tau, tau_t=choices.fixed_tau, alpha=choices.alpha),)


def _kd(tau: float, choices: Choices) -> DistillerConfig:
    return KDConfig(tau_s=tau, tau_t=tau, alpha=choices.alpha)


STRATEGIES: dict[str, Strategy] = {
    "ce": cross_entropy,
    "fixed": fixed,
    "grid": grid,
    "meta": meta,
}
