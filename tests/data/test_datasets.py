import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from made_up_pictures import pictures, write_parquet

from metakd.data.augmentations import make_views
from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets import DecodedDataset, channel_statistics, open_cached
from metakd.data.datasets import open_dataset as open_any

CIFAR10 = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10"
CIFAR100 = CIFAR10.with_name("cifar100")


def open_dataset(
    name: str, cache_dir: Path, options: DatasetOptions | None = None
) -> DecodedDataset:
    dataset = open_any(name, cache_dir, options or DatasetOptions())
    assert isinstance(dataset, DecodedDataset)
    return dataset


def test_digits_are_whole_and_mapped(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.images.dtype == np.uint8
    assert digits.images.max() == 240
    assert np.all(digits.images % 15 == 0)
    assert digits.labels.dtype == np.int64
    assert digits.num_classes == 10
    assert digits.image_shape == (1, 8, 8)
    assert digits.test_ids is None
    assert isinstance(digits.images, np.memmap)
    assert not digits.images.flags.writeable


def test_a_dataset_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_dataset("digits", tmp_path)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda: pytest.fail("again"))
    again = open_dataset("digits", tmp_path)
    by_content = open_cached(tmp_path, first.fingerprint)
    assert isinstance(by_content, DecodedDataset)
    for other in (again, by_content):
        assert np.array_equal(other.images, first.images)
        assert (other.name, other.fingerprint) == ("digits", first.fingerprint)


def test_openers_at_the_same_time_are_safe(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_dataset("digits", tmp_path), range(8)))
    assert len({dataset.fingerprint for dataset in opened}) == 1
    expected = {"sources", opened[0].fingerprint}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_parquet_keeps_pixels_labels_names_and_the_official_split(tmp_path: Path) -> None:
    train, test = pictures(5), pictures(3, seed=1)
    folder = tmp_path / "flowers"
    names = ["rose", "tulip"]
    write_parquet(folder / "train-00000-of-00001.parquet", train, [0, 1, 0, 1, 1], names=names)
    write_parquet(folder / "test-00000-of-00001.parquet", test, [1, 0, 1], names=names)
    flowers = open_dataset(f"parquet:{folder}", tmp_path / "cache")
    assert flowers.name == "parquet:flowers"
    assert flowers.class_names == ("rose", "tulip")
    assert flowers.image_shape == (3, 4, 6)
    assert flowers.test_ids is not None
    train_ids = np.setdiff1d(np.arange(8), flowers.test_ids)
    assert np.array_equal(flowers.images[train_ids], np.stack(train).transpose(0, 3, 1, 2))
    assert np.array_equal(flowers.images[flowers.test_ids], np.stack(test).transpose(0, 3, 1, 2))
    assert flowers.labels[train_ids].tolist() == [0, 1, 0, 1, 1]
    assert flowers.labels[flowers.test_ids].tolist() == [1, 0, 1]


def test_parquet_reads_grey_images_other_columns_and_globs(tmp_path: Path) -> None:
    grey = pictures(3, shape=(5, 5))
    write_parquet(tmp_path / "set" / "part-0.parquet", grey, [2, 0, 1], "image", "fine_label")
    for path, name in [
        (tmp_path / "set" / "part-*.parquet", "parquet:set"),
        (tmp_path / "set" / "part-0.parquet", "parquet:part-0"),
    ]:
        dataset = open_dataset(f"parquet:{path}", tmp_path / "cache")
        assert dataset.name == name
        assert dataset.image_shape == (1, 5, 5)
        assert np.array_equal(dataset.images[:, 0], np.stack(grey))
        assert dataset.class_names == ("0", "1", "2")
        assert dataset.test_ids is None


