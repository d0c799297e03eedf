"""Dataclasses that differ in one field: what several tests of contents and distillers share."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

CHOICES: dict[str, tuple[Any, Any]] = {
    "algorithm": ("sgd", "adamw"), "betas": ((0.9, 0.999), (0.8, 0.9)), "nesterov": (True, False),
    "taught_by": ("kd", "dkd"), "bounds": ((1.0, 21.0), (2.0, 20.0)), "pilot": ("own", "none"),
    "feature_units": ("raw", "relative"), "rectified": (True, False), "start": ("equal", "random"),
    "meta_data": ("held_out", "train"), "estimator": ("jvp", "finite_difference"),
    "learns": ("weights", "both"), "look_ahead": ("one_step", "three_step"),
    "feature_input": ("gram", "gram_raw"), "tau_range": ((1.0, 16.0), (2.0, 8.0)),
    "divergence": ("kl", "mse"), "teacher_algorithm": ("sgd", "adamw"),
    "learns_temperatures": (True, False), "milestones": ((), (10.0, 20.0)),
    "deviation": ("population", "unbiased"),
    "through_deviation": (True, False),
}  # fmt: skip


def changed_in_one_field(value: Any) -> Iterator[tuple[str, Any]]:
    """Yields each field with the dataclass that differs in it alone, where there may be one."""
    for field in fields(value):
        now = getattr(value, field.name)
        if isinstance(now, str | bool | tuple):
            other = next(choice for choice in CHOICES[field.name] if choice != now)
        elif now is None:
            other = 0.5
        elif field.name in {"alpha", "momentum", "meta_fraction", "decay"}:
            other = now / 2
        else:
            other = now * 2 or 1
        try:
            yield field.name, replace(value, **{field.name: other})
        except ValueError:
            continue
