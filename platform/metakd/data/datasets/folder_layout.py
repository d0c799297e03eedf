"""Which folders are splits and which are classes, read from the names of folders and images alone.

The rule. Where folders of the root are named by splits (``split_names``), they are splits, all
of them, and the folders in each are its classes; else the root's folders are the classes. What
lies below a class folder belongs to the class. A folder around all others, and one that repeats
its split's name, are stepped into. Refused, with what was found, are

- folders of images beside those of splits,
- folders below a class that are named by another split than the one above them, or by one where
  there is none above (``cats/train``), and splits in splits,
- names that speak of two splits, or look like a split that is not known,
- two candidates for the official test set.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from metakd.data.catalogue import DatasetError
from metakd.data.datasets.split_names import (
    KNOWN_WORDS,
    Split,
    is_almost_split,
    notes_on_splits,
    official_test,
    split_of,
    splits_in,
)

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What torchvision's ImageFolder takes for an image; timm's are among them."""

SHOWN = 4


class Placed(NamedTuple):
    """An image with its class."""

    name: str
    class_name: str


class Layout(NamedTuple):
    """The images of a folder.

    Attributes:
        training: Those outside the official test set, split by split and class by class.
        test: Those of the official test set.
        class_names: The folders of classes for training.
        notes: What is not obvious about the use of splits, in sentences.
    """

    training: list[Placed]
    test: list[Placed]
    class_names: tuple[str, ...]
    notes: list[str]


