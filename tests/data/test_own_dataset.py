"""Datasets of a user's own: arrays as they have them, and one line for whatever is none."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from metakd.data.catalogue import DatasetError, require_known_dataset
from metakd.data.datasets import DecodedDataset, open_dataset

CODE = """
    import numpy as np
    import torch

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 8, 6)).astype(np.uint8)
    labels = np.arange(40) % 4

    def first():
        return images, labels

    def last():
        return images.transpose(0, 2, 3, 1), [f"class {label}" for label in labels]

    def grey():
        return images[:, 0], torch.tensor(labels)

    def tensors():
        return torch.tensor(images), torch.tensor(labels)

    def with_test():
        return images[:30], labels[:30], images[30:], labels[30:]

    def floats():
        return images / 255, labels

    def odd_channels():
        return images[:, :2], labels

    def fewer_labels():
        return images, labels[:30]

    def soft_labels():
        return images, np.eye(4)[labels]

    def other_test():
        return images[:30], labels[:30], images[30:, :, :4], labels[30:]

    def images_alone():
        return images

    def three():
        return images, labels, images

    def fails():
        raise FileNotFoundError("no\\nfile")

    value = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "mydata.py").write_text(dedent(CODE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("mydata", None)


def opened(name: str, here: Path) -> DecodedDataset:
    require_known_dataset(f"mydata:{name}")
    found = open_dataset(f"mydata:{name}", here / "cache")
    assert isinstance(found, DecodedDataset)
    assert found.name == f"mydata:{name}"
    return found


def expected() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 3, 8, 6)).astype(np.uint8)


@pytest.mark.parametrize("name", ["first", "last", "tensors", "with_test"])
def test_arrays_are_taken_as_they_are(here: Path, name: str) -> None:
    found = opened(name, here)
    assert found.image_shape == (3, 8, 6)
    assert np.array_equal(found.images, expected())
    assert found.labels.tolist() == [i % 4 for i in range(40)]
    names = ("class 0", "class 1", "class 2", "class 3") if name == "last" else tuple("0123")
    assert found.class_names == names
    test_ids = None if found.test_ids is None else found.test_ids.tolist()
    assert test_ids == (list(range(30, 40)) if name == "with_test" else None)


def test_grey_images_have_one_channel(here: Path) -> None:
    found = opened("grey", here)
    assert found.image_shape == (1, 8, 6)
    assert np.array_equal(found.images[:, 0], expected()[:, 0])


def test_the_same_content_is_the_same_dataset_and_other_content_another(here: Path) -> None:
    first, tensors = opened("first", here), opened("tensors", here)
    assert first.fingerprint == tensors.fingerprint
    code = dedent(CODE).replace("default_rng(0)", "default_rng(1)")
    (here / "mydata.py").write_text(code)
    del sys.modules["mydata"]
    assert opened("first", here).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "mydata has nothing called 'nothing'"),
        ("value", "must be a function, got int"),
        ("floats", r"must be uint8 of shape .*, got float64 of \(40, 3, 8, 6\)"),
        ("odd_channels", r"one or three channels, first or last, got \(40, 2, 8, 6\)"),
        ("fewer_labels", "has 40 images and 30 labels"),
        ("soft_labels", r"integers or strings of shape \(N,\), got float64 of \(40, 4\)"),
        ("other_test", r"images of \(3, 8, 6\) .*, and of \(3, 4, 6\) in its test set"),
        ("images_alone", r"must return \(images, labels\), .* got ndarray"),
        ("three", "got a tuple of 3: ndarray, ndarray, ndarray"),
        ("fails", "failed: FileNotFoundError: no file"),
    ],
)
def test_what_is_no_dataset_is_one_line(here: Path, name: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        opened(name, here)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere:load", "mydata:", "mnist"])
def test_an_unknown_name_is_refused_before_anything_is_imported(name: str) -> None:
    with pytest.raises(
        DatasetError, match=r"unknown dataset .* MODULE:FUNCTION is one of your own"
    ):
        require_known_dataset(name)
    assert "mydata" not in sys.modules
