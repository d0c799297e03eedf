"""Which samples train, are held out and test; and which of them a scale keeps."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from metakd.data.counter_random import derive_seed, random_bits
from metakd.errors import UserError

Ids = NDArray[np.int64]

SPLIT_VERSION = 2
"""Of the algorithm: raised with every change of which samples a split or a subset holds."""


class SplitError(UserError):
    """A split that cannot be made."""


@dataclass(frozen=True)
class Splits:
    """Disjoint sorted sample ids that cover the dataset.

    Attributes:
        train: For the student, and for the teacher.
        validation: Held out of training: for whatever chooses or learns by samples that the
            student does not train on.
        test: Read once by a finished trial.

    Raises:
        SplitError: If a sample stands in two parts.
    """

    train: Ids
    validation: Ids
    test: Ids

    def __post_init__(self) -> None:
        parts = {each.name: np.unique(getattr(self, each.name)) for each in fields(self)}
        for (one, ids), (other, others) in combinations(parts.items(), 2):
            shared = np.intersect1d(ids, others, assume_unique=True)
            if len(shared) > 0:
                raise SplitError(
                    f"{one} and {other} overlap: {len(shared)} of {len(others)} samples of {other} "
                    f"are in {one} too, the first is {shared[0]}: take them out of one of them"
                )


def make_splits(
    labels: NDArray[np.int64],
    test_ids: Ids | None,
    seed: int = 0,
    test_fraction: float = 0.3,
    validation_fraction: float = 0.15,
    class_names: Sequence[str] | None = None,
) -> Splits:
    """Splits a dataset; in each part every class has its share, give or take one sample.

    Args:
        labels: The class of every sample, (N,).
        test_ids: The official test set; None draws one.
        seed: Seed of what is drawn.
        test_fraction: Share of all samples that is drawn as the test set.
        validation_fraction: Share of the samples outside the test set.
        class_names: For errors; None calls classes by their numbers.

    Raises:
        SplitError: If a fraction is not in [0, 1), validation has a share of the samples and none
            of them, or none are left to train on.
    """
    fractions = {"test_fraction": test_fraction, "validation_fraction": validation_fraction}
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise SplitError(f"{name} must be in [0, 1), got {name}={fraction}")
    everything = np.arange(len(labels))
    if test_ids is None:
        test, pool = _draw(everything, labels, test_fraction, len(labels), seed, "test")
    else:
        test, pool = np.sort(test_ids), np.setdiff1d(everything, test_ids)
    size = len(pool)
    validation, train = _draw(pool, labels, validation_fraction, size, seed, "validation")
    if validation_fraction > 0 and len(validation) == 0:
        raise SplitError(
            f"{size} samples outside the test set are too few: {validation_fraction:g} of them "
            "leaves the validation split empty; give at least "
            f"{math.floor(0.5 / validation_fraction) + 1}"
        )
    if len(train) == 0:
        raise SplitError(
            f"validation_fraction={validation_fraction} of {size} samples outside the test set "
            "leaves nothing to train on: lower it, or give more samples"
        )
    untrained = np.setdiff1d(labels, labels[train])
    if len(untrained) > 0:
        name = untrained[0] if class_names is None else class_names[untrained[0]]
        count = int(np.sum(labels == untrained[0]))
        raise SplitError(
            f"class {name} has {count} image{'s' * (count != 1)} and none is left to train on "
            "beside what tests and is held out: give it more, or leave the class out of the dataset"
        )
    return Splits(train, validation, test)


def nested_subset(
    ids: Ids, labels: NDArray[np.int64], scale: float, seed: int, floor: int = 1
) -> Ids:
    """Returns the share ``scale`` of a split, but at least ``floor`` samples of every class.

    A smaller scale is a prefix of a larger one with the same seed. Every class has its share, give
    or take one sample, where no class has a share below the floor; one that has fewer samples than
    the floor has all of them.

    Args:
        ids: The split.
        labels: The class of every sample of the dataset.
        scale: Share to keep.
        seed: Seed of the choice.
        floor: Samples of every class that any scale keeps.

    Raises:
        SplitError: If the scale is not in (0, 1].
    """
    if not 0 < scale <= 1:
        raise SplitError(f"scale must be in (0, 1], got scale={scale}")
    members = _shuffled_classes(ids, labels, derive_seed(seed, "subset"))
    first_of_class = np.concatenate([of_class[:floor] for of_class in members])
    size = max(round(scale * len(ids)), len(first_of_class))
    order = _balanced_order(members, size)
    others = order[~np.isin(order, first_of_class)]
    return np.concatenate([first_of_class, others])[:size]


def nested_per_class(
    train_ids: Ids, labels: NDArray[np.int64], images_per_class: int, seed: int
) -> Ids:
    """Returns so many training ids of every class; fewer of each are a prefix of more.

    Args:
        train_ids: The training split.
        labels: The class of every sample of the dataset.
        images_per_class: How many of each class.
        seed: Seed of the choice.

    Raises:
        SplitError: If a class has fewer, or the number is 0.
    """
    if images_per_class < 1:
        raise SplitError(f"images_per_class must be at least 1, got {images_per_class}")
    members = _shuffled_classes(train_ids, labels, derive_seed(seed, "subset"))
    smallest = min(len(ids) for ids in members)
    if images_per_class > smallest:
        raise SplitError(
            f"images_per_class={images_per_class} is more than the {smallest} training images of "
            f"class {labels[min(members, key=len)[0]]}: choose at most {smallest}"
        )
    return _in_turn(members, images_per_class)


def nested_at_most_per_class(
    ids: Ids, labels: NDArray[np.int64], images_per_class: int, seed: int
) -> Ids:
    """Returns so many ids of every class, or all where it has fewer; fewer are a prefix of more.

    Args:
        ids: The split.
        labels: The class of every sample of the dataset.
        images_per_class: How many of each class.
        seed: Seed of the choice.
    """
    return _in_turn(_shuffled_classes(ids, labels, derive_seed(seed, "subset")), images_per_class)


def _draw(
    ids: Ids, labels: NDArray[np.int64], fraction: float, of: int, seed: int, purpose: str
) -> tuple[Ids, Ids]:
    size = min(round(fraction * of), len(ids))
    members = _shuffled_classes(ids, labels, derive_seed(seed, purpose))
    drawn = np.sort(_balanced_order(members, size))
    return drawn, np.setdiff1d(ids, drawn)


def _shuffled_classes(ids: Ids, labels: NDArray[np.int64], seed: int) -> list[Ids]:
    keys = random_bits(seed, torch.from_numpy(np.asarray(ids, dtype=np.int64))).numpy()
    shuffled = ids[np.argsort(keys, kind="stable")]
    classes = labels[shuffled]
    by_class = np.argsort(classes, kind="stable")
    _, starts = np.unique(classes[by_class], return_index=True)
    return np.split(shuffled[by_class], starts[1:]) if len(ids) else []


def _in_turn(members: list[Ids], rounds: int) -> Ids:
    """Returns one id of each class that has one left, round after round."""
    chosen = np.concatenate([ids[:rounds] for ids in members])
    places = np.concatenate([np.arange(len(ids[:rounds])) for ids in members])
    return chosen[np.argsort(places, kind="stable")]


def _balanced_order(members: list[Ids], size: int) -> Ids:
    """Returns ``size`` ids such that every prefix holds each class within one of its share."""
    classes = _balanced_classes(tuple(len(ids) for ids in members), size)
    counts = np.bincount(classes, minlength=len(members))
    order = np.empty(size, dtype=np.int64)
    taken = [ids[:count] for ids, count in zip(members, counts, strict=True)]
    order[np.argsort(classes, kind="stable")] = np.concatenate([order[:0], *taken])
    return order


# The same for all seeds of a scale, and most of what a plan of many images takes.
@lru_cache(maxsize=16)
def _balanced_classes(counts: tuple[int, ...], size: int) -> NDArray[np.int32]:
    """Returns ``size`` classes: after m of them class k came within one of m·counts[k]/n times."""
    return np.fromiter(_classes_in_turn(counts, size), dtype=np.int32, count=size)


def _classes_in_turn(counts: Sequence[int], size: int) -> Iterator[int]:
    """Yields ``size`` classes as ``_balanced_classes`` has them.

    Tijdeman's solution of the chairman assignment problem (1980, doi 10.1016/0012-365X(80)90269-1):
    with ε = 1 / (2K − 2), the j-th sample of class k may come once its share m·counts[k]/n has
    grown to j − 1 + ε, and has to come before it exceeds j − ε; whichever is due first comes next.
    """
    total, slack = sum(counts), max(2 * len(counts) - 2, 1)
    taken = [0] * len(counts)

    def release(k: int) -> int:
        return -(-(taken[k] * slack + 1) * total // (slack * counts[k]))  # rounded up

    def deadline(k: int) -> float:
        return ((taken[k] + 1) * slack - 1) * total / counts[k]

    waiting = [(release(k), k) for k in range(len(counts))]
    heapq.heapify(waiting)
    ready: list[tuple[float, int]] = []
    for place in range(1, size + 1):
        while waiting and waiting[0][0] <= place:
            k = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (deadline(k), k))
        k = heapq.heappop(ready)[1]
        taken[k] += 1
        if taken[k] < counts[k]:
            heapq.heappush(waiting, (release(k), k))
        yield k
