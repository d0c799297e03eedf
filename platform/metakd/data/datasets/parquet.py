"""Images in Parquet files, in the layout of the Hugging Face hub."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.class_labels import number_classes
from metakd.data.datasets.files_below import files_below
from metakd.data.datasets.named_options import absolute_path, read_side, split_options
from metakd.data.datasets.parquet_file import (
    ROWS_AT_ONCE,
    DecodedFile,
    LabelledFile,
    decode_images,
    open_labels,
)
from metakd.data.datasets.picture_sizes import proposal, sizes_of
from metakd.data.datasets.pictures import (
    ValueRange,
    eight_bits,
    range_in_words,
    range_of,
    squared,
)
from metakd.data.datasets.source import Decoded, DecodedSource
from metakd.data.datasets.split_files import splits_of_files
from metakd.data.datasets.split_names import (
    Split,
    left_out_in_words,
    notes_on_splits,
    official_test,
)
from metakd.machine import usable_cpus

VERSION = 2
"""Raised whenever files are read in another way: what was decoded before is not used."""

SUFFIX = ".parquet"
CHUNK = 1024


class FoundFiles(NamedTuple):
    """Parquet files below a folder, by names relative to it; what a dataset is called by them."""

    root: Path
    names: list[str]
    shown_name: str
    left_out: Counter[str]


def parquet_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns the images of a file, of all files in a folder, or of all that match a glob.

    ``split_files`` says which of them are the official test set.

    Args:
        argument: The file, folder or glob; with ",size=S" behind it images of different shapes
            become squares of S pixels.
        options: Names the columns, and says what to do about corrupt images.

    Raises:
        DatasetError: If there are no such files, or their splits are not clear.
    """
    path, side = _path_and_side(argument)
    found = _find_files(path)
    splits = splits_of_files(found.root, found.names)
    files = {found.root / name: split for name, split in zip(found.names, splits, strict=True)}
    stats = [(str(file.resolve()), file.stat()) for file in files]
    reading = [options.image_column, options.label_column, options.corrupt_images]
    # What was decoded without a size before there was one is still right.
    reading += [] if side is None else [f"size {side}"]
    key = [
        [name, split, path, stat.st_size, stat.st_mtime_ns]
        for name, split, (path, stat) in zip(found.names, splits, stats, strict=True)
    ]
    return DecodedSource(
        name=f"parquet:{found.shown_name.removesuffix(SUFFIX)}",
        key=f"parquet {VERSION} {json.dumps([reading, *key])}",
        decode=partial(_decode, found.root, files, options, side),
        notes=tuple(left_out_in_words(found.left_out)),
    )


def _path_and_side(argument: str) -> tuple[str, int | None]:
    """Splits "PATH,size=S"; a file that is called like this is a path."""
    if not argument or absolute_path(argument).exists():
        return argument, None
    path, options = split_options(argument)
    return path, read_side("parquet", options)


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _find_files(argument: str) -> FoundFiles:
    if not argument:
        raise DatasetError("parquet needs a path: parquet:FILE, parquet:FOLDER or parquet:GLOB")
    path = absolute_path(argument)
    if path.is_file():
        return FoundFiles(path.parent, [path.name], path.resolve().name, Counter())
    if path.is_dir():
        below = files_below(path, lambda name: name.lower().endswith(SUFFIX))
        names = sorted(below.files, key=_by_folders)
        found = FoundFiles(path, names, path.resolve().name, below.left_out)
    elif _is_glob(argument):
        found = _match(path)
    else:
        raise DatasetError(f"there is no file or folder {argument}")
    if not found.names:
        raise DatasetError(f"there are no Parquet files at {argument}")
    return found


def _match(pattern: Path) -> FoundFiles:
    """Returns what a glob matches, below the folders at its beginning that are there by name.

    Raises:
        DatasetError: If it is no glob.
    """
    root = Path(pattern.anchor)
    parts = list(pattern.parts[1:])
    # A folder may well be called "data [v2]".
    while (root / parts[0]).is_dir():
        root /= parts.pop(0)
    try:
        matched = [path for path in root.glob("/".join(parts)) if path.is_file()]
    except (OSError, ValueError) as error:
        raise DatasetError(f"{pattern} cannot be matched: {error}") from error
    plain = [*root.resolve().parts, *(part for part in parts if not _is_glob(part))]
    names = [path.relative_to(root).as_posix() for path in matched]
    return FoundFiles(root, sorted(names, key=_by_folders), plain[-1], Counter())


def _by_folders(name: str) -> list[str]:
    return name.split("/")


