"""Datasets of the Hugging Face Hub, in the layouts in which its libraries keep them: no network."""

import shutil
from pathlib import Path

import datasets
import huggingface_hub.constants
import numpy as np
import pytest
from made_up_pictures import encode, pictures, write_parquet

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets import DecodedDataset, open_dataset
from metakd.extras import MissingPackageError

NAMES = ["rose", "tulip"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of this test alone, and no network; returns where they are."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return use_home(tmp_path / "home", monkeypatch)


def use_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home / "datasets")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(home / "hub"))
    return home


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A folder as a repository of the Hub has it."""
    root = tmp_path / "repository" / "flowers"
    for split, count in (("train", 6), ("validation", 3), ("test", 4)):
        file = root / "data" / f"{split}-00000-of-00001.parquet"
        write_parquet(file, pictures(count, seed=count), [0, 1, 0, 1, 1, 0][:count], names=NAMES)
    return root


def as_prepared(root: Path, home: Path, name: str) -> None:
    """Puts a dataset into the cache as the library prepares it when the Hub is reached."""
    datasets.disable_progress_bars()
    datasets.load_dataset(str(root))
    (home / "datasets" / root.name).rename(home / "datasets" / name.replace("/", "___"))


def as_snapshot(root: Path, home: Path, name: str) -> None:
    """Puts a repository into the cache as the Hub's own command downloads it."""
    place = home / "hub" / f"datasets--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("5" * 40)
    shutil.copytree(root, place / "snapshots" / ("5" * 40))


def opened(name: str, home: Path, options: DatasetOptions | None = None) -> DecodedDataset:
    found = open_dataset(name, home.parent / "cache", options or DatasetOptions())
    assert isinstance(found, DecodedDataset)
    return found


def test_a_folder_is_read_with_its_official_test_split(flowers: Path, home: Path) -> None:
    found = opened(f"hf:{flowers}", home)
    assert found.name == "hf:flowers"
    assert found.class_names == ("rose", "tulip")
    assert found.test_ids is not None
    assert found.test_ids.tolist() == [9, 10, 11, 12]
    expected = np.stack([*pictures(6, 6), *pictures(3, 3), *pictures(4, 4)])
    assert np.array_equal(found.images, expected.transpose(0, 3, 1, 2))
    assert found.labels.tolist() == [0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1]
    assert found.notes == ("the validation split, 3 samples, is part of the training pool",)


