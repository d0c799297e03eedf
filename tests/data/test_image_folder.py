import hashlib
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from metakd.data.catalogue import DatasetError
from metakd.data.datasets import FolderDataset, channel_statistics, open_cached, open_dataset

SIZE = 24
VIEWS = "strong", 3


def write_image(file: Path, seed: int = 0, shape: tuple[int, ...] = (40, 52, 3)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, *shape[2:]), dtype=np.uint8)
    Image.fromarray(small).resize((shape[1], shape[0])).save(file)


def open_folder(path: Path, cache_dir: Path, size: int = SIZE) -> FolderDataset:
    dataset = open_dataset(f"imagefolder:{path},size={size}", cache_dir)
    assert isinstance(dataset, FolderDataset)
    return dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder pets with files as people have them."""
    root = Path(tmp_path_factory.mktemp("folder")) / "pets"
    write_image(root / "train" / "dog" / "b.png", 0)
    write_image(root / "train" / "dog" / "a.JPG", 1)
    write_image(root / "train" / "cat" / "more" / "c.jpeg", 2, (30, 90, 3))
    write_image(root / "train" / "cat" / "grey.png", 3, (50, 50))
    write_image(root / "train" / "cat" / "see-through.webp", 4, (33, 33, 4))
    write_image(root / "val" / "dog" / "d.bmp", 5)
    write_image(root / "val" / "cat" / "e.ppm", 6, (300, 20, 3))
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    (root / "train" / "cat" / "._grey.png").write_bytes(b"left by macOS")
    (root / "train" / ".cache").mkdir()
    return root


@pytest.fixture(scope="module")
def pets(place: Path) -> FolderDataset:
    return open_folder(place, place.parent / "cache")


def test_the_folders_are_the_classes_and_val_is_the_test_set(pets: FolderDataset) -> None:
    assert [os.fsdecode(name) for name in pets.files] == [
        "train/cat/grey.png",
        "train/cat/more/c.jpeg",
        "train/cat/see-through.webp",
        "train/dog/a.JPG",
        "train/dog/b.png",
        "val/cat/e.ppm",
        "val/dog/d.bmp",
    ]
    assert pets.class_names == ("cat", "dog")
    assert pets.labels.tolist() == [0, 0, 0, 1, 1, 0, 1]
    assert pets.test_ids is not None
    assert pets.test_ids.tolist() == [5, 6]
    assert (pets.name, pets.skipped, pets.is_decoded) == ("imagefolder:pets", 0, False)
    assert pets.image_shape == (3, SIZE, SIZE)


def test_without_options_images_have_224_pixels_a_side(place: Path, tmp_path: Path) -> None:
    dataset = open_dataset(f"imagefolder:{place}", tmp_path)
    assert dataset.image_shape == (3, 224, 224)
    assert dataset.pixels(np.array([0])).shape == (1, 3, 224, 224)


@pytest.mark.parametrize("test_folder", ["validation", "test"])
def test_the_test_set_may_have_other_names(tmp_path: Path, test_folder: str) -> None:
    write_image(tmp_path / "set" / "train" / "a" / "0.png")
    write_image(tmp_path / "set" / test_folder / "a" / "0.png")
    dataset = open_folder(tmp_path / "set", tmp_path / "cache")
    assert dataset.test_ids is not None
    assert dataset.test_ids.tolist() == [1]


def test_class_folders_alone_have_no_official_test_set(tmp_path: Path) -> None:
    # A comma belongs to the path, and an equals sign before the last slash as well.
    root = tmp_path / "a=1,b=2" / "red, green"
    write_image(root / "x" / "0.png")
    write_image(root / "y" / "0.png")
    dataset = open_folder(root, tmp_path / "cache")
    assert dataset.test_ids is None
    assert dataset.labels.tolist() == [0, 1]


def test_pixels_are_resized_and_cropped_in_the_centre(pets: FolderDataset) -> None:
    pixels = pets.pixels(np.array([6, 0]))
    assert pixels.dtype == torch.uint8
    with Image.open(pets.root / "val" / "dog" / "d.bmp") as image:
        short_side = int(SIZE / 0.875)
        resized = image.resize((short_side * 52 // 40, short_side), Image.Resampling.BICUBIC)
    left, top = round((resized.width - SIZE) / 2), round((resized.height - SIZE) / 2)
    cropped = resized.crop((left, top, left + SIZE, top + SIZE))
    assert np.array_equal(pixels[0].numpy(), np.asarray(cropped).transpose(2, 0, 1))
    # Grey becomes three equal channels.
    assert torch.equal(pixels[1, 0], pixels[1, 2])


def test_recipes_do_what_their_names_say(pets: FolderDataset) -> None:
    ids, numbers = torch.full((40,), 6), torch.arange(40)
    plain = pets.views(ids, numbers, "none", 0)
    assert torch.equal(plain, pets.pixels(ids.numpy()))
    standard, strong = (pets.views(ids, numbers, recipe, 0) for recipe in ("standard", "strong"))
    for views in (standard, strong):
        assert views.shape == (40, 3, SIZE, SIZE)
        assert views.dtype == torch.uint8
        assert len({view.numpy().tobytes() for view in views}) == 40

    def black(views: Tensor) -> int:
        return int((views == 0).all(1).flatten(1).sum(1).gt(10).sum())

    assert black(standard) == 0
    assert 3 <= black(strong) <= 25


requests = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 10**6)), min_size=1, max_size=6)


@given(requests, st.sampled_from(["none", "standard", "strong"]), st.integers(0, 2**62), st.data())
@settings(max_examples=25, deadline=None)
def test_a_view_does_not_depend_on_order_or_batch(
    pets: FolderDataset,
    wanted: list[tuple[int, int]],
    recipe: str,
    seed: int,
    data: st.DataObject,
) -> None:
    ids, numbers = torch.tensor(wanted).T
    together = pets.views(ids, numbers, recipe, seed)
    for row in data.draw(st.permutations(range(len(wanted)))):
        alone = pets.views(ids[row : row + 1], numbers[row : row + 1], recipe, seed)
        assert torch.equal(alone[0], together[row])


def test_a_view_does_not_depend_on_other_threads(pets: FolderDataset) -> None:
    ids = torch.arange(7).repeat(4)
    numbers = torch.arange(28)
    together = pets.views(ids, numbers, *VIEWS)
    with ThreadPoolExecutor(8) as pool:
        alone = list(
            pool.map(lambda i: pets.views(ids[i : i + 1], numbers[i : i + 1], *VIEWS), range(28))
        )
    assert torch.equal(torch.cat(alone), together)


def test_another_process_makes_the_same_views(pets: FolderDataset, place: Path) -> None:
    script = f"""
