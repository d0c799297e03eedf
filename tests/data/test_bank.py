import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from metakd.data.augmentations import make_views
from metakd.data.bank import BankError, ViewBank, bank_bytes, build_logits, build_views, views_id
from metakd.data.datasets import ImageDataset

IDS = np.array([11, 3, 27, 8, 19, 0, 30])


@pytest.fixture
def dataset() -> ImageDataset:
    random = np.random.default_rng(0)
    return ImageDataset(
        images=random.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8),
        labels=np.arange(40) % 4,
        class_names=("a", "b", "c", "d"),
        test_ids=None,
        name="noise",
        fingerprint="0123",
    )


@pytest.fixture
def teacher() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def ask(teacher: nn.Module, views: Tensor) -> Tensor:
    return teacher(views.float() / 255)


def build(root: Path, dataset: ImageDataset, recipe: str = "strong", views: int = 3) -> str:
    return build_views(root, dataset, recipe, 5, IDS, views).name


def test_a_bank_holds_what_would_be_made_live(
    tmp_path: Path, dataset: ImageDataset, teacher: nn.Module
) -> None:
    bank_id = build(tmp_path, dataset)
    build_logits(tmp_path, bank_id, "t1", lambda views: ask(teacher, views), batch_size=4)
    bank = ViewBank.open(tmp_path, bank_id, "t1")
    rows = torch.tensor([6, 0, 2])
    for number in range(5):
        views, logits = bank.batch(rows, number)
        ids = torch.from_numpy(IDS)[rows]
        live = make_views(
            torch.from_numpy(dataset.images[ids.numpy()]),
            ids,
            torch.full_like(ids, number % 3),
            "strong",
            5,
        )
        assert torch.equal(views, live)
        assert logits is not None
        torch.testing.assert_close(logits, ask(teacher, live).detach(), rtol=0, atol=1e-6)


def test_a_smaller_scale_reads_the_first_rows_of_a_larger_bank(
    tmp_path: Path, dataset: ImageDataset
) -> None:
    large = ViewBank.open(tmp_path, build(tmp_path, dataset), None)
    small_id = build_views(tmp_path, dataset, "strong", 5, IDS[:4], 3).name
    small = ViewBank.open(tmp_path, small_id, None)
    rows = torch.arange(4)
    assert torch.equal(large.batch(rows, 1)[0], small.batch(rows, 1)[0])


def test_a_constant_recipe_is_stored_once(tmp_path: Path, dataset: ImageDataset) -> None:
    bank_id = build(tmp_path, dataset, "none", views=9)
    assert bank_id == build(tmp_path, dataset, "none", views=2)
    bank = ViewBank.open(tmp_path, bank_id, None)
    assert bank.views.shape == (1, len(IDS), 1, 8, 8)
    assert bank.batch(torch.tensor([2]), 7)[0].numpy().tolist() == [dataset.images[27].tolist()]


def test_everything_that_changes_views_changes_the_id() -> None:
    base = ("f", "strong", 0, IDS, 3)
    others = [
        ("g", "strong", 0, IDS, 3),
        ("f", "standard", 0, IDS, 3),
        ("f", "strong", 1, IDS, 3),
        ("f", "strong", 0, IDS[::-1], 3),
        ("f", "strong", 0, IDS, 4),
    ]
    ids = {views_id(*choice) for choice in [base, *others]}
    assert len(ids) == 6
    assert views_id(*base) == views_id("f", "strong", 0, IDS.copy(), 3)


def test_another_teachers_logits_are_never_served(
    tmp_path: Path, dataset: ImageDataset, teacher: nn.Module
) -> None:
    bank_id = build(tmp_path, dataset)
    build_logits(tmp_path, bank_id, "t1", lambda views: ask(teacher, views))
    with pytest.raises(BankError, match="no logits of teacher t2"):
        ViewBank.open(tmp_path, bank_id, "t2")
    build_logits(tmp_path, bank_id, "t2", lambda views: -ask(teacher, views))
    rows = torch.arange(3)
    first = ViewBank.open(tmp_path, bank_id, "t1").batch(rows, 0)[1]
    second = ViewBank.open(tmp_path, bank_id, "t2").batch(rows, 0)[1]
    assert first is not None
    assert second is not None
    assert torch.equal(first, -second)


def test_a_build_that_fails_is_not_opened(
    tmp_path: Path, dataset: ImageDataset, teacher: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Tensor:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("metakd.data.bank.make_views", fail)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path, dataset)
    bank_id = views_id(dataset.fingerprint, "strong", 5, IDS, 3)
    with pytest.raises(BankError, match="there is no bank"):
        ViewBank.open(tmp_path, bank_id, None)
    with pytest.raises(BankError, match="there is no bank"):
        build_logits(tmp_path, bank_id, "t1", lambda views: ask(teacher, views))

    build(tmp_path, dataset)
    asked = iter([ask(teacher, torch.zeros(4, 1, 8, 8)), None])
    with pytest.raises(AttributeError):
        build_logits(tmp_path, bank_id, "t1", lambda views: next(asked), batch_size=4)
    with pytest.raises(BankError, match="no logits"):
        ViewBank.open(tmp_path, bank_id, "t1")


def test_builders_at_the_same_time_make_one_bank(tmp_path: Path, dataset: ImageDataset) -> None:
    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(lambda _: build(tmp_path, dataset), range(8)))
    assert len(ids) == 1
    assert [path.name for path in tmp_path.iterdir()] == list(ids)


def test_what_is_there_is_not_made_again(
    tmp_path: Path, dataset: ImageDataset, teacher: nn.Module
) -> None:
    bank_id = build(tmp_path, dataset)
    file = build_logits(tmp_path, bank_id, "t1", lambda views: ask(teacher, views))
    before = file.stat().st_mtime_ns, (file.parent / "views.npy").stat().st_mtime_ns
    build(tmp_path, dataset)
    build_logits(tmp_path, bank_id, "t1", lambda views: pytest.fail("asked again"))
    assert before == (file.stat().st_mtime_ns, (file.parent / "views.npy").stat().st_mtime_ns)


def test_the_size_is_estimated_and_the_key_can_be_read(
    tmp_path: Path, dataset: ImageDataset, teacher: nn.Module
) -> None:
    bank_id = build(tmp_path, dataset)
    file = build_logits(tmp_path, bank_id, "t1", lambda views: ask(teacher, views))
    bank = ViewBank.open(tmp_path, bank_id, "t1")
    assert bank.logits is not None
    expected = bank.views.nbytes + bank.logits.nbytes
    assert bank_bytes(len(IDS), 3, dataset.image_shape, dataset.num_classes) == expected
    about = json.loads((file.parent / "bank.json").read_text())
    assert about["dataset"] == "noise"
    assert about["augmentation"] == "strong"
    assert about["shape"] == [3, 7, 1, 8, 8]
