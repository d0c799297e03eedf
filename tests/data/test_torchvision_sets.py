import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets as torchvision_sets

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets import DecodedDataset, open_dataset

RANDOM = np.random.default_rng(0)


class OldPickler(pickle.Pickler):
    """Writes dtypes as numpy did when the CIFAR files were made."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.dtype):
            return np.dtype, ("u1", 0, 1), (3, "|", None, None, None, -1, -1, 0)
        return NotImplemented


def pickled(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    OldPickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()


def open_set(name: str, tmp_path: Path) -> DecodedDataset:
    dataset = open_dataset(name, tmp_path / "cache", DatasetOptions(data_dir=tmp_path / "data"))
    assert isinstance(dataset, DecodedDataset)
    return dataset


def cifar_files(
    parts: list[str], label_key: str, meta: str, names_key: str
) -> tuple[dict[str, bytes], np.ndarray]:
    """Files as CIFAR has them, four rows each, and all their rows."""
    rows = RANDOM.integers(0, 256, (4 * len(parts), 3072), dtype=np.uint8)
    files = {
        part: pickled({"data": rows[4 * i : 4 * i + 4], label_key: [0, 1, 2, i % 3]})
        for i, part in enumerate(parts)
    }
    files[meta] = pickled({names_key: ["ant", "bee", "cat"]})
    return files, rows.reshape(-1, 3, 32, 32)


CIFAR = {
    "cifar10": (
        torchvision_sets.CIFAR10,
        [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"],
        ("labels", "batches.meta", "label_names"),
    ),
    "cifar100": (
        torchvision_sets.CIFAR100,
        ["train", "test"],
        ("fine_labels", "meta", "fine_label_names"),
    ),
}


def expect(monkeypatch: pytest.MonkeyPatch, cifar: Any, files: dict[str, bytes]) -> None:
    """Makes torchvision expect the checksums of these files."""
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in files.items()}
    for attribute in ("train_list", "test_list"):
        sums = [[name, md5[name]] for name, _ in getattr(cifar, attribute)]
        monkeypatch.setattr(cifar, attribute, sums)
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5[cifar.meta["filename"]]})


@pytest.mark.parametrize("form", ["extracted", "archive"])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_from_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, form: str
) -> None:
    cifar, parts, keys = CIFAR[name]
    files, images = cifar_files(parts, *keys)
    expect(monkeypatch, cifar, files)
    folder = tmp_path / "data" / cifar.base_folder
    folder.mkdir(parents=True)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    if form == "archive":
        archive = tmp_path / "data" / cifar.filename
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, arcname=cifar.base_folder)
        for file in files:
            (folder / file).unlink()
        monkeypatch.setattr(cifar, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())

    dataset = open_set(name, tmp_path)
    assert dataset.name == name
    assert np.array_equal(dataset.images, images)
    assert dataset.class_names == ("ant", "bee", "cat")
    assert dataset.labels.tolist() == [x for i in range(len(parts)) for x in (0, 1, 2, i % 3)]
    assert dataset.labels.dtype == np.int64
    assert dataset.test_ids is not None
    assert dataset.test_ids.tolist() == list(range(len(images) - 4, len(images)))


@pytest.mark.parametrize("form", ["extracted", "archive"])
def test_fashion_mnist_is_read_from_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    images = RANDOM.integers(0, 256, (9, 28, 28), dtype=np.uint8)
    labels = np.array([0, 9, 3, 4, 5, 6, 7, 8, 1], dtype=np.uint8)
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    sums = []
    for split, rows in [("train", slice(0, 6)), ("t10k", slice(6, 9))]:
        for kind, magic, array in [("images-idx3", 2051, images), ("labels-idx1", 2049, labels)]:
            part = array[rows]
            data = struct.pack(f">{1 + part.ndim}i", magic, *part.shape) + part.tobytes()
            file = folder / f"{split}-{kind}-ubyte"
            if form == "archive":
                packed = gzip.compress(data)
                file.with_name(f"{file.name}.gz").write_bytes(packed)
                sums.append((f"{file.name}.gz", hashlib.md5(packed).hexdigest()))
            else:
                file.write_bytes(data)
    if form == "archive":
        monkeypatch.setattr(torchvision_sets.FashionMNIST, "resources", sums)

    fashion = open_set("fashion_mnist", tmp_path)
    assert np.array_equal(fashion.images[:, 0], images)
    assert fashion.image_shape == (1, 28, 28)
    assert fashion.labels.tolist() == labels.tolist()
    assert fashion.class_names[-1] == "Ankle boot"
    assert fashion.test_ids is not None
    assert fashion.test_ids.tolist() == [6, 7, 8]


@pytest.mark.parametrize(
    ("name", "torchvision_name", "files"),
    [
        ("cifar10", "CIFAR10", "cifar-10-python.tar.gz"),
        ("cifar100", "CIFAR100", "cifar-100-python.tar.gz"),
        ("fashion_mnist", "FashionMNIST", r"FashionMNIST/raw/\*-ubyte\.gz"),
    ],
)
def test_a_failed_download_is_one_clear_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    torchvision_name: str,
    files: str,
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Tried mirror, got:\nno route\n")

    monkeypatch.setattr(torchvision_sets, torchvision_name, fail)
    message = rf"could not be downloaded \(Tried mirror, got: no route\): put {files} there"
    with pytest.raises(DatasetError, match=message):
        open_set(name, tmp_path)
    with pytest.raises(DatasetError, match=f"{name} needs a folder.*give a data directory"):
        open_dataset(name, tmp_path / "cache")
    with pytest.raises(DatasetError, match=f"{name} has no option 'small'"):
        open_set(f"{name}:small", tmp_path)
