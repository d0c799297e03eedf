"""Identity by content: two things made of the same choices have the same id."""

import dataclasses
import hashlib
import json
from importlib import import_module
from typing import Any

ID_LENGTH = 16


def content_json(value: object) -> str:
    """Returns a dataclass as canonical JSON: sorted keys, no spaces, method names included."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_id(value: object) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of :func:`content_json`."""
    return hashlib.sha256(content_json(value).encode()).hexdigest()[:ID_LENGTH]


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # A field that has no effect as configured must not make two ids of one result.
        unused = getattr(value, "unused_fields", ())
        names = [field.name for field in dataclasses.fields(value) if field.name not in unused]
        return {**_algorithm(value), **{name: _plain(getattr(value, name)) for name in names}}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _algorithm(value: object) -> dict[str, object]:
    """Returns what computes something of the fields: a changed algorithm is another content."""
    # A distiller's configuration says what it is by its class, not by a field.
    method = getattr(type(value), "method", None)
    if method is not None:
        return {"method": method, "versions": {method: type(value).version}}  # type: ignore[attr-defined]
    versions = getattr(value, "versions", None)
    return {} if versions is None else {"versions": dict(versions)}


def as_json(value: object) -> str:
    """Returns a dataclass of plain values, tuples and such dataclasses as JSON; see ``from_json``.

    Each has its class with it: what is here is for another process, not an identity.
    """
    return json.dumps(_with_class(value))


def from_json(text: str) -> Any:  # noqa: ANN401 - whatever class the text names
    """Returns what ``as_json`` was given."""
    return json.loads(text, object_hook=_of_class)


def _with_class(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        fields = {f.name: _with_class(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", **fields}
    if isinstance(value, list | tuple):
        return [_with_class(item) for item in value]
    return value


def _of_class(fields: dict[str, Any]) -> object:
    module, _, name = fields.pop("class").partition(":")
    kind = getattr(import_module(module), name)
    return kind(**{name: _as_tuples(value) for name, value in fields.items()})


def _as_tuples(value: object) -> object:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
