"""The bank: what is kept is what would be made, whole, and of the teacher that is asked for."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from metakd.data.bank import (
    BankError,
    Outputs,
    build_outputs,
    build_views,
    open_outputs,
    open_views,
    outputs_bytes,
    parts,
)
from metakd.data.bank.stored import outputs_parts, views_parts
from metakd.data.datasets import DecodedDataset
from metakd.data.views import Views

IDS = np.array([11, 3, 27, 8, 19, 0, 30])
ROWS = torch.tensor([6, 0, 2])


def noise(samples: int = 40) -> DecodedDataset:
    random = np.random.default_rng(0)
    return DecodedDataset(
        images=random.integers(0, 256, (samples, 1, 8, 8), dtype=np.uint8),
        labels=np.arange(samples) % 4,
        class_names=("a", "b", "c", "d"),
        test_ids=None,
        name="noise",
        fingerprint="0123",
    )


def views_of(recipe: str = "strong", passes: int = 3, ids: np.ndarray = IDS) -> Views:
    return Views(noise(), recipe, 5, ids, passes)


class Linear:
    """A teacher that counts what it is asked."""

    def __init__(self, factor: float = 1.0) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
        self.factor = factor
        self.asked = 0

    def __call__(self, images: Tensor) -> Outputs:
        self.asked += len(images)
        pixels = images.float() / 255
        return {"logits": self.factor * self.model(pixels), "features": pixels.mean(dim=3)}


def part_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


@pytest.mark.parametrize("recipe", ["none", "strong", "mixup+cutmix"])
@pytest.mark.parametrize("has_views", [True, False])
def test_a_bank_holds_what_would_be_made_live(tmp_path: Path, recipe: str, has_views: bool) -> None:
    views, teacher = views_of(recipe), Linear()
    if has_views:
        build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", teacher, "float32", batch_size=4)
    kept = open_outputs(tmp_path, views.id, "t1", "float32")
    for number in range(views.count):
        live = views.images(ROWS, number)
        if has_views:
            assert torch.equal(open_views(tmp_path, views.id).take(ROWS, number), live)
        expected = teacher(live)["logits"].detach()
        torch.testing.assert_close(kept.take(ROWS, number), expected, rtol=0, atol=1e-6)


def test_a_smaller_scale_reads_the_first_rows_of_a_larger_bank(tmp_path: Path) -> None:
    large, small = views_of(), views_of(ids=IDS[:4])
    build_views(tmp_path, large)
    stored = open_views(tmp_path, large.id)
    rows = torch.arange(4)
    for number in range(3):
        assert torch.equal(stored.take(rows, number), small.images(rows, number))


def test_a_constant_recipe_is_kept_once(tmp_path: Path) -> None:
    views = views_of("none", passes=9)
    assert views.id == views_of("none", passes=2).id
    build_views(tmp_path, views)
    kept = open_views(tmp_path, views.id).take(torch.arange(len(IDS)), views.number(7))
    assert torch.equal(kept, views.dataset.pixels(IDS))
    assert views_parts(tmp_path, views.id).count == 1


def test_everything_that_changes_views_changes_the_id() -> None:
    dataset = noise()
    base = (dataset, "strong", 0, IDS, 3)
    others = [
        (dataset, "standard", 0, IDS, 3),
        (dataset, "strong", 1, IDS, 3),
        (dataset, "strong", 0, IDS[::-1], 3),
        (dataset, "strong", 0, IDS, 4),
    ]
    assert len({Views(*choice).id for choice in [base, *others]}) == 5
    assert Views(*base).id == Views(noise(), "strong", 0, IDS.copy(), 3).id


def test_another_teachers_outputs_are_never_served(tmp_path: Path) -> None:
    views = views_of()
    build_outputs(tmp_path, views, "t1", Linear(), "float32")
    with pytest.raises(BankError, match="0 of 1 parts"):
        open_outputs(tmp_path, views.id, "t2", "float32")
    # Outputs kept in another type are other outputs too.
    with pytest.raises(BankError, match="0 of 1 parts"):
        open_outputs(tmp_path, views.id, "t1", "float16")
    build_outputs(tmp_path, views, "t2", Linear(-1.0), "float32")
    first, second = (
        open_outputs(tmp_path, views.id, teacher, "float32").take(ROWS, 0)
        for teacher in ("t1", "t2")
    )
    assert torch.equal(first, -second)


def test_half_precision_rounds_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    views = views_of()
    for kept_as in ("float16", "float32"):
        build_outputs(tmp_path, views, "t1", Linear(), kept_as)
    half, exact = (
        open_outputs(tmp_path, views.id, "t1", kept_as).take(ROWS, 1)
        for kept_as in ("float16", "float32")
    )
    assert half.dtype == torch.float16
    assert torch.equal(half, exact.half())
    with pytest.raises(BankError, match="not finite numbers as float16: keep them as float32"):
        build_outputs(tmp_path, views, "huge", Linear(1e6))


def test_feature_maps_are_kept_on_request(tmp_path: Path) -> None:
    views, teacher = views_of(), Linear()
    build_outputs(tmp_path, views, "t1", teacher, "float32", names=("logits", "features"))
    kept = open_outputs(tmp_path, views.id, "t1", "float32", "features").take(ROWS, 2)
    assert torch.equal(kept, teacher(views.images(ROWS, 2))["features"])
    assert teacher.asked == 3 * len(IDS) + len(ROWS)


def outputs_files(root: Path, bank_id: str, name: str) -> dict[Path, int]:
    folder = outputs_parts(root, bank_id, "t1", name, "float16").folder
    return {file: file.stat().st_mtime_ns for file in part_files(folder)}


def test_features_that_are_asked_for_later_are_made_beside_the_logits(tmp_path: Path) -> None:
    views, teacher = views_of(), Linear()
    build_outputs(tmp_path, views, "t1", teacher)
    with pytest.raises(BankError, match="0 of 3 parts: run the study again"):
        open_outputs(tmp_path, views.id, "t1", "float16", "features")
    logits = outputs_files(tmp_path, views.id, "logits")
    build_outputs(tmp_path, views, "t1", teacher, names=("logits", "features"))
    # A part of maps is one view; three views of logits are one part.
    features = outputs_files(tmp_path, views.id, "features")
    assert (len(logits), len(features)) == (1, 3)
    assert outputs_files(tmp_path, views.id, "logits") == logits
    assert teacher.asked == 2 * 3 * len(IDS)
    # Whoever needs none finds what it had.
    build_outputs(tmp_path, views, "t1", teacher)
    assert teacher.asked == 2 * 3 * len(IDS)


def test_only_the_damaged_view_of_features_is_asked_for_again(tmp_path: Path) -> None:
    views, teacher, names = views_of(), Linear(), ("logits", "features")
    build_outputs(tmp_path, views, "t1", teacher, names=names)
    logits = outputs_files(tmp_path, views.id, "logits")
    files = list(outputs_files(tmp_path, views.id, "features"))
    before, asked = [file.read_bytes() for file in files], teacher.asked
    files[1].write_bytes(before[1][:-1] + bytes([before[1][-1] ^ 1]))
    build_outputs(tmp_path, views, "t1", teacher, names=names)
    assert teacher.asked == asked + len(IDS)
    assert [file.read_bytes() for file in files] == before
    assert outputs_files(tmp_path, views.id, "logits") == logits


def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    views, teacher = views_of(), Linear()
    build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", teacher)
    asked = teacher.asked
    before = [file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")]
    monkeypatch.setattr(Views, "images", lambda *arguments: pytest.fail("made again"))
    build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", teacher)
    assert teacher.asked == asked
    assert [file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")] == before


@pytest.fixture
def one_view_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SAMPLES_PER_PART", len(IDS))


@pytest.mark.usefixtures("one_view_a_part")
def test_a_stopped_build_goes_on_where_it_stopped(tmp_path: Path) -> None:
    views, teacher = views_of(passes=5), Linear()
    passes_left = iter(range(3))

    def stops(images: Tensor) -> Outputs:
        next(passes_left)
        return teacher(images)

    with pytest.raises(StopIteration):
        build_outputs(tmp_path, views, "t1", stops, "float32")
    with pytest.raises(BankError, match="3 of 5 parts: run the study again"):
        open_outputs(tmp_path, views.id, "t1", "float32")
    assert teacher.asked == 3 * len(IDS)
    build_outputs(tmp_path, views, "t1", teacher, "float32")
    assert teacher.asked == 5 * len(IDS)
    whole = tmp_path / "whole"
    build_outputs(whole, views, "t1", Linear(), "float32")
    files = [part_files(outputs_parts(root, views.id, "t1", "logits", "float32").folder)
             for root in (tmp_path, whole)]  # fmt: skip
    assert [file.name for file in files[0]] == [file.name for file in files[1]]


@pytest.mark.usefixtures("one_view_a_part")
@pytest.mark.parametrize("damage", ["cut short", "emptied", "one bit", "removed"])
def test_a_damaged_part_is_never_served_and_made_again(tmp_path: Path, damage: str) -> None:
    views, teacher = views_of(passes=3), Linear()
    build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", teacher)
    folders = [
        views_parts(tmp_path, views.id).folder,
        outputs_parts(tmp_path, views.id, "t1", "logits", "float16").folder,
    ]
    before = [file.read_bytes() for folder in folders for file in part_files(folder)]
    for folder in folders:
        file = part_files(folder)[1]
        content = file.read_bytes()
        if damage == "removed":
            file.unlink()
        elif damage == "one bit":
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        else:
            file.write_bytes(content[:-9] if damage == "cut short" else b"")
    if damage != "one bit":
        # A flipped bit shows only by the checksum, which each study reads before its trials.
        with pytest.raises(BankError, match="run the study again"):
            open_views(tmp_path, views.id)
    asked = teacher.asked
    build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", teacher)
    assert teacher.asked == asked + len(IDS)
    assert [file.read_bytes() for folder in folders for file in part_files(folder)] == before


def test_builders_at_the_same_time_make_one_bank(tmp_path: Path) -> None:
    teacher = Linear()

    def build(_: int) -> None:
        build_views(tmp_path, views_of())
        build_outputs(tmp_path, views_of(), "t1", teacher)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build, range(8)))
    assert len(list(tmp_path.rglob("*.npy"))) == 2


BUILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_bank
test_bank.parts.SAMPLES_PER_PART = 1
print("building", flush=True)
test_bank.build_views(Path(sys.argv[1]), test_bank.views_of(passes=400))
"""