class _Folder:
    """A folder with its folders and the images that lie in it, by names below the root."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folders: dict[str, _Folder] = {}
        self.images: list[str] = []

    def below(self) -> list[str]:
        """All images at any depth, sorted by name."""
        found = [*self.images]
        for folder in self.folders.values():
            found += folder.below()
        return sorted(found)

    @property
    def is_filled(self) -> bool:
        """Whether there are images at some depth."""
        return bool(self.images) or any(folder.is_filled for folder in self.folders.values())

    @property
    def filled(self) -> "dict[str, _Folder]":
        """The folders that have images at some depth."""
        return {name: folder for name, folder in self.folders.items() if folder.is_filled}


def read_layout(root: Path, images: Iterable[str], folders: Iterable[str]) -> Layout:
    """Returns the images by split and class.

    Args:
        root: The folder; its own name says nothing.
        images: Their names below it, with slashes.
        folders: Those of all folders, in the same form.

    Raises:
        DatasetError: If the rule refuses them, or a class or a split has no images.
    """
    top = _without_wrappers(_tree(images, folders))
    if not top.is_filled:
        raise DatasetError(_no_images(root))
    named = {name: _split_of(root, top, name) for name in sorted(top.folders)}
    if not any(named.values()):
        for class_folder in top.folders.values():
            _check_below(root, class_folder, top.path, None)
        return Layout(_of_classes(root, top, top.folders), [], tuple(sorted(top.folders)), [])
    others = [name for name, split in named.items() if split is None and name in top.filled]
    if others:
        there = _place(root, top.path)
        found = ", ".join(f"{name} ({split})" for name, split in named.items() if split)
        raise DatasetError(
            f"{there} holds splits, {found}, and other folders of images, {_listed(others)}: name "
            f"those splits as well ({KNOWN_WORDS}) or move them elsewhere; if all of them are "
            f"classes, move them into {there}/train"
        )
    return _of_splits(root, top, {name: split for name, split in named.items() if split})


def _of_splits(root: Path, top: _Folder, named: dict[str, Split]) -> Layout:
    inner = {name: _without_repetition(top.folders[name]) for name in named}
    notes = []
    for name, split in list(named.items()):
        if split == "test" and inner[name].images and not inner[name].filled and len(named) > 1:
            notes.append(
                f"left out: {len(inner[name].images):,} images in {inner[name].path}, which are in "
                "no class folder"
            )
            del named[name]
    if top.images:
        notes.append(f"left out: {len(top.images):,} images beside the folders of splits")
    test = official_test(set(named.values()))
    candidates = [name for name, split in named.items() if split == test]
    if test is not None and len(candidates) > 1:
        raise DatasetError(
            f"{_place(root, top.path)} has {len(candidates)} candidates for the test set: "
            f"{_listed(candidates)}: move all but one elsewhere"
        )
    order = {"train": 0, "validation": 1, "test": 2}
    pool = sorted((n for n in named if named[n] != test), key=lambda n: (order[named[n]], n))
    # Classes are those of the first split of the pool: that of training, where there is one.
    first = named[pool[0]]
    classes = sorted({n for name in pool if named[name] == first for n in inner[name].folders})
    for name in named:
        _check_no_splits_in(root, inner[name], named[name])
    training: list[Placed] = []
    samples = Counter[Split | None]()
    for name in pool:
        _check_known(root, inner[name], classes, pool[0])
        placed = _of_classes(root, inner[name], inner[name].folders)
        samples[named[name]] += len(placed)
        training += placed
    tested: list[Placed] = []
    for name in candidates if test else []:
        folder = inner[name]
        _check_known(root, folder, classes, pool[0])
        tested = _of_classes(root, folder, folder.filled)
        samples[test] += len(tested)
    return Layout(training, tested, tuple(classes), [*notes, *notes_on_splits(samples)])


def _check_known(root: Path, split: _Folder, classes: Sequence[str], training: str) -> None:
    if unknown := sorted(set(split.filled) - set(classes)):
        raise DatasetError(
            f"{_place(root, split.path)} has the class {unknown[0]} that {training} does not have: "
            f"expected {_place(root, split.path)}/<class>/ with the classes {_listed(classes)}; "
            "move it elsewhere if its images have no labels"
        )


def _of_classes(root: Path, split: _Folder, classes: Iterable[str]) -> list[Placed]:
    if split.images:
        there, name = _place(root, split.path), split.images[0].rpartition("/")[2]
        raise DatasetError(
            f"{there / name} lies in no class folder, expected {there}/<class>/{name}"
        )
    if not split.is_filled:
        raise DatasetError(_no_images(_place(root, split.path)))
    placed = []
    for class_name in sorted(classes):
        images = split.folders[class_name].below()
        if not images:
            raise DatasetError(_no_images(_place(root, split.folders[class_name].path)))
        placed += [Placed(name, class_name) for name in images]
    return placed


def _tree(images: Iterable[str], folders: Iterable[str]) -> _Folder:
    top = _Folder("")
    known = {"": top}

    def find(path: str) -> _Folder:
        if path not in known:
            above, _, name = path.rpartition("/")
            known[path] = find(above).folders[name] = _Folder(path)
        return known[path]

    for folder in sorted(folders):
        find(folder)
    for image in images:
        find(image.rpartition("/")[0]).images.append(image)
    return top


def _without_wrappers(folder: _Folder) -> _Folder:
    """Steps into a folder that stands alone around folders of images, unless it names a split."""
    while not folder.images and len(folder.filled) == 1:
        name, inner = next(iter(folder.filled.items()))
        if inner.images or len(folder.folders) > 1 or splits_in(name):
            break
        folder = inner
    return folder


def _without_repetition(split: _Folder) -> _Folder:
    """Steps into a folder of folders that stands alone in a split and names it again."""
    while not split.images and len(split.folders) == 1:
        name, inner = next(iter(split.folders.items()))
        if inner.images or not splits_in(name):
            break
        split = inner
    return split


def _split_of(root: Path, top: _Folder, name: str) -> Split | None:
    if not top.folders[name].is_filled and not splits_in(name):
        return None
    try:
        split = split_of(name)
    except DatasetError as error:
        raise DatasetError(f"{_place(root, top.path)}: {error}") from error
    if split is None and is_almost_split(name):
        raise DatasetError(
            f"{_place(root, top.folders[name].path)} looks like a split that is not known: name it "
            f"by one of {KNOWN_WORDS}, or move the folders of classes into "
            f"{_place(root, top.path)}/train"
        )
    return split


def _check_no_splits_in(root: Path, split: _Folder, said: Split) -> None:
    """Refuses splits in a split, where all of its folders, or some below a class, are named so."""
    names = sorted(split.folders)
    if len(names) > 1 and all(splits_in(name) for name in names):
        there = _place(root, split.path)
        raise DatasetError(
            f"{there} is a split that holds splits, {_listed(names)}: name the folder that is "
            f"meant, as in imagefolder:{there}"
        )
    for class_folder in split.folders.values():
        _check_below(root, class_folder, split.path, said)


def _check_below(root: Path, class_folder: _Folder, above: str, said: Split | None) -> None:
    for name, folder in class_folder.filled.items():
        if splits_in(name) - {said}:
            there = _place(root, above)
            raise DatasetError(
                f"{_place(root, folder.path)} is a split below {class_folder.path}: expected "
                f"{there}/<split>/<class>/ or {there}/<class>/; move the splits up, or name one "
                f"folder, as in imagefolder:{_place(root, class_folder.path)}"
            )
        _check_below(root, folder, above, said)


def _no_images(folder: Path) -> str:
    return f"there are no images in {folder}, expected files that end in {', '.join(SUFFIXES)}"


def _place(root: Path, path: str) -> Path:
    return root / path


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
