"""Values by name, each imported when it is first looked up.

A command line has to know names at once; what they stand for may take seconds to import.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import TypeVar

Value = TypeVar("Value")


class Registry(MutableMapping[str, Value]):
    """A mapping whose names are known before its values are imported.

    Args:
        places: Where the value of each name is defined, as "module:attribute".
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._values: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._values:
            module, _, attribute = self._places[name].partition(":")
            self._values[name] = getattr(import_module(module), attribute)
        return self._values[name]

    def __setitem__(self, name: str, value: Value) -> None:
        self._places[name] = ""
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._values.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
