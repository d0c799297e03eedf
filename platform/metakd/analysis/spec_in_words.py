"""A study's spec as text that a reader can compare."""

import json
from collections.abc import Mapping
from typing import Any


def spec_in_words(spec: Mapping[str, Any]) -> dict[str, str]:
    """Returns each value of a spec as one string: lists with commas, numbers short."""
    return {str(name): _in_words(value) for name, value in spec.items()}


def _in_words(value: Any) -> str:  # noqa: ANN401 - JSON
    match value:
        case None:
            return "default"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(_in_words(item) for item in value) or "none"
        case dict():
            return json.dumps(value, sort_keys=True, ensure_ascii=False)
        case _:
            return str(value)
