"""Which views and outputs a study keeps, how much room they take, and whether there is room."""

import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metakd.data.bank import outputs_bytes
from metakd.data.views import Views
from metakd.errors import UserError
from metakd.models.outline import feature_shape
from metakd.results.study import nearest_existing
from metakd.study.options import BankPolicy, Mode
from metakd.train.bank_building import BankContent
from metakd.train.student import Bank
from metakd.train.trial import TeacherSpec

DISK_SHARE = 0.9
"""A study's banks fill at most this share of what is free."""


class RoomError(UserError):
    """What a study would keep does not fit on the disk."""


@dataclass(frozen=True)
class BankSpec:
    """The views of one augmentation and seed, and what is kept of them and of teachers' outputs.

    Where views are not mixed in pairs, those of the largest scale serve the smaller ones.
    """

    id: str
    content: BankContent
    teachers: tuple[TeacherSpec, ...]
    samples: int
    passes: int
    views_bytes: int
    logits_bytes: int
    features_of: tuple[TeacherSpec, ...] = ()
    """Teachers whose features are used."""
    features_bytes: int = 0
    mode: Mode = "live"
    keeps_features: bool = False

    @property
    def augmentation(self) -> str:
        """Name of the recipe of its views."""
        return self.content.sampling.augmentation

    @property
    def kept_bytes(self) -> int:
        """What it takes on disk."""
        outputs = self.logits_bytes + self.features_bytes * self.keeps_features
        return {"full": self.views_bytes + outputs, "logits": outputs, "live": 0}[self.mode]

    @property
    def for_trials(self) -> Bank | None:
        """What trials need of it."""
        if self.mode == "live":
            return None
        return Bank(self.id, self.mode == "full", self.keeps_features)

    @property
    def in_words(self) -> str:
        """What a plan says of it: without features, methods that match them run the teachers."""
        if not self.features_of or self.mode == "live":
            return self.mode
        return f"{self.mode} {'with' if self.keeps_features else 'without'} features"

    def keeps_features_of(self, teacher: TeacherSpec) -> bool:
        """Says whether a teacher's features are kept beside its logits."""
        return self.keeps_features and teacher in self.features_of


def bank_of(
    views: Views,
    content: BankContent,
    teachers: tuple[TeacherSpec, ...],
    features_of: tuple[TeacherSpec, ...] = (),
) -> BankSpec:
    """Describes the bank of some views; nothing of it is kept yet.

    Args:
        views: What students see.
        content: What they are made of.
        teachers: The teachers.
        features_of: Those whose features are used, too.

    Raises:
        FeatureError: If one of these shows none.
    """
    dataset, samples, kept_as = views.dataset, len(views.sample_ids), content.sampling.logits
    logits = outputs_bytes(samples, views.count, dataset.num_classes, kept_as)
    features = [
        math.prod(feature_shape(teacher.model, dataset.image_shape, dataset.num_classes))
        for teacher in features_of
    ]
    return BankSpec(
        id=views.id,
        content=content,
        teachers=teachers,
        samples=samples,
        passes=views.count,
        views_bytes=views.image_bytes,
        logits_bytes=logits * len(teachers),
        features_of=features_of,
        features_bytes=outputs_bytes(samples, views.count, sum(features), kept_as),
    )


def choose_modes(banks: Sequence[BankSpec], policy: BankPolicy) -> list[BankSpec]:
    """Decides what is kept: all logits if they fit, then features, then views.

    Of features and of views those of the augmentations where they are smallest come first. Features
    before views: what is not kept of them takes a pass of every teacher at every step.

    Args:
        banks: All banks of a study.
        policy: What the user wants.
    """
    if policy.mode is not None:
        keeps = policy.mode != "live"
        return [replace(b, mode=policy.mode, keeps_features=keeps and _has(b)) for b in banks]
    room = policy.limit_bytes - sum(bank.logits_bytes for bank in banks)
    if room < 0:
        return [replace(bank, mode="live") for bank in banks]
    with_features, room = _fitting(banks, lambda bank: bank.features_bytes, room)
    with_views, _ = _fitting(banks, lambda bank: bank.views_bytes, room)
    return [
        replace(
            bank,
            mode="full" if bank.augmentation in with_views else "logits",
            keeps_features=bank.augmentation in with_features and _has(bank),
        )
        for bank in banks
    ]


def free_bytes(place: Path) -> int:
    """Returns what is free on the disk where a folder is or will be."""
    return shutil.disk_usage(nearest_existing(place)).free


def check_room(banks: Iterable[BankSpec], folder: Path) -> None:
    """Refuses banks that the disk does not hold; what is there already counts as held.

    Raises:
        RoomError: If they are too large.
    """
    missing = sum(max(0, bank.kept_bytes - _size(folder / bank.id)) for bank in banks)
    free = free_bytes(folder)
    if missing > DISK_SHARE * free:
        raise RoomError(
            f"the banks need {missing / 2**30:.1f} GiB more, but {folder} has "
            f"{free / 2**30:.1f} GiB free: choose --bank logits or live, fewer scales, "
            "augmentations or seeds, or another --out"
        )


def _has(bank: BankSpec) -> bool:
    return bool(bank.features_of)


def _fitting(
    banks: Sequence[BankSpec], size: Callable[[BankSpec], int], room: int
) -> tuple[set[str], int]:
    """Returns the augmentations for which something fits, smallest first, and the room left."""
    sizes: dict[str, int] = {}
    for bank in banks:
        sizes[bank.augmentation] = sizes.get(bank.augmentation, 0) + size(bank)
    fits = set()
    for augmentation, taken in sorted(sizes.items(), key=lambda item: item[1]):
        if taken <= room:
            fits.add(augmentation)
            room -= taken
    return fits, room


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.npy"))
