"""Images in Parquet files, in the layout of the Hugging Face hub."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets.parquet_file import DecodedFile, decode_file
from metakd.data.datasets.source import Decoded, DecodedSource
from metakd.machine import usable_cpus


def parquet_source(argument: str, options: DatasetOptions) -> DecodedSource:
    """Returns the images of a file, of all files in a folder, or of all that match a glob.

    Files with "test" in their name are the official test set; without any, those with "validation"
    are it.

    Args:
        argument: The file, folder or glob.
        options: Names the columns, and says what to do about corrupt images.

    Raises:
        DatasetError: If there are no such files.
    """
    files = _find_files(argument)
    stats = [(str(file.resolve()), file.stat()) for file in files]
    reading = [options.image_column, options.label_column, options.corrupt_images]
    key = json.dumps([reading, *([path, stat.st_size, stat.st_mtime_ns] for path, stat in stats)])
    plain_parts = [part for part in Path(argument).resolve().parts if not _is_glob(part)]
    return DecodedSource(
        name=f"parquet:{plain_parts[-1].removesuffix('.parquet')}",
        key=f"parquet {key}",
        decode=partial(_decode, files, options),
    )


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _find_files(argument: str) -> list[Path]:
    if not argument:
        raise DatasetError("parquet needs a path: parquet:FILE, parquet:FOLDER or parquet:GLOB")
    path = Path(argument)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = list(path.rglob("*.parquet"))
    elif _is_glob(argument):
        root = Path(path.absolute().anchor)
        found = list(root.glob(str(path.absolute().relative_to(root))))
    else:
        raise DatasetError(f"there is no file or folder {argument}")
    if not found:
        raise DatasetError(f"there are no Parquet files at {argument}")
    return sorted(found)


def _decode(files: list[Path], options: DatasetOptions) -> Decoded:
    with ThreadPoolExecutor(usable_cpus()) as pool:
        parts = [decode_file(file, pool, options) for file in files]
    skipped = _check_corrupt(parts, options)
    _check_agreement(parts)
    filled = [part for part in parts if part.images]
    return Decoded(
        image_shape=filled[0].images[0].shape,
        chunks=(np.stack(part.images) for part in filled),
        labels=np.concatenate([part.labels for part in filled]),
        class_names=parts[0].class_names or _numbered_classes(filled),
        test_ids=_official_test_ids(parts),
        skipped=skipped,
    )


def _check_corrupt(parts: list[DecodedFile], options: DatasetOptions) -> int:
    """Returns how many images are corrupt, if that many can be left out."""
    faults = [fault for part in parts for fault in part.faults]
    total = len(faults) + sum(len(part.images) for part in parts)
    if len(faults) == total:
        raise DatasetError(f"{faults[0]}; all {total} images are corrupt, so none are left")
    if faults and options.corrupt_images == "fail":
        raise DatasetError(
            f"{faults[0]}; {len(faults)} of {total} images are corrupt: --corrupt-images skip "
            "leaves them out"
        )
    return len(faults)


def _check_agreement(parts: list[DecodedFile]) -> None:
    first = next(part for part in parts if part.images)
    for part in parts:
        if part.images and part.images[0].shape != first.images[0].shape:
            raise DatasetError(
                f"all images must have one shape, but {first.file} has {first.images[0].shape} "
                f"and {part.file} has {part.images[0].shape} (channels, height, width)"
            )
        if part.class_names != first.class_names:
            raise DatasetError(f"{first.file} and {part.file} name different classes")


def _numbered_classes(parts: list[DecodedFile]) -> tuple[str, ...]:
    highest = max(int(part.labels.max()) for part in parts)
    return tuple(str(label) for label in range(highest + 1))


def _official_test_ids(parts: list[DecodedFile]) -> NDArray[np.int64] | None:
    sizes = [len(part.labels) for part in parts]
    for split in ("test", "validation"):
        chosen = [split in part.file.name for part in parts]
        if any(chosen) and not all(chosen):
            ids = np.flatnonzero(np.repeat(chosen, sizes)).astype(np.int64)
            if not 0 < len(ids) < sum(sizes):
                raise DatasetError(
                    f"without the corrupt images there is nothing left of the {split} files "
                    f"or of the others around {parts[0].file}"
                )
            return ids
    return None
