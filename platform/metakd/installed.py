"""Names that installed packages register, as entry points, for what ``MODULE:NAME`` stands for.

The groups are ``metakd.strategies``, ``metakd.datasets`` and ``metakd.models``. Which names there
are is read from the packages' metadata: nothing of theirs is imported before a name is used.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import NamedTuple

from metakd.own_code import OWN_NAME, OwnCodeError


class _Registered(NamedTuple):
    place: str
    package: str


def installed_names(group: str) -> tuple[str, ...]:
    """Returns the names of a group, in alphabetical order."""
    return tuple(sorted(_registered(group)))


def installed_place(group: str, name: str) -> str | None:
    """Returns the ``MODULE:NAME`` that an installed package registers under a name, if any does."""
    found = _registered(group).get(name)
    return None if found is None else found[0].place


def require_untaken(group: str, name: str) -> None:
    """Refuses a name of metakd's own that an installed package registers for something else.

    Raises:
        OwnCodeError: If so.
    """
    for place, package in _registered(group).get(name, ()):
        raise OwnCodeError(
            f"{name!r} is metakd's, but the installed package {package} registers {place} by this "
            "name, too: uninstall the package, or name it otherwise there"
        )


def require_clear(group: str, name: str) -> None:
    """Refuses a name that two packages register, or one for what is not written MODULE:NAME.

    Args:
        group: Of the entry points.
        name: None of metakd's own; one that no package registers is passed.

    Raises:
        OwnCodeError: If so.
    """
    found = _registered(group).get(name)
    if found is None:
        return
    first = found[0]
    if len(found) > 1:
        listed = " and ".join(f"{each.place} by {each.package}" for each in found)
        raise OwnCodeError(
            f"{name!r} is registered twice, {listed}: uninstall one, or take MODULE:NAME"
        )
    if OWN_NAME.fullmatch(first.place) is None:
        raise OwnCodeError(
            f"the installed package {first.package} registers {name!r} for {first.place!r}, which "
            "is not written MODULE:NAME"
        )


@cache
def _registered(group: str) -> Mapping[str, tuple[_Registered, ...]]:
    found: dict[str, set[_Registered]] = {}
    for each in entry_points(group=group):
        package = each.dist.name if each.dist is not None else "?"
        found.setdefault(each.name, set()).add(_Registered(each.value, package))
    return {name: tuple(sorted(places)) for name, places in found.items()}
