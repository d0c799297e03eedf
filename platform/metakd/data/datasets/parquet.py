"""Images in Parquet files, in the layout of the Hugging Face hub."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metakd.data.datasets.image_dataset import DatasetError, Decoded, Source
from metakd.data.datasets.parquet_file import DecodedFile, decode_file


def parquet_source(argument: str, data_dir: Path | None) -> Source:
    """Returns the images of a file, of all files in a folder, or of all that match a glob.

    Files with "test" in their name are the official test set; without any, those with "validation"
    are it.

    Raises:
        DatasetError: If there are no such files.
    """
    files = _find_files(argument)
    stats = [(str(file.resolve()), file.stat()) for file in files]
    key = json.dumps([[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats])
    plain_parts = [part for part in Path(argument).resolve().parts if not _is_glob(part)]
    return Source(
        name=f"parquet:{plain_parts[-1].removesuffix('.parquet')}",
        key=f"parquet {key}",
        decode=partial(_decode, files),
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


def _decode(files: list[Path]) -> Decoded:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [decode_file(file, pool) for file in files]
    first = parts[0]
    for part in parts[1:]:
        if part.images.shape[1:] != first.images.shape[1:]:
            raise DatasetError(
                f"all images must have one shape, but {first.file} has {first.images.shape[1:]} "
                f"and {part.file} has {part.images.shape[1:]} (channels, height, width)"
            )
        if part.class_names != first.class_names:
            raise DatasetError(f"{first.file} and {part.file} name different classes")
    return Decoded(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        class_names=first.class_names or _numbered_classes(parts),
        test_ids=_official_test_ids(parts),
    )


def _numbered_classes(parts: list[DecodedFile]) -> tuple[str, ...]:
    highest = max(int(part.labels.max()) for part in parts)
    return tuple(str(label) for label in range(highest + 1))


def _official_test_ids(parts: list[DecodedFile]) -> NDArray[np.int64] | None:
    for split in ("test", "validation"):
        chosen = [split in part.file.name for part in parts]
        if any(chosen) and not all(chosen):
            sizes = [len(part.labels) for part in parts]
            return np.flatnonzero(np.repeat(chosen, sizes)).astype(np.int64)
    return None