def test_a_kill_leaves_only_whole_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SAMPLES_PER_PART", 1)
    views = views_of(passes=400)
    command = [sys.executable, "-c", BUILD, str(tmp_path), str(Path(__file__).parent)]
    builder = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert builder.stdout is not None
    builder.stdout.readline()
    folder = tmp_path / views.id / "views"
    while len(part_files(folder)) < 20:
        assert builder.poll() is None
        time.sleep(0.005)
    builder.kill()
    builder.communicate()
    stored = views_parts(tmp_path, views.id)
    assert 0 < len(stored.missing()) <= 380
    assert stored.check() == []
    build_views(tmp_path, views)
    kept = open_views(tmp_path, views.id)
    for number in (0, 20, 399):
        assert torch.equal(kept.take(ROWS, number), views.images(ROWS, number))


def test_the_size_is_known_before_and_the_key_can_be_read(tmp_path: Path) -> None:
    views = views_of()
    build_views(tmp_path, views)
    build_outputs(tmp_path, views, "t1", Linear())
    kept = {file: np.load(file).nbytes for file in tmp_path.rglob("*.npy")}
    expected = views.image_bytes + outputs_bytes(len(IDS), views.count, 4, "float16")
    assert sum(kept.values()) == expected
    about = json.loads((tmp_path / views.id / "about.json").read_text())
    assert about["dataset"] == "noise"
    assert about["augmentation"] == "strong"
    assert about["shape"] == [3, 7, 1, 8, 8]
