import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from metakd.data.catalogue import DatasetError
from metakd.data.datasets import DecodedDataset, open_dataset
from metakd.data.datasets.pictures import pixels_of, rgb_of, upright


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(tmp_path: Path, images: list[bytes]) -> DecodedDataset:
    rows = [{"bytes": data, "path": None} for data in images]
    table = pa.table({"image": rows, "label": np.arange(len(images)) % 2})
    pq.write_table(table, tmp_path / "set.parquet")
    dataset = open_dataset(f"parquet:{tmp_path / 'set.parquet'}", tmp_path / "cache")
    assert isinstance(dataset, DecodedDataset)
    return dataset


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_does(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12))
    with Image.open(io.BytesIO(encoded(picture, exif=exif))) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
        assert np.array_equal(pixels_of(image)[0], expected)
        assert np.array_equal(np.asarray(rgb_of(image, None))[..., 0], expected)


def test_a_damaged_exif_turns_nothing() -> None:
    picture = Image.new("RGB", (4, 6))
    with Image.open(io.BytesIO(encoded(picture, "JPEG", exif=b"Exif\0\0junk"))) as image:
        assert upright(image).size == (4, 6)


@pytest.mark.parametrize("kind", ["16-bit PNG", "16-bit TIFF", "float TIFF"])
def test_more_than_eight_bits_are_scaled_by_the_range_of_the_set(tmp_path: Path, kind: str) -> None:
    values = [1000, 1000 + 51 * 200, 1000 + 255 * 200]
    if kind == "float TIFF":
        images = [Image.fromarray(np.full((4, 4), value / 1000, np.float32)) for value in values]
    else:
        images = [Image.fromarray(np.full((4, 4), value, np.uint16)) for value in values]
    dataset = opened(tmp_path, [encoded(image, kind.split()[1]) for image in images])
    assert dataset.images[:, 0, 0, 0].tolist() == [0, 51, 255]
    assert dataset.image_shape == (1, 4, 4)
    assert "3 images have more than 8 bits" in dataset.notes[0]


def test_bytes_in_a_wider_type_stay_as_they_are(tmp_path: Path) -> None:
    images = [encoded(Image.fromarray(np.full((4, 4), v, np.uint16))) for v in (3, 200)]
    dataset = opened(tmp_path, images)
    assert dataset.images[:, 0, 0, 0].tolist() == [3, 200]
    assert dataset.notes == ()


def test_values_that_are_not_finite_are_corrupt(tmp_path: Path) -> None:
    bad = np.ones((4, 4), np.float32)
    bad[0, 0] = np.nan
    images = [Image.fromarray(bad), Image.fromarray(np.ones((4, 4), np.float32))]
    with pytest.raises(DatasetError, match=r"row 0: .*not finite; 1 of 2 images are corrupt"):
        opened(tmp_path, [encoded(image, "TIFF") for image in images])


def test_channels_are_those_of_the_set(tmp_path: Path) -> None:
    grey, colour = Image.new("L", (4, 4), 7), Image.new("RGB", (4, 4), (1, 2, 3))
    indexed = colour.convert("P", palette=Image.Palette.ADAPTIVE)
    printed = encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 255)), "TIFF")
    dataset = opened(tmp_path, [encoded(grey), encoded(colour), encoded(indexed), printed])
    assert dataset.images[..., 0, 0].tolist() == [[7, 7, 7], [1, 2, 3], [1, 2, 3], [0, 0, 0]]
    assert dataset.notes == ("1 of 4 images are grey: they became RGB as the others",)


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    clear, solid = (Image.new("RGBA", (4, 4), (10, 20, 30, alpha)) for alpha in (0, 255))
    indexed = Image.new("P", (4, 4))
    indexed.putpalette([10, 20, 30])
    images = [encoded(clear), encoded(solid), encoded(indexed, transparency=0), encoded(indexed)]
    dataset = opened(tmp_path, images)
    white, colour = [255] * 3, [10, 20, 30]
    assert dataset.images[..., 0, 0].tolist() == [white, colour, white, colour]
    assert dataset.notes == ("2 images are transparent in places: they lie on white now",)


def test_a_folder_of_pictures_that_are_redrawn_is_another_dataset(tmp_path: Path) -> None:
    """Views and results of before, when they lay on their side, are not those of now."""
    grey = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    found = []
    for name, is_turned, alpha in (("a", False, 255), ("b", True, 255), ("c", False, 7)):
        root, exif = tmp_path / name / "d", Image.Exif()
        exif[ExifTags.Base.Orientation] = 6 if is_turned else 1
        picture = grey.convert("RGBA")
        picture.putalpha(alpha)
        for number in range(24):
            file = root / "xy"[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(picture, exif=exif, pnginfo=_comment(number)))
        found.append(open_dataset(f"imagefolder:{root},size=8", tmp_path / "cache" / name))
    assert [[note for note in each.notes if "turned" in note] for each in found] == [
        [],
        *[
            [
                "24 images are turned as their EXIF orientation says, or lie on white where they "
                "are transparent"
            ]
        ]
        * 2,
    ]
    sizes = {len(file.read_bytes()) for file in tmp_path.rglob("d/*/*.png")}
    assert len(sizes) == 1, "the size of a file tells of another one, too"
    assert found[0].fingerprint not in {each.fingerprint for each in found[1:]}


def _comment(number: int) -> PngInfo:
    """Returns what makes files of the same picture as long as each other, and no duplicates."""
    comment = PngInfo()
    comment.add_text("number", f"{number:04}")
    return comment