def test_more_rows_than_one_thread_takes_keep_their_order(tmp_path: Path) -> None:
    images = pictures(300, shape=(2, 2))
    write_parquet(tmp_path / "many.parquet", images, list(range(300)))
    many = open_dataset(f"parquet:{tmp_path / 'many.parquet'}", tmp_path / "cache")
    assert np.array_equal(many.images[:, 0], np.stack(images))
    assert np.array_equal(many.labels, np.arange(300))


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        (("train", "validation"), "validation"),
        (("train", "validation", "test"), "test"),
        (("test",), None),
        (("train",), None),
    ],
)
def test_validation_is_the_test_set_only_without_a_test_set(
    tmp_path: Path, splits: tuple[str, ...], expected: str | None
) -> None:
    labels = {"train": 0, "validation": 1, "test": 2}
    for split in splits:
        write_parquet(tmp_path / "set" / f"{split}-0.parquet", pictures(2), [labels[split]] * 2)
    dataset = open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")
    if expected is None:
        assert dataset.test_ids is None
    else:
        assert dataset.test_ids is not None
        assert dataset.labels[dataset.test_ids].tolist() == [labels[expected]] * 2
        assert (dataset.labels == labels[expected]).sum() == 2


def test_the_fingerprint_follows_the_content_not_the_path(tmp_path: Path) -> None:
    for name, seed in [("one", 0), ("two", 0), ("three", 1)]:
        write_parquet(tmp_path / f"{name}.parquet", pictures(3, seed), [0, 1, 0])
    one, two, three = (
        open_dataset(f"parquet:{tmp_path / name}.parquet", tmp_path / "cache")
        for name in ("one", "two", "three")
    )
    assert one.fingerprint == two.fingerprint != three.fingerprint
    assert (one.name, two.name) == ("parquet:one", "parquet:two")


