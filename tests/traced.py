"""A summary whose numbers show on a page where they were read, and no longer once computed with.

Every number of a traced summary is written behind a mark, which no reader sees. Arithmetic gives a
plain number without it, but for what changes a unit alone: per cent of a share, minutes of seconds,
epochs counted from 1, the size of a signed number.
"""

import dataclasses
import re
from typing import Any, Self

# Python takes it for a space when it reads a number.
MARK = "\u205f"
WRITTEN = re.compile(MARK + r"[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
# Digits inside a word are a name: "resnet56".
DIGITS = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
IN_TEXT = re.compile(r"(?<![\w.])(?=[+−-]?\d)")
# What tells parts of a summary apart, and is looked up.
NAMES = {"strategy", "strategies", "question", "factor", "measure", "order", "created", "baseline"}


class Traced:
    """A number that was read from a summary."""

    def __format__(self, spec: str) -> str:
        return MARK + super().__format__(spec)

    def __str__(self) -> str:
        return MARK + super().__repr__()

    def __abs__(self) -> Self:
        return type(self)(super().__abs__())

    def __neg__(self) -> Self:
        return type(self)(super().__neg__())


class TracedInt(Traced, int):
    """A whole number of a summary."""

    def __add__(self, other: int) -> int:
        total = int(self) + other
        return TracedInt(total) if other == 1 else total

    def __floordiv__(self, other: int) -> int:
        return TracedInt(int(self) // other) if other in (60, 3600) else int(self) // other

    def __mod__(self, other: int) -> int:
        return TracedInt(int(self) % other) if other == 60 else int(self) % other


class TracedFloat(Traced, float):
    """A number of a summary that is not whole."""

    def __rmul__(self, other: float) -> float:
        product = other * float(self)
        return TracedFloat(product) if other == 100 else product

    def __truediv__(self, other: float) -> float:
        ratio = float(self) / other
        return TracedFloat(ratio) if other == 60 else ratio

    def __round__(self, digits: Any = None) -> Any:
        rounded = round(float(self), digits)
        return TracedFloat(rounded) if isinstance(rounded, float) else TracedInt(rounded)


def traced(value: Any, name: str = "") -> Any:
    """Returns a summary, or a part of it, with every number traced."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return type(value)(**{field: traced(part, field) for field, part in fields.items()})
    if isinstance(value, tuple):
        return tuple(traced(part, name) for part in value)
    if isinstance(value, dict):
        return {key: traced(part, name) for key, part in value.items()}
    if isinstance(value, str):
        return value if name in NAMES else IN_TEXT.sub(MARK, value)
    if isinstance(value, bool) or value is None:
        return value
    return TracedInt(value) if isinstance(value, int) else TracedFloat(value)


def untraced(text: str) -> list[str]:
    """Returns the numbers in a text that no summary has written there."""
    return DIGITS.findall(WRITTEN.sub("#", text))
