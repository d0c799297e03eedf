"""Identity by content: two things made of the same choices have the same id."""

import dataclasses
import hashlib
import json

ID_LENGTH = 16

ADDED_LATER = {
    "Recipe": ("algorithm", "betas", "warmup_epochs", "min_lr"),
    "Trial": ("stop_after", "further_teachers"),
}
"""Fields, by dataclass, that came after stores had been written. At its default each is left out:
what those stores hold keeps its id."""


def content_json(value: object) -> str:
    """Returns a dataclass as canonical JSON: sorted keys, no spaces, method names included."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_id(value: object) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of :func:`content_json`."""
    return hashlib.sha256(content_json(value).encode()).hexdigest()[:ID_LENGTH]


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        later = ADDED_LATER.get(type(value).__name__, ())
        fields = {
            f.name: _plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.name not in later or getattr(value, f.name) != f.default
        }
        # A distiller's configuration says what it is by its class, not by a field.
        method = getattr(type(value), "method", None)
        return fields if method is None else {"method": method, **fields}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
