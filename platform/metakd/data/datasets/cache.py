"""Decoded datasets on disk: one folder by content hash, and for each source a pointer to it.

``<cache>/<fingerprint>/`` holds ``images.npy``, ``labels.npy``, ``dataset.json``, and
``test_ids.npy`` where there is an official test set. ``<cache>/sources/<hash of key>.json`` says
which folder a source was decoded into.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from metakd.atomic import new_file, new_folder
from metakd.data.datasets.image_dataset import DatasetError, Decoded, ImageDataset, Source

HASH_LENGTH = 16


def open_cached(cache_dir: Path, fingerprint: str) -> ImageDataset:
    """Opens a dataset that was decoded before; its images are a read-only memory map.

    Raises:
        DatasetError: If the cache does not hold it.
    """
    folder = cache_dir / fingerprint
    if not folder.is_dir():
        raise DatasetError(f"dataset {fingerprint} is not in {cache_dir}: open it by name first")
    about = json.loads((folder / "dataset.json").read_text())
    test_ids = folder / "test_ids.npy"
    return ImageDataset(
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy"),
        class_names=tuple(about["class_names"]),
        test_ids=np.load(test_ids) if test_ids.exists() else None,
        name=about["name"],
        fingerprint=fingerprint,
    )


def open_source(cache_dir: Path, source: Source) -> ImageDataset:
    """Opens a dataset from the cache, after decoding it if this source was not decoded yet."""
    pointer = cache_dir / "sources" / f"{_hash(source.key.encode())}.json"
    fingerprint = json.loads(pointer.read_text())["fingerprint"] if pointer.exists() else None
    if fingerprint is None or not (cache_dir / fingerprint).is_dir():
        fingerprint = _store(cache_dir, source)
        with new_file(pointer) as draft:
            content = {"name": source.name, "key": source.key, "fingerprint": fingerprint}
            draft.write_text(json.dumps(content, indent=2))
    # The same content may have been stored first under the name of another source.
    return replace(open_cached(cache_dir, fingerprint), name=source.name)


def _store(cache_dir: Path, source: Source) -> str:
    content = source.decode()
    fingerprint = _fingerprint(content)
    if not (cache_dir / fingerprint).is_dir():
        with new_folder(cache_dir / fingerprint) as draft:
            np.save(draft / "images.npy", content.images)
            np.save(draft / "labels.npy", content.labels)
            if content.test_ids is not None:
                np.save(draft / "test_ids.npy", content.test_ids)
            about = {"name": source.name, "class_names": content.class_names}
            (draft / "dataset.json").write_text(json.dumps(about, indent=2))
    return fingerprint


def _fingerprint(content: Decoded) -> str:
    about = json.dumps([content.images.shape, content.class_names])
    arrays = [content.images, content.labels]
    if content.test_ids is not None:
        arrays.append(content.test_ids)
    return _hash(about.encode(), *(np.ascontiguousarray(array).data for array in arrays))


def _hash(*parts: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:HASH_LENGTH]
