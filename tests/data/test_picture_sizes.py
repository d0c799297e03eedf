"""Pictures of different sizes: one line that proposes a size and says what it costs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_up_pictures import pictures, write_parquet
from PIL import Image

from metakd.data.catalogue import DatasetError, DatasetOptions
from metakd.data.datasets import decoded_tables, image_table, open_dataset
from metakd.data.datasets.picture_sizes import proposal, sizes_of


@pytest.mark.parametrize(
    ("sides", "proposed"),
    [
        ((4, 8), 32),
        ((31, 480), 224),
        ((40, 44), 32),
        ((48, 50), 64),
        ((100, 80, 70), 64),
        ((130, 2000, 100), 128),
        ((480, 640), 224),
    ],
)
def test_the_proposed_size_is_near_the_median_of_shorter_sides(
    sides: tuple[int, ...], proposed: int
) -> None:
    assert sizes_of([(side, 3000) for side in sides]).proposed == proposed


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((31, 48), "add ,size=32 (squares of their centres, 3.0 MiB decoded); size=64 costs four "),
        ((64, 70), "add ,size=64 (squares of their centres, 12.0 MiB decoded); size=32 costs about "
                   "a quarter of it a step with the same models"),
        ((99, 99), "add ,size=128 (squares of their centres, 48.0 MiB decoded); size=64 costs about"
                   " a quarter of it"),
        ((480, 640), "add ,size=224 (squares of their centres, 147.0 MiB decoded); size=128 costs "
                     "about a third of it"),
    ],
)  # fmt: skip
def test_a_proposal_says_what_it_costs(shape: tuple[int, int], said: str) -> None:
    assert said in proposal(sizes_of([shape]), samples=1024, channels=3)
    assert "decoded" in proposal(sizes_of([shape]), samples=1, channels=1)


def test_image_tables_of_different_sizes_are_refused_with_a_proposal(tmp_path: Path) -> None:
    images = [*pictures(2, shape=(31, 48, 3)), *pictures(1, shape=(60, 80)), *pictures(1)]
    write_parquet(tmp_path / "set" / "a.parquet", images, [0, 1, 0, 1])
    write_parquet(tmp_path / "set" / "b.parquet", pictures(1, shape=(99, 64, 3)), [0])
    with pytest.raises(DatasetError) as caught:
        open_dataset(f"parquet:{tmp_path / 'set'}", tmp_path / "cache")
    assert str(caught.value) == (
        f"{tmp_path / 'set'}: pictures have sizes from 4×6 to 99×64 (height × width): add ,size=32 "
        "(squares of their centres, 15.0 KiB decoded); size=64 costs four times as much a step "
        "with the same models"
    )
    resized = open_dataset(f"parquet:{tmp_path / 'set'},size=32", tmp_path / "cache")
    assert resized.image_shape == (3, 32, 32)


def test_they_are_refused_before_all_of_them_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_table, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(decoded_tables, "ROWS_AT_ONCE", 2)
    images: list[np.ndarray | bytes | None] = [*pictures(1), *pictures(9, shape=(5, 5, 3))]
    write_parquet(tmp_path / "a.parquet", images, [0, 1] * 5)
    decoded: list[object] = []
    decode: Callable[..., object] = image_table._decode_image
    monkeypatch.setattr(
        image_table, "_decode_image", lambda *given: (decoded.append(given), decode(*given))[1]
    )
    with pytest.raises(DatasetError, match=r"sizes from 4×6 to 5×5 .* among the first 2 looked at"):
        open_dataset(f"parquet:{tmp_path / 'a.parquet'}", tmp_path / "cache")
    assert len(decoded) == 2


def test_one_that_differs_further_down_is_found_as_well(tmp_path: Path) -> None:
    images = [*pictures(80), *pictures(1, shape=(5, 5, 3))]
    write_parquet(tmp_path / "a.parquet", images, [0] * 80 + [1])
    with pytest.raises(DatasetError, match=r"sizes from 4×6 to 5×5 \(height × width\): add"):
        open_dataset(f"parquet:{tmp_path / 'a.parquet'}", tmp_path / "cache")


def folder_of(root: Path, *sides: tuple[int, int]) -> Path:
    for number, (height, width) in enumerate(sides):
        file = root / "xy"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width), number, np.uint8)).save(file)
    return root


def test_the_default_size_of_a_folder_is_noted_where_a_smaller_one_does(tmp_path: Path) -> None:
    """Also where the folder was looked at before, and by a version that kept no sizes."""
    root = folder_of(tmp_path / "small", (50, 70), (64, 64), (70, 300), (60, 60))
    note = (
        "pictures have sizes from 50×70 to 70×300 (height × width) and become 224×224: with "
        ",size=64 a step costs about a twelfth of it with the same models"
    )
    first, again = (open_dataset(f"imagefolder:{root}", tmp_path / "cache") for _ in range(2))
    assert first.image_shape == (3, 224, 224)
    assert first.notes == again.notes == (note,)
    (known,) = (tmp_path / "cache" / "sources").iterdir()
    known.write_text(json.dumps(json.loads(known.read_text())[:4]))
    older = open_dataset(f"imagefolder:{root}", tmp_path / "cache")
    assert older.notes == ()
    assert older.fingerprint == first.fingerprint


@pytest.mark.parametrize(("side", "words"), [((32, 40), ",size=224"), ((230, 240), "")])
def test_a_size_that_was_chosen_or_that_pictures_have_needs_no_note(
    tmp_path: Path, side: tuple[int, int], words: str
) -> None:
    root = folder_of(tmp_path / "set", side, side)
    assert open_dataset(f"imagefolder:{root}{words}", tmp_path / "cache").notes == ()


def test_corrupt_files_have_no_size(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", (30, 30), (30, 30))
    (root / "x" / "9.png").write_bytes(b"none")
    options = DatasetOptions(corrupt_images="skip")
    found = open_dataset(f"imagefolder:{root}", tmp_path / "cache", options)
    (note,) = found.notes
    assert note.startswith("pictures have the size 30×30 (height × width) and become 224×224")
    assert "a fiftieth" in note