def test_a_changed_file_is_decoded_again(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    write_parquet(file, pictures(3), [0, 1, 0])
    before = open_dataset(f"parquet:{file}", tmp_path / "cache")
    write_parquet(file, pictures(4), [0, 1, 0, 1])
    after = open_dataset(f"parquet:{file}", tmp_path / "cache")
    assert (len(before.images), len(after.images)) == (3, 4)


@pytest.mark.parametrize(
    ("images", "labels", "columns", "names", "message"),
    [
        (pictures(2), [0, 1], ("pixels", "label"), None, "no column img or image.*pixels, label"),
        (pictures(2), [0, 1], ("img", "kind"), None, "no column label or fine_label.*img, kind"),
        (pictures(2), [0, 7], ("img", "label"), ["a", "b"], r"row 1.*\[0, 2\), it is 7"),
        (pictures(2), [0, -1], ("img", "label"), None, "row 1.*it is -1"),
        (pictures(2), [None, 1], ("img", "label"), None, "row 0.*it is None"),
        ([pictures(1)[0], b"junk"], [0, 1], ("img", "label"), None, "row 1.*cannot be decoded"),
        ([None, None], [0, 1], ("img", "label"), None, "row 0.*no bytes"),
        (
            [*pictures(1), *pictures(1, shape=(5, 5, 3))],
            [0, 1],
            ("img", "label"),
            None,
            r"sizes from 4×6 to 5×5 \(height × width\): add ,size=32",
        ),
        ([], [], ("img", "label"), None, "no rows"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path,
    images: list[np.ndarray | bytes | None],
    labels: list[int | None],
    columns: tuple[str, str],
    names: list[str] | None,
    message: str,
) -> None:
    write_parquet(tmp_path / "bad.parquet", images, labels, *columns, names=names)
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(f"parquet:{tmp_path / 'bad.parquet'}", tmp_path / "cache")
    assert "bad.parquet" in str(caught.value)


def test_pictures_of_different_sizes_become_squares_of_one(tmp_path: Path) -> None:
    """The centre square, in every mode of colour: also of images of more than 8 bits."""
    # Resizing looks a little beyond the square, as where a picture is resized first, then cropped.
    wide = np.full((8, 40, 3), (250, 0, 0), np.uint8)
    wide[:, 10:30] = (0, 100, 0)
    tall = np.full((40, 10), 200, np.uint8)
    tall[8:32] = 60
    same = pictures(1, shape=(4, 4, 3))[0]
    deep = np.full((24, 6), 1000, np.uint16)
    deep[4:20] = 3000
    write_parquet(tmp_path / "mixed.parquet", [wide, tall, same, deep], [0, 1, 0, 1])
    mixed = open_dataset(f"parquet:{tmp_path / 'mixed.parquet'},size=4", tmp_path / "cache")
    assert mixed.image_shape == (3, 4, 4)
    assert mixed.name == "parquet:mixed"
    assert np.array_equal(mixed.images[0], np.broadcast_to([[[0]], [[100]], [[0]]], (3, 4, 4)))
    assert np.all(mixed.images[1] == 60)
    assert np.array_equal(mixed.images[2], same.transpose(2, 0, 1))
    assert np.all(mixed.images[3] == 255), "the highest of its range, 1000 to 3000"
    notes = " ".join(mixed.notes)
    assert "3 of 4 images had another shape" in notes
    assert "became 4×4" in notes
    larger = open_dataset(f"parquet:{tmp_path / 'mixed.parquet'},size=5", tmp_path / "cache")
    assert larger.image_shape == (3, 5, 5)
    assert larger.fingerprint != mixed.fingerprint


def test_a_size_is_no_part_of_a_file_that_is_there(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a,size=2.parquet", pictures(2), [0, 1])
    write_parquet(tmp_path / "b,size=3", pictures(2), [0, 1])
    for name, shape in (
        ("a,size=2.parquet", (3, 4, 6)),
        ("b,size=3", (3, 4, 6)),
    ):
        opened = open_dataset(f"parquet:{tmp_path / name}", tmp_path / "cache")
        assert opened.image_shape == shape


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (",size=0", "size must be at least 1, got 0"),
        (",size=big", "size must be a whole number, got 'big'"),
        (",side=4", "no option 'side=4', its options are: size=NUMBER"),
    ],
)
def test_a_size_must_make_sense(tmp_path: Path, words: str, message: str) -> None:
    write_parquet(tmp_path / "a.parquet", pictures(2), [0, 1])
    with pytest.raises(DatasetError, match=message):
        open_dataset(f"parquet:{tmp_path / 'a.parquet'}{words}", tmp_path / "cache")


def test_files_must_agree(tmp_path: Path) -> None:
    write_parquet(tmp_path / "shape" / "a.parquet", pictures(1), [0])
    write_parquet(tmp_path / "shape" / "b.parquet", pictures(1, shape=(5, 5)), [0])
    with pytest.raises(DatasetError, match=r"shape: pictures have sizes from 4×6 to 5×5"):
        open_dataset(f"parquet:{tmp_path / 'shape'}", tmp_path / "cache")
    write_parquet(tmp_path / "names" / "a.parquet", pictures(1), [0], names=["x"])
    write_parquet(tmp_path / "names" / "b.parquet", pictures(1), [0], names=["y"])
    with pytest.raises(DatasetError, match="name different classes"):
        open_dataset(f"parquet:{tmp_path / 'names'}", tmp_path / "cache")


def test_columns_of_a_wrong_type_are_refused(tmp_path: Path) -> None:
    bad_image = pa.table({"img": [b"x"], "label": [0]})
    bad_label = pa.table({"img": [{"bytes": b"x", "path": None}], "label": [[0, 1]]})
    for table, message in [(bad_image, "struct with a field bytes"), (bad_label, "one class a")]:
        pq.write_table(table, tmp_path / "bad.parquet")
        with pytest.raises(DatasetError, match=message):
            open_dataset(f"parquet:{tmp_path / 'bad.parquet'}", tmp_path / "cache")


def test_paths_and_names_that_lead_nowhere_are_explained(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.parquet").write_text("not Parquet")
    for name, message in [
        (
            "cifar11",
            "unknown dataset 'cifar11', expected one of digits, cifar10, cifar100, fashion_mnist, "
            "synthetic, parquet, imagefolder, hf; parquet and imagefolder take a path",
        ),
        ("digits:size=8", "digits has no option 'size=8', its options are: none"),
        (f"parquet:{tmp_path / 'nowhere'}", "no file or folder"),
        (f"parquet:{tmp_path / 'empty'}", "no Parquet files"),
        (f"parquet:{tmp_path / 'empty' / '*.parquet'}", "no Parquet files"),
        (f"parquet:{tmp_path / 'text.parquet'}", "not a readable Parquet file"),
        ("parquet:", "parquet needs a path"),
        (f"parquet:{tmp_path / '**x'}", "cannot be matched: .*pattern|no Parquet files"),
        ("parquet:/a\0b", "cannot be read: embedded null byte"),
        (f"imagefolder:/{'a' * 5000}", "cannot be read: File name too long"),
    ]:
        with pytest.raises(DatasetError, match=message) as caught:
            open_dataset(name, tmp_path / "cache")
        assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="open it by name first"):
        open_cached(tmp_path / "cache", "0123")


def test_columns_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    images = pictures(3)
    write_parquet(file, images, [1, 0, 1], "picture", "kind", names=["rose", "tulip"])
    options = DatasetOptions(image_column="picture", label_column="kind")
    dataset = open_dataset(f"parquet:{file}", tmp_path / "cache", options)
    assert np.array_equal(dataset.images, np.stack(images).transpose(0, 3, 1, 2))
    assert dataset.labels.tolist() == [1, 0, 1]
    assert dataset.class_names == ("rose", "tulip")


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        (DatasetOptions(), "img or image"),
        (DatasetOptions(image_column="photo"), "photo"),
        (DatasetOptions(image_column="picture", label_column="sort"), "sort"),
    ],
)
def test_a_missing_column_is_explained(
    tmp_path: Path, options: DatasetOptions, missing: str
) -> None:
    file = tmp_path / "set.parquet"
    write_parquet(file, pictures(1), [0], "picture", "kind")
    with pytest.raises(DatasetError) as caught:
        open_dataset(f"parquet:{file}", tmp_path / "cache", options)
    assert str(caught.value) == (
        f"{file} has no column {missing}: its columns are picture, kind; name them with "
        "--image-column and --label-column"
    )


