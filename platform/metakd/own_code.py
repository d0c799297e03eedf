"""Code of a user's own, named ``MODULE:NAME``: in the working directory, or installed."""

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from metakd.errors import UserError

OWN_NAME = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.\w+)*):(?P<name>[A-Za-z_]\w*)")


class OwnCodeError(UserError):
    """Code of a user's own that is not there, or not what it is named as."""


def look_in_working_directory() -> None:
    """Lets Python find modules in the working directory, too, where a script lies elsewhere."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def is_there(module: str) -> bool:
    """Says whether a module, or the package that it is in, can be found; imports neither."""
    look_in_working_directory()
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def imported(module: str) -> ModuleType:
    """Returns a module.

    Raises:
        OwnCodeError: If it cannot be imported.
    """
    look_in_working_directory()
    try:
        return import_module(module)
    except Exception as error:
        raise OwnCodeError(
            f"{module} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def named(text: str) -> object:
    """Returns what ``MODULE:NAME`` names.

    Raises:
        OwnCodeError: If there is no such module, or nothing of this name in it.
    """
    match = OWN_NAME.fullmatch(text)
    assert match is not None, text
    module = imported(match["module"])
    if not hasattr(module, match["name"]):
        raise OwnCodeError(
            f"{module.__name__} has nothing called {match['name']!r}: is it spelt as in "
            f"{module.__file__}?"
        )
    found: object = getattr(module, match["name"])
    return found


def place_of(module: str) -> Path | None:
    """Returns the file, or the package, that a module below the working directory is in.

    None where it is installed, as it then is on every machine of a cluster.

    Raises:
        OwnCodeError: If it cannot be imported.
    """
    top = imported(module.partition(".")[0])
    if top.__file__ is None:
        return None
    file = Path(top.__file__).resolve()
    place = file.parent if file.name == "__init__.py" else file
    return place if place.is_relative_to(Path.cwd()) and "site-packages" not in file.parts else None