@pytest.mark.parametrize("put", [as_prepared, as_snapshot])
def test_without_the_hub_the_cache_serves(
    flowers: Path, home: Path, put: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same content is the same dataset, wherever the cache lies."""
    assert callable(put)
    put(flowers, home, "garden/flowers")
    found = opened("hf:garden/flowers", home)
    assert found.name == "hf:garden/flowers"
    assert found.test_ids is not None
    assert any("Hub was not reached" in note for note in found.notes) == (put is as_snapshot)
    elsewhere = use_home(tmp_path / "elsewhere", monkeypatch)
    put(flowers, elsewhere, "garden/flowers")
    again = open_dataset("hf:garden/flowers", tmp_path / "other cache")
    assert (again.name, again.fingerprint) == (found.name, found.fingerprint)
    write_parquet(flowers / "data" / "train-00000-of-00001.parquet", pictures(4), [0, 1, 0, 1])
    for split in ("validation", "test"):
        file = flowers / "data" / f"{split}-00000-of-00001.parquet"
        write_parquet(file, pictures(2, 9), [0, 1])
    third = use_home(tmp_path / "third", monkeypatch)
    put(flowers, third, "garden/flowers")
    assert opened("hf:garden/flowers", home).fingerprint != found.fingerprint


def test_one_split_alone_has_no_official_test_set(flowers: Path, home: Path) -> None:
    train = opened(f"hf:{flowers},split=train", home)
    assert (train.name, len(train.labels), train.test_ids) == ("hf:flowers,split=train", 6, None)
    part = opened(f"hf:{flowers},split=train[:4]", home)
    assert np.array_equal(part.images, train.images[:4])
    both = opened(f"hf:{flowers},split=train+test", home)
    assert (len(both.labels), both.test_ids) == (10, None)
    tested = opened(f"hf:{flowers},split=test", home)
    assert tested.notes == ("there is nothing but a test split: a test set is drawn from it",)


def test_files_of_images_are_read_and_become_squares(home: Path, tmp_path: Path) -> None:
    """The library keeps them by their paths alone."""
    root = tmp_path / "pets"
    shapes = [(40, 30, 3), (30, 40, 3), (30, 30), (35, 30, 4)]
    for split in ("train", "validation"):
        for number, shape in enumerate(shapes):
            file = root / split / ("cat", "dog")[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(pictures(1, number, shape)[0]))
    with pytest.raises(DatasetError, match=r"hf:pets: pictures have sizes from 30×30 .* ,size=32"):
        opened(f"hf:{root}", home)
    found = opened(f"hf:{root},size=32", home)
    assert found.image_shape == (3, 32, 32)
    assert found.class_names == ("cat", "dog")
    assert found.test_ids is not None
    assert len(found.test_ids) == 4
    (root / "train" / "cat" / "0.png").write_bytes(b"none")
    with pytest.raises(DatasetError, match=r"hf:pets, train, row 0: the image cannot be decoded"):
        opened(f"hf:{root},size=16", home)
    skip = DatasetOptions(corrupt_images="skip")
    assert opened(f"hf:{root},size=16", home, skip).skipped == 1


def test_strings_and_other_columns_are_read(home: Path, tmp_path: Path) -> None:
    rows = {"photo": [{"bytes": encode(p), "path": None} for p in pictures(4)],
            "kind": ["owl", "cat", "owl", "cat"]}  # fmt: skip
    root = tmp_path / "birds"
    root.mkdir()
    features = datasets.Features({"photo": datasets.Image(), "kind": datasets.Value("string")})
    datasets.Dataset.from_dict(rows, features).to_parquet(root / "some.parquet")
    options = DatasetOptions(image_column="photo", label_column="kind")
    found = opened(f"hf:{root}", home, options)
    assert found.class_names == ("cat", "owl")
    assert found.labels.tolist() == [1, 0, 1, 0]
    with pytest.raises(
        DatasetError, match=r"hf:birds, train has no column img or image: its columns are photo, k"
    ):
        opened(f"hf:{root}", home)


def test_hidden_labels_of_a_test_split_make_validation_the_test_set(
    home: Path, flowers: Path
) -> None:
    file = flowers / "data" / "test-00000-of-00001.parquet"
    write_parquet(file, pictures(4), [-1] * 4, names=NAMES)
    found = opened(f"hf:{flowers}", home)
    assert found.test_ids is not None
    assert found.test_ids.tolist() == [6, 7, 8]
    assert "left out: 4 test samples, whose labels are hidden" in found.notes


def configured(root: Path, *splits: str) -> Path:
    """Returns a folder whose card names configurations, each with the same splits."""
    lines = ["---", "configs:"]
    for config in ("small", "large"):
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in splits:
            file = f"{config}-{split}.parquet"
            write_parquet(root / file, pictures(4, len(split) + ord(config[0])), [0, 1, 0, 1])
            lines += [f"  - split: {split}", f"    path: {file}"]
    (root / "README.md").write_text("\n".join([*lines, "---", "A card."]))
    return root


def test_a_configuration_is_named_after_a_comma(home: Path, tmp_path: Path) -> None:
    root = configured(tmp_path / "trees", "train", "valid", "extra")
    small, large = (opened(f"hf:{root},{config}", home) for config in ("small", "large"))
    assert (small.name, large.name) == ("hf:trees,small", "hf:trees,large")
    assert small.fingerprint != large.fingerprint
    assert small.test_ids is not None
    assert small.test_ids.tolist() == [4, 5, 6, 7]
    assert any("left out: 4 samples of the split extra" in note for note in small.notes)
    assert len(opened(f"hf:{root},small,split=extra", home).labels) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", r"Please pick one among the available configs: \['small', 'large'\]; it is written"),
        (",medium", r"'medium' not found. Available: \['small', 'large'\]; it is written hf:NAME"),
        (",small,split=dev", r'Unknown split "dev". Should be one of \[.*\]; it is written hf:'),
        (",small,split=extra[:x]", "Unrecognized instruction format"),
        (",small", "has the splits extra, full, and none is called train: .* by ,split=extra, say"),
        (",small,split=", "needs the name of a dataset"),
        (",small,side=3", "hf has no option 'side=3': it is written hf:NAME"),
        (",small,size=0", "hf: size must be at least 1, got 0"),
    ],
)
def test_what_a_folder_does_not_have_is_one_line(
    home: Path, tmp_path: Path, words: str, said: str
) -> None:
    root = configured(tmp_path / "trees", "extra", "full")
    with pytest.raises(DatasetError, match=said) as caught:
        opened(f"hf:{root}{words}", home)
    assert "\n" not in str(caught.value)
    assert "Example" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:", "needs the name of a dataset: it is written hf:NAME"),
        ("hf:imagefolder", "names a loader of the library and no dataset"),
        ("hf:garden/none", "not in the cache below HF_HOME either: load it once where the Hub is"),
        ("hf:a/b/c/d", "hf:a/b/c/d cannot be loaded: Couldn't find any data file"),
        ("hf:../none here", "cannot be loaded"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_line(home: Path, name: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        opened(name, home)
    assert "\n" not in str(caught.value)


def test_a_card_without_data_is_no_snapshot(home: Path, tmp_path: Path) -> None:
    """The library itself leaves one when the Hub goes away under it."""
    root = tmp_path / "card"
    root.mkdir()
    (root / "README.md").write_text("A card.")
    as_snapshot(root, home, "garden/weeds")
    with pytest.raises(DatasetError, match="Couldn't reach 'garden/weeds' on the Hub"):
        opened("hf:garden/weeds", home)


def test_without_the_library_the_extra_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metakd.extras.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"needs datasets: .*'metakd\[hf\]'"):
        opened("hf:garden/flowers", home)