def test_another_label_column_is_another_dataset(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    write_parquet(file, pictures(3), [0, 1, 0])
    table = pq.read_table(file)
    pq.write_table(table.append_column("coarse_label", pa.array([1, 1, 0])), file)
    fine, coarse = (
        open_dataset(f"parquet:{file}", tmp_path / "cache", DatasetOptions(label_column=column))
        for column in (None, "coarse_label")
    )
    assert (fine.labels.tolist(), coarse.labels.tolist()) == ([0, 1, 0], [1, 1, 0])
    assert fine.fingerprint != coarse.fingerprint


def test_corrupt_images_are_refused_with_their_number(tmp_path: Path) -> None:
    good = pictures(5)
    write_parquet(tmp_path / "set" / "a.parquet", [good[0], b"junk", None], [0, 1, 0])
    write_parquet(tmp_path / "set" / "b.parquet", [good[1], b"junk"], [0, 1])
    with pytest.raises(
        DatasetError,
        match=r"a\.parquet, row 1: .*cannot be decoded.*; 3 of 5 images are corrupt: "
        "--corrupt-images skip leaves them out",
    ):
        open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")


def test_corrupt_images_are_skipped_on_demand_and_counted(tmp_path: Path) -> None:
    good = pictures(4)
    write_parquet(tmp_path / "set" / "train.parquet", [good[0], b"junk", good[1]], [0, 1, 2])
    write_parquet(tmp_path / "set" / "test.parquet", [None, good[2], good[3]], [0, 1, 2])
    name, cache = f"parquet:{tmp_path / 'set'}", tmp_path / "cache"
    skip = DatasetOptions(corrupt_images="skip")
    first, again = open_dataset(name, cache, skip), open_dataset(name, cache, skip)
    for dataset in (first, again, open_cached(cache, first.fingerprint)):
        assert isinstance(dataset, DecodedDataset)
        assert dataset.skipped == 2
        assert dataset.test_ids is not None
        assert dataset.labels[dataset.test_ids].tolist() == [1, 2]
        train_ids = np.setdiff1d(np.arange(4), dataset.test_ids)
        assert dataset.labels[train_ids].tolist() == [0, 2]
        expected = np.stack(good[:2]).transpose(0, 3, 1, 2)
        assert np.array_equal(dataset.images[train_ids], expected)
    with pytest.raises(DatasetError, match="2 of 6 images are corrupt"):
        open_dataset(name, cache)


def test_the_count_of_skipped_images_is_that_of_the_source(tmp_path: Path) -> None:
    good, cache = pictures(2), tmp_path / "cache"
    write_parquet(tmp_path / "clean.parquet", good, [0, 1])
    write_parquet(tmp_path / "broken.parquet", [*good, b"junk"], [0, 1, 0])
    skip = DatasetOptions(corrupt_images="skip")
    for _ in range(2):
        assert open_dataset(f"parquet:{tmp_path / 'clean.parquet'}", cache, skip).skipped == 0
        assert open_dataset(f"parquet:{tmp_path / 'broken.parquet'}", cache, skip).skipped == 1


def test_skipping_must_leave_images(tmp_path: Path) -> None:
    skip = DatasetOptions(corrupt_images="skip")
    write_parquet(tmp_path / "set" / "train.parquet", [b"junk", None], [0, 1])
    with pytest.raises(DatasetError, match="all 2 images are corrupt, so none are left"):
        open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache", skip)
    write_parquet(tmp_path / "set" / "test.parquet", pictures(2), [0, 1])
    with pytest.raises(DatasetError, match="nothing left of the test set or of the others"):
        open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache", skip)
    write_parquet(tmp_path / "set" / "train-2.parquet", pictures(1), [1])
    dataset = open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache", skip)
    assert (len(dataset.labels), dataset.skipped) == (3, 2)


def test_labels_of_skipped_rows_are_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "set.parquet"
    write_parquet(file, [pictures(1)[0], b"junk"], [0, 7], names=["a", "b"])
    with pytest.raises(DatasetError, match=r"set\.parquet, row 1.*\[0, 2\), it is 7"):
        open_dataset(f"parquet:{file}", tmp_path / "cache", DatasetOptions(corrupt_images="skip"))


def test_a_decoded_dataset_hands_out_pixels_and_views(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    ids = torch.tensor([5, 3, 1000])
    images = torch.from_numpy(digits.images[ids.numpy()])
    assert digits.is_decoded
    assert digits.statistics is None
    assert digits.skipped == 0
    assert torch.equal(digits.pixels(ids.numpy()), images)
    views = digits.views(ids, torch.tensor([0, 1, 2]), "strong", 7)
    assert torch.equal(views, make_views(images, ids, torch.tensor([0, 1, 2]), "strong", 7))


def test_what_an_older_cache_holds_is_still_found(tmp_path: Path) -> None:
    digits = open_dataset("digits", tmp_path)
    about = tmp_path / digits.fingerprint / "dataset.json"
    content = json.loads(about.read_text())
    del content["skipped"]
    about.write_text(json.dumps(content))
    assert open_cached(tmp_path, digits.fingerprint).skipped == 0
    # As the first version computed it: studies on disk refer to it.
    digest = hashlib.sha256(json.dumps([digits.images.shape, digits.class_names]).encode())
    digest.update(digits.images.tobytes() + digits.labels.tobytes())
    assert digits.fingerprint == digest.hexdigest()[:16]


def test_channel_statistics_are_those_of_the_chosen_samples(tmp_path: Path) -> None:
    write_parquet(tmp_path / "set.parquet", pictures(6), [0] * 6)
    dataset = open_dataset(f"parquet:{tmp_path / 'set.parquet'}", tmp_path / "cache")
    ids = np.array([0, 2, 3])
    mean, deviation = channel_statistics(dataset, ids)
    pixels = dataset.images[ids] / 255
    assert mean.dtype == deviation.dtype == np.float32
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(deviation, pixels.std(axis=(0, 2, 3)), rtol=1e-6)


def test_a_channel_that_never_changes_has_deviation_one(tmp_path: Path) -> None:
    flat = [np.full((4, 4), 100, dtype=np.uint8)] * 2
    write_parquet(tmp_path / "flat.parquet", flat, [0, 0])
    dataset = open_dataset(f"parquet:{tmp_path / 'flat.parquet'}", tmp_path / "cache")
    mean, deviation = channel_statistics(dataset, np.array([0, 1]))
    assert deviation.tolist() == [1]
    assert mean[0] == pytest.approx(100 / 255)


@pytest.mark.skipif(not CIFAR10.is_dir(), reason=f"there is no CIFAR-10 at {CIFAR10}")
def test_cifar10_test_file_is_read(tmp_path: Path) -> None:
    file = next(CIFAR10.glob("test-*.parquet"))
    cifar = open_dataset(f"parquet:{file}", tmp_path)
    assert cifar.images.shape == (10_000, 3, 32, 32)
    assert np.bincount(cifar.labels).tolist() == [1000] * 10
    assert cifar.class_names[:2] == ("airplane", "automobile")


def test_test_files_with_hidden_labels_are_left_out(tmp_path: Path) -> None:
    for split, labels in [("train", [0, 1]), ("validation", [1, 0, 1]), ("test", [-1, -1])]:
        write_parquet(tmp_path / "set" / f"{split}.parquet", pictures(len(labels)), labels)
    dataset = open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")
    assert dataset.labels.tolist() == [0, 1, 1, 0, 1]
    assert dataset.test_ids is not None
    assert dataset.test_ids.tolist() == [2, 3, 4]
    assert dataset.notes == (
        "left out: 2 test samples, whose labels are hidden",
        "the validation split is the test set, there is no test split",
    )
    # The cache knows it too.
    again = open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")
    assert again.notes == dataset.notes
    write_parquet(tmp_path / "set" / "train.parquet", pictures(2), [0, -1])
    with pytest.raises(DatasetError, match="row 1: the label must be a class, it is -1"):
        open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")


def test_a_folder_of_parquet_files_is_read_as_the_hub_writes_it(tmp_path: Path) -> None:
    root = tmp_path / "test set [v2]"
    for split, label in [("train", 0), ("test", 1)]:
        write_parquet(root / "default" / split / "0000.parquet", pictures(2, label), [label] * 2)
    (root / "README.md").touch()
    write_parquet(root / ".cache" / "train.parquet", pictures(1), [0])
    for argument in (root, root / "default" / "*" / "*.parquet"):
        dataset = open_dataset(f"parquet:{argument}", tmp_path / "cache")
        assert dataset.test_ids is not None
        assert dataset.labels[dataset.test_ids].tolist() == [1, 1]
        assert len(dataset.labels) == 4
    whole = open_dataset(f"parquet:{root}", tmp_path / "cache")
    assert whole.name == "parquet:test set [v2]"
    assert whole.notes == ("left out: .md (1), hidden (1)",)


def test_a_parquet_path_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_parquet(tmp_path / "set.parquet", pictures(2), [0, 1])
    assert len(open_dataset("parquet:~/set.parquet", tmp_path / "cache").labels) == 2


def test_images_that_are_the_same_are_known(tmp_path: Path) -> None:
    one, two = pictures(2)
    write_parquet(tmp_path / "set.parquet", [one, two, one], [0, 1, 1])
    dataset = open_dataset(f"parquet:{tmp_path / 'set.parquet'}", tmp_path / "cache")
    assert dataset.contents is not None
    assert dataset.contents[0] == dataset.contents[2] != dataset.contents[1]
    # What an older cache holds is completed.
    (tmp_path / "cache" / dataset.fingerprint / "contents.npy").unlink()
    again = open_dataset(f"parquet:{tmp_path / 'set.parquet'}", tmp_path / "cache")
    assert again.contents is not None
    assert np.array_equal(again.contents, dataset.contents)


def encoded(rows: pa.Table) -> list[bytes]:
    return [image["bytes"] for image in rows["img"].to_pylist()]


@pytest.mark.skipif(not CIFAR100.is_dir(), reason=f"there is no CIFAR-100 at {CIFAR100}")
@pytest.mark.slow
def test_ten_test_images_of_cifar100_are_in_its_training_set(tmp_path: Path) -> None:
    train, test = (
        pq.read_table(*CIFAR100.glob(f"{split}-*.parquet")) for split in ("train", "test")
    )
    tested = set(encoded(test))
    # To decode all of it takes half a minute: of images that no file repeats a part is enough.
    kept = [i for i, file in enumerate(encoded(train)) if i < 1000 or file in tested]
    for split, rows in (("train", train.take(kept)), ("test", test)):
        (tmp_path / "set" / split).mkdir(parents=True)
        pq.write_table(rows, tmp_path / "set" / split / "0.parquet")
    cifar = open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")
    assert cifar.contents is not None
    assert cifar.test_ids is not None
    training = np.delete(cifar.contents, cifar.test_ids)
    assert np.isin(cifar.contents[cifar.test_ids], training).sum() == 10
