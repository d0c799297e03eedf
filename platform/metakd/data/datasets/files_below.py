"""The files below a folder, as people's folders are: with hidden ones and links that lead nowhere.

What is left out is counted by its reason.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from metakd.data.catalogue import DatasetError

NOT_MEANT = ("__MACOSX", "__pycache__", "lost+found")
"""What systems and tools leave in folders, beside all whose name starts with a dot."""


@dataclass
class FilesBelow:
    """What lies below a folder.

    Attributes:
        files: Size in bytes by name relative to the folder, with slashes; sorted.
        folders: Names of the folders, in the same form.
        left_out: How many files, folders and links were left out, by reason.
    """

    files: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)


def files_below(root: Path, is_wanted: Callable[[str], bool]) -> FilesBelow:
    """Lists a folder at all depths; links are followed where they lead out of it.

    Args:
        root: The folder.
        is_wanted: By the name of a file.

    Raises:
        DatasetError: If a folder cannot be read.
    """
    found = FilesBelow()
    home = os.path.realpath(root)
    # What a link leads to is walked once: else two that lead to each other have no end.
    seen = {home}
    folders = [("", str(root))]
    while folders:
        prefix, folder = folders.pop()
        try:
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError as error:
            raise DatasetError(f"{folder} cannot be read: {error.strerror}") from error
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith(".") or entry.name in NOT_MEANT:
                found.left_out["hidden"] += 1
            elif entry.is_dir():
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if target in seen or os.path.commonpath([target, home]) in (target, home):
                        found.left_out["links to folders that are here anyway"] += 1
                        continue
                    seen.add(target)
                found.folders.add(name)
                folders.append((f"{name}/", entry.path))
            elif not is_wanted(entry.name):
                suffix = Path(entry.name).suffix.lower()
                found.left_out[suffix or "without a suffix"] += 1
            else:
                _add_file(found, entry, name)
    found.files = dict(sorted(found.files.items()))
    return found


def _add_file(found: FilesBelow, entry: "os.DirEntry[str]", name: str) -> None:
    if entry.is_file():
        found.files[name] = entry.stat().st_size
    elif entry.is_symlink():
        found.left_out["broken links"] += 1
    else:
        found.left_out["neither files nor folders"] += 1
