import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from metakd.data.datasets import DatasetError, channel_statistics, open_cached, open_dataset

CIFAR10 = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10"


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(
    file: Path,
    images: list[np.ndarray | bytes | None],
    labels: list[int | None],
    image_column: str = "img",
    label_column: str = "label",
    names: list[str] | None = None,
) -> None:
    encoded = [encode(i) if isinstance(i, np.ndarray) else i for i in images]
    structs = pa.array(
        [{"bytes": data, "path": None} for data in encoded],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    table = pa.table({image_column: structs, label_column: pa.array(labels, pa.int64())})
    if names is not None:
        about = {"info": {"features": {label_column: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def pictures(count: int, seed: int = 0, shape: tuple[int, ...] = (4, 6, 3)) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))


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
            r"one shape.*\(3, 4, 6\) in row 0 and \(3, 5, 5\) in row 1",
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


def test_files_must_agree(tmp_path: Path) -> None:
    write_parquet(tmp_path / "shape" / "a.parquet", pictures(1), [0])
    write_parquet(tmp_path / "shape" / "b.parquet", pictures(1, shape=(5, 5)), [0])
    with pytest.raises(DatasetError, match=r"one shape.*a\.parquet.*b\.parquet"):
        open_dataset(f"parquet:{tmp_path / 'shape'}", tmp_path / "cache")
    write_parquet(tmp_path / "names" / "a.parquet", pictures(1), [0], names=["x"])
    write_parquet(tmp_path / "names" / "b.parquet", pictures(1), [0], names=["y"])
    with pytest.raises(DatasetError, match="name different classes"):
        open_dataset(f"parquet:{tmp_path / 'names'}", tmp_path / "cache")


def test_columns_of_a_wrong_type_are_refused(tmp_path: Path) -> None:
    bad_image = pa.table({"img": [b"x"], "label": [0]})
    bad_label = pa.table({"img": [{"bytes": b"x", "path": None}], "label": ["cat"]})
    for table, message in [(bad_image, "struct with a field bytes"), (bad_label, "be integer")]:
        pq.write_table(table, tmp_path / "bad.parquet")
        with pytest.raises(DatasetError, match=message):
            open_dataset(f"parquet:{tmp_path / 'bad.parquet'}", tmp_path / "cache")


def test_paths_and_names_that_lead_nowhere_are_explained(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.parquet").write_text("not Parquet")
    for name, message in [
        ("cifar11", "unknown dataset 'cifar11', expected digits, cifar10 or parquet:PATH"),
        (f"parquet:{tmp_path / 'nowhere'}", "no file or folder"),
        (f"parquet:{tmp_path / 'empty'}", "no Parquet files"),
        (f"parquet:{tmp_path / 'empty' / '*.parquet'}", "no Parquet files"),
        (f"parquet:{tmp_path / 'text.parquet'}", "not a readable Parquet file"),
        ("parquet:", "parquet needs a path"),
        ("cifar10", "give a data directory"),
    ]:
        with pytest.raises(DatasetError, match=message.replace("(", r"\(")):
            open_dataset(name, tmp_path / "cache")
    with pytest.raises(DatasetError, match="open it by name first"):
        open_cached(tmp_path / "cache", "0123")


def test_a_failed_download_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fail)
    with pytest.raises(DatasetError, match=r"could not be downloaded \(no route to host\)"):
        open_dataset("cifar10", tmp_path / "cache", tmp_path / "data")


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
