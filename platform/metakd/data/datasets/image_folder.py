"""Folders of image files with one folder for each class, as torchvision and ImageNet have them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.named_options import read_numbers, split_options
from metakd.data.datasets.source import FolderSource

TEST_FOLDERS = ("val", "validation", "test")
"""The first that exists is the official test set: ImageNet's own test folder has no labels."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes for an image; timm's are among them."""

DEFAULT_SIZE = 224


class ImageFile(NamedTuple):
    """One file: its name relative to the root, its class, its size in bytes."""

    name: str
    class_name: str
    bytes: int


def imagefolder_source(argument: str, options: DatasetOptions) -> FolderSource:
    """Returns PATH/train/<class>/* with PATH/val/<class>/* as the official test set, if it exists.

    Without a folder train, PATH/<class>/* are the images and there is no official test set. Folders
    below a class folder belong to the class.

    Args:
        argument: "PATH" or "PATH,size=S" with the side of the images in pixels.
        options: Not heeded.

    Raises:
        DatasetError: If there is no such folder, or it is not laid out like this.
    """
    path, numbers = split_options(argument)
    if not path:
        raise DatasetError(
            "imagefolder needs a path: imagefolder:PATH or imagefolder:PATH,size=224"
        )
    size = read_numbers("imagefolder", numbers, {"size": DEFAULT_SIZE})["size"]
    if size < 1:
        raise DatasetError(f"imagefolder: size must be at least 1, got {size}")
    root = Path(path).resolve()
    if not root.is_dir():
        raise DatasetError(f"there is no folder {path}")
    train_folder = root / "train" if (root / "train").is_dir() else root
    class_names = _class_names(train_folder)
    files = list(_find_files(root, train_folder, class_names))
    _check_training(train_folder, class_names, files)
    test_files = []
    if train_folder != root:
        test_files = _find_test_files(root, class_names)
    both = files + test_files
    numbered = {name: number for number, name in enumerate(class_names)}
    return FolderSource(
        name=f"imagefolder:{root.name}",
        root=root,
        image_size=size,
        files=np.array([os.fsencode(file.name) for file in both]),
        file_sizes=np.array([file.bytes for file in both], dtype=np.int64),
        labels=np.array([numbered[file.class_name] for file in both], dtype=np.int64),
        class_names=class_names,
        test_ids=np.arange(len(files), len(both)) if test_files else None,
    )


def _class_names(split: Path) -> tuple[str, ...]:
    entries = sorted(split.iterdir())
    for entry in entries:
        if _is_image(entry.name) and entry.is_file():
            raise DatasetError(
                f"{entry} lies in no class folder, expected {split}/<class>/{entry.name}"
            )
    return tuple(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def _find_files(root: Path, split: Path, class_names: tuple[str, ...]) -> Iterator[ImageFile]:
    for class_name in class_names:
        found = []
        for folder, _, names in os.walk(split / class_name, followlinks=True):
            for path in (Path(folder, name) for name in names if _is_image(name)):
                name = path.relative_to(root).as_posix()
                found.append(ImageFile(name, class_name, path.stat().st_size))
        yield from sorted(found)


def _find_test_files(root: Path, class_names: tuple[str, ...]) -> list[ImageFile]:
    for split in (root / name for name in TEST_FOLDERS):
        if split.is_dir():
            test_classes = _class_names(split)
            if unknown := sorted(set(test_classes) - set(class_names)):
                raise DatasetError(
                    f"{split} has the class {unknown[0]} that {root / 'train'} does not have"
                )
            files = list(_find_files(root, split, test_classes))
            if not files:
                raise DatasetError(_no_images(split))
            return files
    return []


def _check_training(split: Path, class_names: tuple[str, ...], files: list[ImageFile]) -> None:
    if not files:
        raise DatasetError(_no_images(split))
    filled = {file.class_name for file in files}
    for class_name in class_names:
        if class_name not in filled:
            raise DatasetError(_no_images(split / class_name))


def _no_images(folder: Path) -> str:
    return f"there are no images in {folder}, expected files that end in {', '.join(SUFFIXES)}"


def _is_image(name: str) -> bool:
    # macOS lays files named ._NAME.jpg beside images; they are none.
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