import hashlib, torch
from pathlib import Path
from metakd.data.datasets import open_cached
pets = open_cached(Path({str(place.parent / "cache")!r}), {pets.fingerprint!r})
views = pets.views(torch.arange(7), torch.arange(7), {VIEWS[0]!r}, {VIEWS[1]})
print(hashlib.sha256(views.numpy().tobytes()).hexdigest())
"""
    there = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    here = pets.views(torch.arange(7), torch.arange(7), *VIEWS).numpy().tobytes()
    assert there.stdout.strip() == hashlib.sha256(here).hexdigest()


def test_the_callers_random_states_are_left_alone(pets: FolderDataset) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(1))

    def seed_all() -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)

    seed_all()
    undisturbed = draw()
    seed_all()
    first = pets.views(torch.arange(7), torch.arange(7), *VIEWS)
    assert draw() == undisturbed
    # Neither does the caller's state reach the views.
    assert torch.equal(pets.views(torch.arange(7), torch.arange(7), *VIEWS), first)


def test_the_random_states_are_left_alone_by_a_failure_too(tmp_path: Path) -> None:
    write_image(tmp_path / "set" / "a" / "0.png")
    write_image(tmp_path / "set" / "a" / "1.png")
    dataset = open_folder(tmp_path / "set", tmp_path / "cache")
    (tmp_path / "set" / "a" / "1.png").write_bytes(b"junk")
    torch.manual_seed(1)
    undisturbed = torch.rand(1)
    torch.manual_seed(1)
    for prepare in (
        lambda: dataset.views(torch.tensor([0, 1]), torch.tensor([0, 0]), "strong", 0),
        lambda: dataset.pixels(np.array([0, 1])),
    ):
        with pytest.raises(DatasetError, match=r"1\.png cannot be decoded: cannot identify"):
            prepare()
    assert torch.rand(1) == undisturbed


def test_no_samples_are_no_problem(pets: FolderDataset) -> None:
    none = torch.empty(0, dtype=torch.int64)
    assert pets.pixels(none.numpy()).shape == (0, 3, SIZE, SIZE)
    assert pets.views(none, none, *VIEWS).shape == (0, 3, SIZE, SIZE)


def test_the_statistics_are_those_of_imagenet(pets: FolderDataset) -> None:
    mean, std = channel_statistics(pets, np.array([0, 1]))
    assert mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert std.tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert mean.dtype == std.dtype == np.float32


def test_the_index_is_cached_and_follows_the_folder(tmp_path: Path) -> None:
    root, cache = tmp_path / "set", tmp_path / "cache"
    write_image(root / "a" / "0.png")
    first = open_folder(root, cache)
    stored = {path.name for path in (cache / first.fingerprint).iterdir()}
    assert stored == {"files.npy", "labels.npy", "dataset.json", "contents.npy"}
    again = open_cached(cache, first.fingerprint)
    assert torch.equal(again.pixels(np.array([0])), first.pixels(np.array([0])))

    root.rename(tmp_path / "moved")
    with pytest.raises(DatasetError, match="which is gone"):
        open_cached(cache, first.fingerprint)
    moved = open_folder(tmp_path / "moved", cache)
    assert moved.fingerprint == first.fingerprint
    assert open_cached(cache, first.fingerprint).name == "imagefolder:moved"

    assert open_folder(tmp_path / "moved", cache, size=16).fingerprint != first.fingerprint
    write_image(tmp_path / "moved" / "a" / "1.png")
    assert open_folder(tmp_path / "moved", cache).fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "there are no images in .*set, expected files that end in .jpg"),
        (["a/notes.txt"], "there are no images in .*set, expected"),
        (["0.png"], "0.png lies in no class folder, expected .*set/<class>/0.png"),
        (["train/0.png"], "0.png lies in no class folder, expected .*train/<class>/0.png"),
        (["train/a/0.png", "val/0.png"], "0.png lies in no class folder, expected .*val/<class>"),
        (["a/0.png", "b/notes.txt"], "no images in .*set/b, expected"),
        (["train/a/0.png", "val/notes.txt"], "no images in .*set/val, expected"),
        (["train/a/0.png", "val/b/0.png"], "set/val has the class b that .*train does not have"),
    ],
)
def test_a_folder_laid_out_otherwise_is_explained(
    tmp_path: Path, files: list[str], message: str
) -> None:
    (tmp_path / "set").mkdir()
    for name in files:
        file = tmp_path / "set" / name
        if name.endswith("png"):
            write_image(file)
        else:
            file.parent.mkdir(parents=True)
            file.touch()
    with pytest.raises(DatasetError, match=message) as caught:
        open_folder(tmp_path / "set", tmp_path / "cache")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "imagefolder needs a path"),
        ("nowhere", "there is no folder nowhere"),
        (".,size=0", "size must be at least 1, got 0"),
        (".,size=wide", "size must be a whole number, got 'wide'"),
        (".,width=8", "no option 'width=8', its options are: size=NUMBER"),
    ],
)
def test_a_bad_argument_is_explained(tmp_path: Path, argument: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        open_dataset(f"imagefolder:{argument}", tmp_path)
