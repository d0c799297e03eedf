"""Options in a dataset's name, written ``key=value`` with commas between."""

import contextlib
import re
from pathlib import Path

from metakd.data.catalogue import DatasetError
from metakd.home import HomeError, expanded

SHOWN = 200


def split_options(argument: str) -> tuple[str, str]:
    """Splits "PATH,key=value,key=value" into path and options; commas in the path stay there."""
    path = re.sub(r"(,\w+=[^,/]*)+$", "", argument)
    return path, argument[len(path) + 1 :]


def read_numbers(dataset: str, options: str, defaults: dict[str, int]) -> dict[str, int]:
    """Returns the defaults with what the options say in their place.

    Args:
        dataset: Its name, for the error.
        options: For example "size=224,seed=3"; may be empty.
        defaults: All options there are.

    Raises:
        DatasetError: If an option does not exist, or is no whole number from 0 on.
    """
    numbers = dict(defaults)
    for option in options.split(",") if options else []:
        key, _, value = option.partition("=")
        if key not in defaults:
            known = ", ".join(f"{name}=NUMBER" for name in defaults) or "none"
            raise DatasetError(f"{dataset} has no option {option!r}, its options are: {known}")
        if not re.fullmatch("[0-9]+", value):
            raise DatasetError(f"{dataset}: {key} must be a whole number, got {value!r}")
        numbers[key] = int(value)
    return numbers


def read_side(dataset: str, options: str) -> int | None:
    """Returns the side of square images in pixels that "size=224" names; None where it is empty.

    Raises:
        DatasetError: If there is another option, or the size is no whole number from 1 on.
    """
    if not options:
        return None
    side = read_numbers(dataset, options, {"size": 0})["size"]
    if side < 1:
        raise DatasetError(f"{dataset}: size must be at least 1, got {side}")
    return side


def absolute_path(argument: str) -> Path:
    """Returns a path of a dataset's name as an absolute one; ``~`` is a home folder.

    Raises:
        DatasetError: If there is no such home folder, or what is there cannot be looked at.
    """
    try:
        path = expanded(argument).absolute()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
        return path
    except HomeError as error:
        raise DatasetError(f"{argument}: there is no such home folder") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatasetError(f"{argument[:SHOWN]!r} cannot be read: {reason}") from error
