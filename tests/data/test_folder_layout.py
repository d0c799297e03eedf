"""Which folders of images are splits and which are classes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets import FolderDataset, open_dataset
from metakd.data.datasets.folder_layout import read_layout

ROOT = Path("/train/pets")


def layout_of(*images: str) -> tuple[tuple[str, ...], list[str], list[str]]:
    """Returns classes, test images, notes."""
    folders = {str(above) for image in images for above in Path(image).parents} - {"."}
    found = read_layout(ROOT, images, folders)
    assert len(found.training) + len(found.test) <= len(images)
    return found.class_names, [placed.name for placed in found.test], found.notes


@pytest.mark.parametrize(
    ("images", "classes", "test"),
    [
        (("a/0.png", "b/0.png"), ("a", "b"), []),
        (("Train/a/0.png", "Train/b/0.png", "Test/a/0.png"), ("a", "b"), ["Test/a/0.png"]),
        (("training/a/0.png", "valid/a/1.png"), ("a",), ["valid/a/1.png"]),
        (("train/a/0.png", "val/a/1.png", "test/a/2.png"), ("a",), ["test/a/2.png"]),
        # A folder around all, and one that is there twice, as archives are unpacked.
        (("data/train/a/0.png", "data/dev/a/1.png"), ("a",), ["data/dev/a/1.png"]),
        (
            ("seg_train/seg_train/a/0.png", "seg_test/seg_test/a/1.png"),
            ("a",),
            ["seg_test/seg_test/a/1.png"],
        ),
        # A class may be called test where a split stands above it.
        (
            ("train/car/0.png", "train/test/0.png", "test/test/1.png"),
            ("car", "test"),
            ["test/test/1.png"],
        ),
        (("latest/0.png", "contest/0.png"), ("contest", "latest"), []),
        # ImageNet's own test images have no labels.
        (("train/a/0.png", "val/a/1.png", "test/2.png"), ("a",), ["val/a/1.png"]),
    ],
)
def test_splits_and_classes_are_told_apart(
    images: tuple[str, ...], classes: tuple[str, ...], test: list[str]
) -> None:
    assert layout_of(*images)[:2] == (classes, test)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (("a/train/0.png", "a/test/0.png", "b/train/0.png"), r"a/test is a split below a: .*move"),
        (("train/a/0.png", "train/a/test/0.png"), "train/a/test is a split below train/a"),
        (("bus/0.png", "train/0.png"), "holds splits, train .train., and other .*, bus: .*move th"),
        (("valid/0.png", "invalid/0.png"), "other folders of images, invalid"),
        (("train/a/0.png", "test/a/0.png", "extra/a/0.png"), "other folders of images, extra"),
        (
            ("train/a/0.png", "test/a/0.png", "eval/a/0.png"),
            "2 candidates .*: eval, test: move",
        ),
        (("trainset/a/0.png", "testset/a/0.png"), "testset looks like a split that is not known"),
        (
            ("train/train/0.png", "train/test/0.png"),
            "train is a split that holds splits, test, t",
        ),
        (("train-test/0.png", "a/0.png"), "train-test names two splits"),
        (("train/a/0.png", "val/images/0.png", "test/0.png"), "has the class images that train do"),
        (("train/a/0.png", "val/0.png"), "val/0.png lies in no class folder"),
    ],
)
def test_a_layout_that_is_not_clear_is_refused(images: tuple[str, ...], message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        layout_of(*images)
    assert "\n" not in str(caught.value)


def test_the_use_of_splits_is_said() -> None:
    three = layout_of("train/a/0.png", "val/a/1.png", "test/a/2.png")[2]
    assert three == ["the validation split, 1 samples, is part of the training pool"]
    hidden = layout_of("train/a/0.png", "val/a/1.png", "test/2.png")[2]
    assert hidden == [
        "left out: 1 images in test, which are in no class folder",
        "the validation split is the test set, there is no test split",
    ]


SPLITS = {
    "Train": "train",
    "training": "train",
    "TEST": "test",
    "evaluation": "test",
    "valid": "validation",
    "dev": "validation",
}
folders = st.lists(
    st.sampled_from([*SPLITS, "cats", "latest", "trainer"]), min_size=1, max_size=4, unique=True
)


@given(folders)
@settings(max_examples=300, deadline=None)
def test_folders_of_splits_are_never_classes(names: list[str]) -> None:
    images = [f"{name}/{kind}/0.png" for name in names for kind in ("x", "y")]
    said = [SPLITS.get(name) for name in names]
    tests = [n for n, split in zip(names, said, strict=True) if split == "test"]
    tests = tests or [n for n, split in zip(names, said, strict=True) if split == "validation"]
    only_one = len(set(said)) == 1
    try:
        classes, test, _ = layout_of(*images)
    except DatasetError:
        assert (None in said and any(said)) or (len(tests) > 1 and not only_one)
        return
    if not any(said):
        # One folder around all is stepped into.
        assert classes == (("x", "y") if len(names) == 1 else tuple(sorted(names)))
        assert test == []
    else:
        assert None not in said
        assert classes == ("x", "y")
        assert test == ([] if only_one else [f"{tests[0]}/{kind}/0.png" for kind in "xy"])


def write(file: Path, grey: int = 0, mode: str = "RGB") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (8, 8), grey if mode != "RGB" else (grey,) * 3).save(file)


def opened(root: Path, corrupt: str = "fail") -> FolderDataset:
    options = DatasetOptions(corrupt_images=corrupt)  # type: ignore[arg-type]
    dataset = open_dataset(f"imagefolder:{root},size=8", root.parent / "cache", options)
    assert isinstance(dataset, FolderDataset)
    return dataset


def test_what_people_have_in_folders_is_left_out_and_said(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in ("x", "y"):
        write(root / name / "0.png")
    for hidden in (".git", "__MACOSX", "x/.ipynb_checkpoints"):
        write(root / hidden / "0.png")
    (root / "x" / "._0.png").touch()
    (root / "x" / "a.svg").touch()
    (root / "x" / "gone.png").symlink_to(root / "nowhere.png")
    (root / "x" / "loop").symlink_to(root)
    (root / "y" / "up").symlink_to(tmp_path)
    write(tmp_path / "elsewhere" / "1.png")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    (root / "y" / "more").symlink_to(tmp_path / "elsewhere")
    dataset = opened(root)
    assert dataset.files.tolist() == [b"x/0.png", b"y/0.png", b"y/more/1.png"]
    assert dataset.notes == (
        "left out: .svg (1), broken links (1), hidden (4), "
        "links to folders that are here anyway (3)",
    )


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "set" / "a" / "0.png")
    assert len(open_dataset("imagefolder:~/set,size=8", tmp_path / "cache").labels) == 1
    with pytest.raises(DatasetError, match="no such home folder"):
        open_dataset("imagefolder:~nobody-at-all/set", tmp_path / "cache")


def test_corrupt_files_are_refused_at_once_or_left_out(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for split in ("train", "test"):
        for name in "ab":
            write(root / split / name / "0.png")
    (root / "test" / "a" / "1.jpg").write_bytes(b"")
    whole = (root / "train" / "b" / "0.png").read_bytes()
    with pytest.raises(DatasetError, match=r"1\.jpg cannot be .*; 1 of 5 .*--corrupt-images skip"):
        opened(root)
    (root / "train" / "b" / "1.png").write_bytes(whole[: len(whole) // 2])
    dataset = opened(root, "skip")
    assert dataset.skipped == 2
    assert dataset.labels.tolist() == [0, 1, 0, 1]
    assert dataset.test_ids is not None
    assert dataset.test_ids.tolist() == [2, 3]


def test_files_of_more_than_eight_bits_are_scaled_by_the_set(tmp_path: Path) -> None:
    for kind, values in {"a": (0, 1000), "b": (2000, 4000)}.items():
        for number, value in enumerate(values):
            file = tmp_path / "set" / kind / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), value, dtype=np.uint16)).save(file)
    dataset = opened(tmp_path / "set")
    pixels = dataset.pixels(np.arange(4)).numpy()
    assert pixels[:, :, 4, 4].tolist() == [[v] * 3 for v in (0, 64, 128, 255)]
    assert any("4 images have more than 8 bits: 0 to 4000" in note for note in dataset.notes)


def test_the_same_file_in_training_and_test_is_known(tmp_path: Path) -> None:
    for number, name in enumerate(["train/a/0", "train/b/0", "test/a/0", "test/b/0"]):
        write(tmp_path / "set" / f"{name}.png", grey=40 * (number % 3))
    contents = opened(tmp_path / "set").contents
    assert contents is not None
    assert contents[0] == contents[3]
    assert len(set(contents.tolist())) == 3
