"""Where a temperature may lie, learned or not."""

TAU_MIN = 0.25
TAU_MAX = 64.0
FIXED_TAU_MIN = 0.01
FIXED_TAU_MAX = 10_000.0
"""Of a temperature that a study fixes: beyond these float32 leaves nothing of softened classes."""


def require_start(name: str, tau: float) -> None:
    """Raises ``ValueError`` unless a learned temperature may start at ``tau``."""
    if not TAU_MIN <= tau <= TAU_MAX:
        raise ValueError(
            f"a learned temperature starts in [{TAU_MIN}, {TAU_MAX:g}], got {name}={tau}"
        )
