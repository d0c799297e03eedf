"""The teacher bank: augmented views made once, and each teacher's logits on them.

A bank is a folder named by the content hash of its views, with

- ``views.npy``: (V, n, C, H, W) uint8, V views of n samples; V = 1 where all views are the same,
- ``logits-<teacher_id>.npy``: (V, n, K) float32, one file for each teacher,
- ``bank.json``: what the views were made of, for people.

It keeps logits, never probabilities: a softmax is taken at the temperature that a trial wants, and
logits make it exact. Probabilities kept at τ = 1 in float16 and brought to τ = 4 are off by a KL
divergence of 8e-3 on a confident teacher, logits in float16 by 6e-8.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from metakd.atomic import new_file, new_folder
from metakd.data.augmentations import VERSION, is_constant, make_views
from metakd.data.datasets import ImageDataset

VIEWS_AT_ONCE = 4096
HASH_LENGTH = 16

Ids = NDArray[np.int64]


class BankError(ValueError):
    """A bank that is not there, or does not hold what is asked of it."""


def views_id(
    dataset_fingerprint: str, recipe: str, seed: int, sample_ids: Ids, num_views: int
) -> str:
    """Returns the content hash of a bank's views; it names their folder."""
    key = _key(dataset_fingerprint, recipe, seed, sample_ids, num_views)
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:HASH_LENGTH]


def bank_bytes(
    samples: int, num_views: int, image_shape: tuple[int, int, int], num_classes: int
) -> int:
    """Returns how many bytes a bank takes with one teacher's logits."""
    return samples * num_views * (math.prod(image_shape) + 4 * num_classes)


def build_views(
    root: Path, dataset: ImageDataset, recipe: str, seed: int, sample_ids: Ids, num_views: int
) -> Path:
    """Makes the views of a bank, unless they are there; several builders may run at once.

    Args:
        root: Where banks are kept.
        dataset: The images.
        recipe: Name of the augmentation.
        seed: Seed of the views.
        sample_ids: The samples in their order, (n,); a batch names them by their row in it.
        num_views: Views of each sample; a recipe that is constant gets one.

    Returns:
        The bank's folder.
    """
    place = root / views_id(dataset.fingerprint, recipe, seed, sample_ids, num_views)
    if place.is_dir():
        return place
    key = _key(dataset.fingerprint, recipe, seed, sample_ids, num_views)
    shape = (_count(recipe, num_views), len(sample_ids), *dataset.image_shape)
    with new_folder(place) as draft:
        views = open_memmap(draft / "views.npy", mode="w+", dtype=np.uint8, shape=shape)
        for start in range(0, len(sample_ids), VIEWS_AT_ONCE):
            ids = sample_ids[start : start + VIEWS_AT_ONCE]
            images, ids_tensor = torch.from_numpy(dataset.images[ids]), torch.from_numpy(ids)
            for view, made in enumerate(views):
                numbers = torch.full_like(ids_tensor, view)
                made[start : start + len(ids)] = make_views(
                    images, ids_tensor, numbers, recipe, seed
                ).numpy()
        about = {**key, "dataset": dataset.name, "shape": shape}
        (draft / "bank.json").write_text(json.dumps(about, indent=2))
    return place


def build_logits(
    root: Path,
    views_id: str,
    teacher_id: str,
    teacher: Callable[[Tensor], Tensor],
    batch_size: int = 1024,
) -> Path:
    """Asks a teacher about every view of a bank, unless its answers are there.

    Args:
        root: Where banks are kept.
        views_id: Which bank.
        teacher_id: Content hash of the teacher.
        teacher: Maps views (B, C, H, W) uint8 to logits (B, K).
        batch_size: How many views it is asked about at once.

    Returns:
        The file of its logits.

    Raises:
        BankError: If there is no such bank.
    """
    place = _logits_file(root / views_id, teacher_id)
    if place.exists():
        return place
    views = _map_views(root / views_id)
    flat = views.reshape(-1, *views.shape[2:])
    with new_file(place) as draft, torch.no_grad():
        logits: NDArray[np.float32] | None = None
        for start in range(0, len(flat), batch_size):
            asked = torch.from_numpy(flat[start : start + batch_size].copy())
            answer = teacher(asked).float().cpu().numpy()
            if logits is None:
                shape = (*views.shape[:2], answer.shape[1])
                logits = open_memmap(draft, mode="w+", dtype=np.float32, shape=shape)
            logits.reshape(len(flat), -1)[start : start + len(answer)] = answer
    return place


@dataclass(frozen=True)
class ViewBank:
    """A bank opened for reading; all processes of a machine share its pages.

    Attributes:
        views: (V, n, C, H, W) uint8.
        logits: (V, n, K) float32 of one teacher, or None.
    """

    views: NDArray[np.uint8]
    logits: NDArray[np.float32] | None

    @staticmethod
    def open(root: Path, views_id: str, teacher_id: str | None) -> "ViewBank":
        """Opens a bank, with the logits of one teacher if one is named.

        Raises:
            BankError: If there is no such bank, or it lacks that teacher's logits.
        """
        folder = root / views_id
        views = _map_views(folder)
        if teacher_id is None:
            return ViewBank(views, None)
        file = _logits_file(folder, teacher_id)
        if not file.exists():
            raise BankError(
                f"bank {folder} has no logits of teacher {teacher_id}: build them first"
            )
        return ViewBank(views, np.asarray(np.load(file, mmap_mode="r")))

    def batch(self, rows: Tensor, view: int) -> tuple[Tensor, Tensor | None]:
        """Returns views (B, C, H, W) uint8, and the logits on them (B, K) float32.

        Args:
            rows: Places in the bank's order of samples, (B,) int64.
            view: Number of the view; after the last comes the first again.
        """
        view %= len(self.views)
        index = rows.numpy()
        logits = None if self.logits is None else torch.from_numpy(self.logits[view][index])
        return torch.from_numpy(self.views[view][index]), logits


def _count(recipe: str, num_views: int) -> int:
    return 1 if is_constant(recipe) else num_views


def _key(
    dataset_fingerprint: str, recipe: str, seed: int, sample_ids: Ids, num_views: int
) -> dict[str, str | int]:
    order = np.ascontiguousarray(sample_ids, dtype=np.int64).data
    return {
        "dataset_fingerprint": dataset_fingerprint,
        "augmentation": recipe,
        "augmentation_version": VERSION,
        "seed": seed,
        "samples": len(sample_ids),
        "sample_order": hashlib.sha256(order).hexdigest(),
        "views": _count(recipe, num_views),
    }


def _logits_file(folder: Path, teacher_id: str) -> Path:
    return folder / f"logits-{teacher_id}.npy"


def _map_views(folder: Path) -> NDArray[np.uint8]:
    if not folder.is_dir():
        raise BankError(f"there is no bank {folder}: build its views first")
    # A plain array over the map: indexing numpy.memmap itself is several times slower.
    return np.asarray(np.load(folder / "views.npy", mmap_mode="r"))
