"""What the fields of a configuration may hold: anything else is named in one line."""

import math


def require_temperature(name: str, tau: float) -> None:
    """Raises ``ValueError`` unless the value is a finite number above 0."""
    if not 0 < tau < math.inf:
        raise ValueError(f"a temperature must be above 0, got {name}={tau}")


def require_above_0(name: str, value: float) -> None:
    """Raises ``ValueError`` unless the value is a finite number above 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0, got {name}={value}")


def require_share(name: str, value: float) -> None:
    """Raises ``ValueError`` unless the value is in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {name}={value}")


def require_at_least_0(name: str, value: float) -> None:
    """Raises ``ValueError`` unless the value is a finite number, 0 or above."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0, got {name}={value}")
