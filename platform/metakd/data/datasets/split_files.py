"""The split of each file below a folder, read from its path.

The rule. The names that count are those of the folders and of the file, below the root and below
the folders that all files have in common. A file belongs to the split that their words speak of
(``split_names``). It is refused, with what was found, where

- a path speaks of two splits,
- one split stands in several folders, as that of several configurations does,
- the official test set has several candidates,
- a file names no split beside files that are named train, or looks like a split that is not known.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.split_names import (
    KNOWN_WORDS,
    Split,
    is_almost_split,
    official_test,
    splits_in,
    without_numbers,
)

SHOWN = 4


class Named(NamedTuple):
    """Where a path speaks of a split: in the last of these names, below the folder."""

    split: Split
    folder: str
    alike: tuple[str, ...]


def splits_of_files(root: Path, files: Sequence[str]) -> list[Split | None]:
    """Returns the split of each file; None where no file, or no other than test files, names one.

    Args:
        root: The folder; its own name says nothing.
        files: Their names below it, with slashes.

    Raises:
        DatasetError: If the rule refuses them.
    """
    paths = [PurePosixPath(file) for file in files]
    common = _common_folders(paths)
    named = [_named(root, path, common) for path in paths]
    splits = [each.split if each else None for each in named]
    unnamed = [file for file, split in zip(files, splits, strict=True) if split is None]
    kinds = {tuple(without_numbers(name) for name in path.parts[common:]) for path in paths}
    if len(kinds) > 1:
        _check_unnamed(root, unnamed, splits, common)
    test = official_test(splits)
    for split in sorted({split for split in splits if split}):
        places = [each for each in named if each and each.split == split]
        folders = {each.folder for each in places}
        if len(folders) > 1:
            raise DatasetError(
                f"{root} holds {split} files in {len(folders)} folders: {_listed(folders)}; "
                f"name one of them, as in parquet:{root / max(folders)}"
            )
        if split == test and len(candidates := {" ".join(each.alike) for each in places}) > 1:
            raise DatasetError(
                f"{root} has {len(candidates)} candidates for the test set: {_listed(candidates)}; "
                f"name the files that you mean by a folder or a glob, as in parquet:{root}/GLOB, "
                "or rename the others"
            )
    return splits


def _common_folders(paths: Sequence[PurePosixPath]) -> int:
    folders = [path.parts[:-1] for path in paths]
    common = 0
    for names in zip(*folders, strict=False):
        if len(set(names)) > 1:
            break
        common += 1
    return common


def _named(root: Path, path: PurePosixPath, common: int) -> Named | None:
    found = [
        Named(split, "/".join(path.parts[:place]), without_numbers(path.parts[place]))
        for place in range(common, len(path.parts))
        for split in splits_in(path.parts[place])
    ]
    splits = {each.split for each in found}
    if len(splits) > 1:
        raise DatasetError(
            f"{root / path} names two splits, {' and '.join(sorted(splits))}: rename the folder or "
            "the file so that it names one"
        )
    return found[-1] if found else None


def _check_unnamed(
    root: Path, unnamed: Sequence[str], splits: Sequence[Split | None], common: int
) -> None:
    almost = [
        file
        for file in unnamed
        if any(is_almost_split(name) for name in PurePosixPath(file).parts[common:])
    ]
    if almost or ("train" in splits and unnamed):
        found = ", ".join(sorted({split for split in splits if split}))
        beside = f", beside {found}" if found else ""
        raise DatasetError(
            f"{root} holds files of no known split, {_listed(almost or unnamed)}{beside}: rename "
            f"them ({KNOWN_WORDS}), or leave them out by a folder or a glob, as in "
            f"parquet:{root}/GLOB"
        )


def _listed(names: Sequence[str] | set[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return ", ".join(name or "." for name in ordered[:SHOWN]) + more