def _decode(
    root: Path, files: dict[Path, Split | None], options: DatasetOptions, side: int | None
) -> Decoded:
    labelled, hidden = _without_hidden(files, [open_labels(file, options) for file in files])
    kept = [each.file for each in labelled]
    # Without the hidden test set another split may be the test set.
    splits = splits_of_files(root, [file.relative_to(root).as_posix() for file in kept])
    for each in labelled:
        if each.class_names != labelled[0].class_names:
            raise DatasetError(f"{labelled[0].file} and {each.file} name different classes")
    labels, class_names = number_classes(
        [each.labels for each in labelled], labelled[0].class_names
    )
    rows = sum(map(len, labels))
    with ThreadPoolExecutor(usable_cpus()) as pool:
        if side is None:
            # Large pictures of many sizes would fill the memory before they are refused.
            first = [decode_images(each, pool, at_most=ROWS_AT_ONCE) for each in labelled]
            _check_shapes(root, first, rows)
        parts = [decode_images(each, pool, side) for each in labelled]
    skipped = _check_corrupt(parts, options)
    if side is None:
        _check_shapes(root, parts, rows)
    images = [image for part in parts for image in part.images]
    values = range_of(images)
    channels = max(1 if image.ndim == 2 else 3 for image in images)
    sizes = [len(part.pictures) for part in parts]
    samples = Counter[Split | None]()
    for split, size in zip(splits, sizes, strict=True):
        samples[split] += size
    return Decoded(
        image_shape=(channels, *(images[0].shape[:2] if side is None else (side, side))),
        chunks=_chunks(parts, channels, values, side),
        labels=np.concatenate(
            [of_file[list(part.pictures)] for of_file, part in zip(labels, parts, strict=True)]
        ),
        class_names=class_names,
        test_ids=_official_test_ids(parts, splits),
        skipped=skipped,
        notes=(
            *hidden,
            *notes_on_splits(samples),
            *_notes_on_images(parts, channels, values, side),
        ),
    )


def _without_hidden(
    files: dict[Path, Split | None], labelled: Sequence[LabelledFile]
) -> tuple[list[LabelledFile], list[str]]:
    """Leaves out the files of a test or validation split that have no labels at all."""
    kept, rows = list[LabelledFile](), Counter[Split | None]()
    for each in labelled:
        split = files[each.file]
        if each.labels.is_hidden and split in ("validation", "test"):
            rows[split] += len(each.labels.codes)
        else:
            kept.append(each)
    if not kept:
        return list(labelled), []
    notes = [
        f"left out: {n:,} {split} samples, whose labels are hidden" for split, n in rows.items()
    ]
    return kept, notes


def _check_corrupt(parts: Sequence[DecodedFile], options: DatasetOptions) -> int:
    """Returns how many images are corrupt, if that many can be left out."""
    faults = [fault for part in parts for fault in part.faults]
    total = len(faults) + sum(len(part.pictures) for part in parts)
    if len(faults) == total:
        raise DatasetError(f"{faults[0]}; all {total} images are corrupt, so none are left")
    if faults and options.corrupt_images == "fail":
        raise DatasetError(
            f"{faults[0]}; {len(faults)} of {total} images are corrupt: --corrupt-images skip "
            "leaves them out"
        )
    return len(faults)


def _check_shapes(root: Path, parts: Sequence[DecodedFile], rows: int) -> None:
    """Refuses pictures of different sizes, and proposes one.

    Args:
        root: The folder of the files.
        parts: All pictures, or the first ones of each file.
        rows: How many there are in all.
    """
    pictures = [picture for part in parts for picture in part.pictures.values()]
    if len({picture.shape for picture in pictures}) < 2:
        return
    sizes = sizes_of([picture.shape for picture in pictures])
    channels = max(1 if picture.pixels.ndim == 2 else 3 for picture in pictures)
    looked_at = f" among the first {len(pictures):,} looked at" if len(pictures) < rows else ""
    first = parts[0].file if len(parts) == 1 else root
    raise DatasetError(
        f"{first}: pictures have {sizes.in_words()}{looked_at}: {proposal(sizes, rows, channels)}"
    )


def _chunks(
    parts: Sequence[DecodedFile], channels: int, values: ValueRange | None, side: int | None
) -> Iterator[NDArray[np.uint8]]:
    for part in parts:
        images = part.images
        for start in range(0, len(images), CHUNK):
            bytes_ = [eight_bits(image, values) for image in images[start : start + CHUNK]]
            if side is not None:
                bytes_ = [squared(image, side) for image in bytes_]
            yield np.stack([_channels_first(image, channels) for image in bytes_])


def _channels_first(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if image.ndim == 2:
        return np.broadcast_to(image, (channels, *image.shape))
    return image.transpose(2, 0, 1)


def _official_test_ids(
    parts: Sequence[DecodedFile], splits: Sequence[Split | None]
) -> NDArray[np.int64] | None:
    test = official_test(splits)
    if test is None:
        return None
    sizes = [len(part.pictures) for part in parts]
    is_test = [split == test for split in splits]
    ids = np.flatnonzero(np.repeat(is_test, sizes)).astype(np.int64)
    if not 0 < len(ids) < sum(sizes):
        raise DatasetError(
            f"without the corrupt images there is nothing left of the {test} files or of the "
            f"others around {parts[0].file}"
        )
    return ids


def _notes_on_images(
    parts: Sequence[DecodedFile], channels: int, values: ValueRange | None, side: int | None
) -> list[str]:
    pictures = [picture for part in parts for picture in part.pictures.values()]
    images = [picture.pixels for picture in pictures]
    notes = range_in_words(sum(image.dtype != np.uint8 for image in images), values)
    grey = sum(image.ndim == 2 for image in images)
    if channels == 3 and grey:
        notes.append(f"{grey:,} of {len(images):,} images are grey: they became RGB as the others")
    resized = sum(side is not None and picture.shape != (side, side) for picture in pictures)
    if resized:
        notes.append(
            f"{resized:,} of {len(images):,} images had another shape: the squares at their "
            f"centres became {side}×{side}"
        )
    if see_through := sum(picture.is_see_through for picture in pictures):
        notes.append(f"{see_through:,} images are transparent in places: they lie on white now")
    return notes
