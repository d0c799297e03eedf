"""Datasets on disk: one folder by fingerprint, and for each decoded source a pointer to it.

``<cache>/<fingerprint>/`` holds ``labels.npy``, ``dataset.json``, ``test_ids.npy`` where there is
an official test set, ``contents.npy`` that says which images are the same, and ``images.npy`` of a
decoded dataset or ``files.npy``, the names of the image files, of a folder.
``<cache>/sources/<hash of key>.json`` says which folder a source was decoded into, with notes on
how it was read, or what was found in the files of a folder.

The fingerprint of a decoded dataset is a hash of its pixels, labels and names. That of a folder is
a hash of its files' names and sizes, of the class names and the image size, of how many files are
left out and of the range of those with more than 8 bits.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metakd.atomic import new_file, new_folder
from metakd.data.catalogue import (
    SOURCES,
    DatasetError,
    DatasetOptions,
    function_of,
    require_known_dataset,
)
from metakd.data.datasets.contents import contents_of, contents_of_files, contents_of_mapped
from metakd.data.datasets.folder_check import Checked, check_files
from metakd.data.datasets.folder_dataset import FolderDataset
from metakd.data.datasets.image_dataset import DecodedDataset, ImageDataset
from metakd.data.datasets.own_dataset import own_source
from metakd.data.datasets.picture_sizes import PictureSizes, default_size_in_words
from metakd.data.datasets.pictures import ValueRange, range_in_words
from metakd.data.datasets.source import Decoded, DecodedSource, FolderSource, Source

HASH_LENGTH = 16
DEFAULTS = DatasetOptions()


def open_dataset(name: str, cache_dir: Path, options: DatasetOptions = DEFAULTS) -> ImageDataset:
    """Opens a dataset, storing it in the cache first if it is not there yet.

    Args:
        name: "digits", "cifar10", "cifar100", "fashion_mnist"; "synthetic", or with options
            "synthetic:samples=50000,classes=10,size=32,channels=3,seed=0"; "parquet:PATH" with a
            file, a folder or a glob, or "parquet:PATH,size=64"; "imagefolder:PATH" or
            "imagefolder:PATH,size=224"; "hf:NAME,CONFIG,split=SPLIT,size=64" with the name alone or
            with some of the rest; "MODULE:FUNCTION" of a user's own, or the name by
            which an installed package registers one.
        cache_dir: Where datasets are kept; safe to share between processes.
        options: How to read it.

    Raises:
        DatasetError: If there is no such dataset, or it cannot be read.
    """
    require_known_dataset(name)
    kind, _, argument = name.partition(":")
    if kind not in SOURCES:
        return open_source(cache_dir, own_source(name, function_of(name)))
    return open_source(cache_dir, SOURCES[kind](argument, options))


def open_cached(cache_dir: Path, fingerprint: str) -> ImageDataset:
    """Opens a dataset that was opened by name before; large arrays are read-only memory maps.

    Raises:
        DatasetError: If the cache does not hold it, or its folder of images is gone.
    """
    folder = cache_dir / fingerprint
    if not folder.is_dir():
        raise DatasetError(f"dataset {fingerprint} is not in {cache_dir}: open it by name first")
    about = json.loads((folder / "dataset.json").read_text())
    test_ids, contents = folder / "test_ids.npy", folder / "contents.npy"
    common: dict[str, Any] = {
        "labels": np.load(folder / "labels.npy"),
        "class_names": tuple(about["class_names"]),
        "test_ids": np.load(test_ids) if test_ids.exists() else None,
        "name": about["name"],
        "fingerprint": fingerprint,
        "skipped": about.get("skipped", 0),
        "contents": np.load(contents) if contents.exists() else None,
    }
    if (folder / "images.npy").exists():
        return DecodedDataset(images=np.load(folder / "images.npy", mmap_mode="r"), **common)
    root = Path(about["root"])
    if not root.is_dir():
        raise DatasetError(f"the images of {about['name']} were in {root}, which is gone")
    files = np.load(folder / "files.npy", mmap_mode="r")
    values = about.get("value_range")
    return FolderDataset(
        root=root,
        files=files,
        image_size=about["image_size"],
        value_range=values and ValueRange(*values),
        **common,
    )


def open_source(cache_dir: Path, source: Source) -> ImageDataset:
    """Opens a dataset from the cache, after storing it there if it is not there yet."""
    if isinstance(source, FolderSource):
        stored = _store_index(cache_dir, source)
    else:
        stored = _find_decoded(cache_dir, source)
    fingerprint, notes = stored
    dataset = open_cached(cache_dir, fingerprint)
    # The same content may have been stored first under the name of another source.
    return replace(dataset, name=source.name, notes=(*source.notes, *notes))


def _find_decoded(cache_dir: Path, source: DecodedSource) -> tuple[str, Sequence[str]]:
    key_hash = hashlib.sha256(source.key.encode()).hexdigest()[:HASH_LENGTH]
    pointer = cache_dir / "sources" / f"{key_hash}.json"
    if pointer.exists():
        known = json.loads(pointer.read_text())
        place = cache_dir / known["fingerprint"]
        if place.is_dir():
            if not (place / "contents.npy").exists():
                images = np.load(place / "images.npy", mmap_mode="r")
                with new_file(place / "contents.npy") as draft, draft.open("wb") as stream:
                    np.save(stream, contents_of_mapped(images))
            return known["fingerprint"], known.get("notes", ())
    content = source.decode()
    fingerprint = _store_decoded(cache_dir, source, content)
    with new_file(pointer) as draft:
        said = {"name": source.name, "key": source.key, "fingerprint": fingerprint}
        draft.write_text(json.dumps(said | {"notes": content.notes}, indent=2))
    return fingerprint, content.notes


def _store_decoded(cache_dir: Path, source: DecodedSource, content: Decoded) -> str:
    cache_dir.mkdir(parents=True, exist_ok=True)
    needed, free = len(content.labels) * math.prod(content.image_shape), disk_usage(cache_dir).free
    if needed > free:
        raise DatasetError(
            f"{source.name} takes {needed / 2**30:.1f} GiB decoded, but {cache_dir} has "
            f"{free / 2**30:.1f} GiB free: choose another --out"
        )
    # Its name is known only when the last chunk was seen.
    with TemporaryDirectory(dir=cache_dir, prefix=".decoding.") as unnamed:
        fingerprint, contents = _write_images(content, Path(unnamed) / "images.npy")
        place = cache_dir / fingerprint
        if not place.is_dir():
            with new_folder(place) as draft:
                (Path(unnamed) / "images.npy").rename(draft / "images.npy")
                about = {
                    "name": source.name,
                    "class_names": content.class_names,
                    "skipped": content.skipped,
                }
                np.save(draft / "contents.npy", contents)
                _write_rest(content, about, draft)
    return fingerprint


def _write_images(content: Decoded, file: Path) -> tuple[str, NDArray[np.int64]]:
    shape = (len(content.labels), *content.image_shape)
    described: list[object] = [shape, content.class_names]
    if content.skipped:
        described.append(content.skipped)
    digest = hashlib.sha256(json.dumps(described).encode())
    contents = [np.zeros(0, np.int64)]
    with file.open("wb") as stream:
        # Written, not mapped: a full disk is an error here, and a crash under a memory map.
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for chunk in content.chunks:
            data = np.ascontiguousarray(chunk)
            stream.write(data.data)
            digest.update(data.data)
            contents.append(contents_of(data))
    digest.update(content.labels.data)
    if content.test_ids is not None:
        digest.update(content.test_ids.data)
    return digest.hexdigest()[:HASH_LENGTH], np.concatenate(contents)


def _store_index(cache_dir: Path, source: FolderSource) -> tuple[str, Sequence[str]]:
    checked = _checked(cache_dir, source)
    notes = range_in_words(checked.wide, checked.values)
    has_range = bool(notes)
    if checked.redrawn:
        notes.append(
            f"{checked.redrawn:,} images are turned as their EXIF orientation says, or lie on "
            "white where they are transparent"
        )
    if source.has_default_size and checked.sizes is not None:
        notes += default_size_in_words(checked.sizes, source.image_size)
    kept = ~np.isin(source.files, np.array([os.fsencode(name) for name in checked.corrupt], "S"))
    skipped = int((~kept).sum())
    if skipped:
        source = source.only(kept)
    described = _described(source)
    if skipped:
        described.append(skipped)
    if has_range:
        described.append(checked.values)
    if checked.redrawn:
        described.append(f"{checked.redrawn} redrawn")
    fingerprint = _index_hash(source, described)
    place = cache_dir / fingerprint
    about = {
        "name": source.name,
        "class_names": source.class_names,
        "root": str(source.root),
        "image_size": source.image_size,
        "skipped": skipped,
        "value_range": checked.values,
    }
    if place.is_dir():
        # The same images may lie elsewhere now.
        with new_file(place / "dataset.json") as file:
            file.write_text(json.dumps(about, indent=2))
    else:
        with new_folder(place) as draft:
            np.save(draft / "files.npy", source.files)
            _write_rest(source, about, draft)
    if not (place / "contents.npy").exists():
        contents = contents_of_files(source.root, source.files, source.file_sizes)
        if contents is None:
            notes.append("images in training and test both are not counted in so large a folder")
        else:
            with new_file(place / "contents.npy") as draft, draft.open("wb") as stream:
                np.save(stream, contents)
    return fingerprint, notes


def _checked(cache_dir: Path, source: FolderSource) -> Checked:
    """Returns what was found in the files of a folder, which is looked at once."""
    described = [str(source.root), source.corrupt_images, *_described(source)]
    place = cache_dir / "sources" / f"{_index_hash(source, described)}.json"
    if place.exists():
        # Caches of before hold no sizes.
        corrupt, wide, values, redrawn, *sizes = json.loads(place.read_text())
        return Checked(
            tuple(corrupt),
            wide,
            values and ValueRange(*values),
            redrawn,
            _sizes(sizes[0]) if sizes and sizes[0] else None,
        )
    files = [os.fsdecode(name) for name in source.files]
    checked = check_files(source.root, files, decode_all=source.corrupt_images == "skip")
    with new_file(place) as draft:
        draft.write_text(json.dumps(checked))
    return checked


def _sizes(stored: Sequence[Any]) -> PictureSizes:
    smallest, largest, side = stored
    return PictureSizes(tuple(smallest), tuple(largest), side)


def _described(source: FolderSource) -> list[object]:
    return [source.files.dtype.str, len(source.files), source.class_names, source.image_size]


def _index_hash(source: FolderSource, described: list[object]) -> str:
    digest = hashlib.sha256(json.dumps(described).encode())
    digest.update(source.files.tobytes())
    digest.update(source.file_sizes.data)
    return digest.hexdigest()[:HASH_LENGTH]


def _write_rest(content: Decoded | FolderSource, about: dict[str, Any], folder: Path) -> None:
    np.save(folder / "labels.npy", content.labels)
    if content.test_ids is not None:
        np.save(folder / "test_ids.npy", content.test_ids)
    (folder / "dataset.json").write_text(json.dumps(about, indent=2))
