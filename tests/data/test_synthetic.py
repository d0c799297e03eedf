from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from metakd.data.catalogue import DatasetError
from metakd.data.datasets import DecodedDataset, open_dataset, synthetic


def open_synthetic(argument: str, cache_dir: Path) -> DecodedDataset:
    dataset = open_dataset(f"synthetic:{argument}", cache_dir)
    assert isinstance(dataset, DecodedDataset)
    return dataset


def test_the_options_decide_the_shape(tmp_path: Path) -> None:
    made = open_synthetic("samples=23,classes=5,size=9,channels=2", tmp_path)
    assert made.images.shape == (23, 2, 9, 9)
    assert made.images.dtype == np.uint8
    assert isinstance(made.images, np.memmap)
    assert made.labels.tolist() == [i % 5 for i in range(23)]
    assert made.class_names == ("0", "1", "2", "3", "4")
    assert made.test_ids is None
    assert made.name == "synthetic:samples=23,classes=5,size=9,channels=2"


def test_the_name_alone_has_the_size_of_cifar() -> None:
    content = synthetic.Synthetic().decode()
    assert content.image_shape == (3, 32, 32)
    assert len(content.labels) == 50_000
    assert len(content.class_names) == 10


def test_the_options_decide_every_byte_and_the_chunks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "samples=50,size=8"
    once = open_synthetic(options, tmp_path / "one")
    monkeypatch.setattr(synthetic, "PIXELS_AT_ONCE", 7 * 3 * 64)
    in_chunks = open_synthetic(options, tmp_path / "two")
    assert once.fingerprint == in_chunks.fingerprint
    assert np.array_equal(once.images, in_chunks.images)
    assert open_synthetic(f"{options},seed=1", tmp_path / "one").fingerprint != once.fingerprint
    fewer = open_synthetic("samples=20,size=8", tmp_path / "one")
    assert np.array_equal(fewer.images, once.images[:20])


def test_one_chunk_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "PIXELS_AT_ONCE", 1)
    sizes = [len(chunk) for chunk in synthetic.Synthetic(samples=6, size=4).decode().chunks]
    assert sizes == [1] * 6


def test_a_small_network_learns_it(tmp_path: Path) -> None:
    made = open_synthetic("samples=600,size=12,channels=1", tmp_path)
    images = made.pixels(np.arange(600)).float() / 255 - 0.5
    labels = torch.from_numpy(made.labels)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images[:400]), labels[:400]).backward()
        optimiser.step()
    hits = model(images[400:]).argmax(1) == labels[400:]
    assert hits.float().mean() > 0.9


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("sample=3", "no option 'sample=3', its options are: samples=NUMBER, classes=NUMBER"),
        ("samples", "samples must be a whole number, got ''"),
        ("size=big", "size must be a whole number, got 'big'"),
        ("seed=-1", "seed must be a whole number, got '-1'"),
        ("size=0", "size and channels must be at least 1, got 0 and 3"),
        ("channels=0", "size and channels must be at least 1, got 32 and 0"),
        ("classes=1", "classes must be at least 2.*classes=1"),
        ("samples=4", "at most the number of samples, got classes=10 and samples=4"),
        ("samples=4,,", "no option ''"),
    ],
)
def test_bad_options_are_explained(tmp_path: Path, argument: str, message: str) -> None:
    with pytest.raises(DatasetError, match=f"synthetic.*{message}") as caught:
        open_synthetic(argument, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_set_that_the_disk_does_not_hold_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"takes 732.4 GiB decoded, but .* GiB free"):
        open_dataset("synthetic:samples=1000000,size=512", tmp_path)
    assert list(tmp_path.rglob("images.npy")) == []
