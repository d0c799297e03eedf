"""Tables of images, decoded together: one numbering of classes, one size, one official test set."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.class_labels import number_classes
from metakd.data.datasets.image_table import (
    ROWS_AT_ONCE,
    DecodedTable,
    ImageTable,
    LabelledTable,
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
from metakd.data.datasets.source import Decoded
from metakd.data.datasets.split_names import Split, notes_on_splits, official_test
from metakd.machine import usable_cpus

CHUNK = 1024


def decode_tables(
    place: str,
    tables: Sequence[ImageTable],
    splits_of: Callable[[Sequence[ImageTable]], Sequence[Split | None]],
    options: DatasetOptions,
    side: int | None,
) -> Decoded:
    """Decodes the images of tables, in their order, and numbers their classes.

    Args:
        place: What all of them are in, for errors.
        tables: One or more.
        splits_of: Returns the split of each of these tables, or of some of them.
        options: Names the columns, and says what to do about corrupt images.
        side: Of the squares that images of different shapes become, in pixels; None keeps them.

    Raises:
        DatasetError: If a table cannot be read, or they do not agree in classes or sizes.
    """
    splits = dict(zip((table.name for table in tables), splits_of(tables), strict=True))
    labelled, hidden = _without_hidden([open_labels(table, options) for table in tables], splits)
    # Without the hidden test set another split may be the test set.
    kept = splits_of([each.table for each in labelled])
    first = labelled[0]
    for each in labelled:
        if each.class_names != first.class_names:
            raise DatasetError(f"{first.table.name} and {each.table.name} name different classes")
    labels, class_names = number_classes([each.labels for each in labelled], first.class_names)
    rows = sum(map(len, labels))
    with ThreadPoolExecutor(usable_cpus()) as pool:
        if side is None:
            # Large pictures of many sizes would fill the memory before they are refused.
            beginnings = [decode_images(each, pool, at_most=ROWS_AT_ONCE) for each in labelled]
            _check_shapes(place, beginnings, rows)
        parts = [decode_images(each, pool, side) for each in labelled]
    skipped = _check_corrupt(parts, options)
    if side is None:
        _check_shapes(place, parts, rows)
    images = [image for part in parts for image in part.images]
    values = range_of(images)
    channels = max(1 if image.ndim == 2 else 3 for image in images)
    samples = Counter[Split | None]()
    for split, part in zip(kept, parts, strict=True):
        samples[split] += len(part.pictures)
    return Decoded(
        image_shape=(channels, *(images[0].shape[:2] if side is None else (side, side))),
        chunks=_chunks(parts, channels, values, side),
        labels=np.concatenate(
            [of_rows[list(part.pictures)] for of_rows, part in zip(labels, parts, strict=True)]
        ),
        class_names=class_names,
        test_ids=_official_test_ids(parts, kept),
        skipped=skipped,
        notes=(
            *hidden,
            *notes_on_splits(samples),
            *_notes_on_images(parts, channels, values, side),
        ),
    )


def _without_hidden(
    labelled: Sequence[LabelledTable], splits: Mapping[str, Split | None]
) -> tuple[list[LabelledTable], list[str]]:
    """Leaves out the tables of a test or validation split that have no labels at all."""
    kept, rows = list[LabelledTable](), Counter[Split | None]()
    for each in labelled:
        split = splits[each.table.name]
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


def _check_corrupt(parts: Sequence[DecodedTable], options: DatasetOptions) -> int:
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


def _check_shapes(place: str, parts: Sequence[DecodedTable], rows: int) -> None:
    """Refuses pictures of different sizes, and proposes one.

    Args:
        place: What the tables are in.
        parts: All pictures, or the first ones of each table.
        rows: How many there are in all.
    """
    pictures = [picture for part in parts for picture in part.pictures.values()]
    if len({picture.shape for picture in pictures}) < 2:
        return
    sizes = sizes_of([picture.shape for picture in pictures])
    channels = max(1 if picture.pixels.ndim == 2 else 3 for picture in pictures)
    looked_at = f" among the first {len(pictures):,} looked at" if len(pictures) < rows else ""
    where = parts[0].table if len(parts) == 1 else place
    raise DatasetError(
        f"{where}: pictures have {sizes.in_words()}{looked_at}: {proposal(sizes, rows, channels)}"
    )


def _chunks(
    parts: Sequence[DecodedTable], channels: int, values: ValueRange | None, side: int | None
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
    parts: Sequence[DecodedTable], splits: Sequence[Split | None]
) -> NDArray[np.int64] | None:
    test = official_test(splits)
    if test is None:
        return None
    sizes = [len(part.pictures) for part in parts]
    is_test = [split == test for split in splits]
    ids = np.flatnonzero(np.repeat(is_test, sizes)).astype(np.int64)
    if not 0 < len(ids) < sum(sizes):
        raise DatasetError(
            f"without the corrupt images there is nothing left of the {test} set or of the "
            f"others around {parts[0].table}"
        )
    return ids


def _notes_on_images(
    parts: Sequence[DecodedTable], channels: int, values: ValueRange | None, side: int | None
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
