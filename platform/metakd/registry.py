"""Values by name, each imported when it is first looked up.

A command line has to know names at once; what they stand for may take seconds to import. Beside
those of metakd stand the names that installed packages register.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import TypeVar, cast

from metakd.installed import installed_names, installed_place, require_clear
from metakd.own_code import named

Value = TypeVar("Value")


class Registry(MutableMapping[str, Value]):
    """A mapping whose names are known before its values are imported.

    Args:
        places: Where the value of each name is defined, as "module:attribute".
        group: Of the entry points by which installed packages add values; None has none.
    """

    def __init__(self, places: Mapping[str, str], group: str | None = None) -> None:
        self._places = dict(places)
        self._group = group
        self._values: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._values:
            place = self.place_if_installed(name)
            if place is not None:
                require_clear(str(self._group), name)
                self._values[name] = cast(Value, named(place))
            else:
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
        return name in self._places or self.place_if_installed(name) is not None

    def __iter__(self) -> Iterator[str]:
        names = () if self._group is None else installed_names(self._group)
        return iter(dict.fromkeys((*self._places, *names)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def built_in(self) -> tuple[str, ...]:
        """The names that are known without any installed package."""
        return tuple(self._places)

    def place_if_installed(self, name: object) -> str | None:
        """Returns the ``MODULE:NAME`` of what an installed package registers; else None."""
        if self._group is None or name in self._places or not isinstance(name, str):
            return None
        return installed_place(self._group, name)
