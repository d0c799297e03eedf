"""Paths as people write them: ``~`` stands for a home folder also where no shell expands it."""

from pathlib import Path

from metakd.errors import UserError


class HomeError(UserError):
    """A path begins with ~, and it is not known what that stands for."""


def expanded(path: str) -> Path:
    """Returns a path with ``~`` or ``~name`` at its start expanded.

    Raises:
        HomeError: If there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise HomeError(
            f"the ~ of {path} stands for no folder (is HOME set?): write out the path"
        ) from error
