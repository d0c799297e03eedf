import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.data.splits import (
    SplitError,
    Splits,
    make_splits,
    nested_at_most_per_class,
    nested_per_class,
    nested_subset,
)

# Of six samples of a class at least one is left to train on.
label_arrays = st.tuples(
    st.integers(1, 7), st.lists(st.integers(0, 6), min_size=24, max_size=200)
).map(lambda drawn: np.array([*range(drawn[0])] * 6 + [k % drawn[0] for k in drawn[1]], np.int64))
seeds = st.integers(0, 2**31)


def parts(splits: Splits) -> list[np.ndarray]:
    return [splits.train, splits.validation, splits.test]


def worst_share(chosen: np.ndarray, pool: np.ndarray, labels: np.ndarray) -> float:
    """How far a class is from its share among the chosen, in samples."""
    classes = np.unique(labels[pool])
    counts = np.array([(labels[chosen] == k).sum() for k in classes])
    shares = np.array([(labels[pool] == k).mean() for k in classes]) * len(chosen)
    return float(np.abs(counts - shares).max())


@given(label_arrays, seeds)
@settings(deadline=None)
def test_splits_are_disjoint_sorted_cover_everything_and_keep_shares(
    labels: np.ndarray, seed: int
) -> None:
    splits = make_splits(labels, None, seed)
    assert np.array_equal(np.sort(np.concatenate(parts(splits))), np.arange(len(labels)))
    for part in parts(splits):
        assert np.all(np.diff(part) > 0)
    pool = np.setdiff1d(np.arange(len(labels)), splits.test)
    assert len(splits.test) == round(0.3 * len(labels))
    assert len(splits.validation) == round(0.15 * len(pool))
    assert worst_share(splits.test, np.arange(len(labels)), labels) < 1
    assert worst_share(splits.validation, pool, labels) < 1


def test_the_official_test_set_is_kept() -> None:
    labels = np.arange(100) % 4
    test_ids = np.array([90, 3, 5])
    splits = make_splits(labels, test_ids, seed=1)
    assert splits.test.tolist() == [3, 5, 90]
    assert len(splits.validation) == round(0.15 * 97)
    assert np.array_equal(np.sort(np.concatenate(parts(splits))), np.arange(100))


def test_the_seed_decides_the_split() -> None:
    labels = np.arange(200) % 5
    first, again, other = (make_splits(labels, None, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(parts(first), parts(again), strict=True))
    assert not np.array_equal(first.test, other.test)
    assert not np.array_equal(first.validation, other.validation)


@given(label_arrays, seeds, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 3))
@settings(deadline=None)
def test_a_smaller_scale_is_a_prefix_of_a_larger_one(
    labels: np.ndarray, seed: int, one: float, other: float, floor: int
) -> None:
    train = np.arange(len(labels))[::2]
    small, large = (nested_subset(train, labels, s, seed, floor) for s in sorted((one, other)))
    assert np.array_equal(small, large[: len(small)])
    assert len(np.unique(large)) == len(large)
    assert np.isin(large, train).all()


@given(label_arrays, seeds, st.floats(0.01, 1), st.integers(1, 9))
@settings(deadline=None)
def test_a_scale_has_its_size_every_class_its_share_and_its_floor(
    labels: np.ndarray, seed: int, scale: float, floor: int
) -> None:
    train = np.arange(len(labels))
    chosen = nested_subset(train, labels, scale, seed, floor)
    classes, counts = np.unique(labels, return_counts=True)
    least = np.minimum(counts, floor)  # all of a class that has fewer
    assert len(chosen) == max(round(scale * len(train)), least.sum())
    assert all((labels[chosen] == k).sum() >= n for k, n in zip(classes, least, strict=True))
    # Where a class's share is below the floor, that comes before the shares.
    if len(chosen) * counts.min() / len(train) >= floor:
        assert worst_share(chosen, train, labels) < 1


def test_the_whole_scale_is_the_whole_training_split_in_another_order_by_seed() -> None:
    labels = np.arange(60) % 3
    train = np.arange(10, 60)
    first, other = nested_subset(train, labels, 1, 0), nested_subset(train, labels, 1, 1)
    assert np.array_equal(np.sort(first), train)
    assert np.array_equal(np.sort(other), train)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("scale", [0, -0.1, 1.5, float("nan")])
def test_a_scale_outside_its_range_is_refused(scale: float) -> None:
    with pytest.raises(SplitError, match=r"scale must be in \(0, 1\], got scale="):
        nested_subset(np.arange(4), np.zeros(4, dtype=np.int64), scale, 0)


def test_fractions_outside_their_range_are_refused() -> None:
    labels = np.zeros(10, dtype=np.int64)
    with pytest.raises(SplitError, match=r"test_fraction must be in \[0, 1\)"):
        make_splits(labels, None, test_fraction=1.2)
    with pytest.raises(SplitError, match="nothing to train on"):
        make_splits(labels, None, validation_fraction=0.99)


@given(label_arrays, seeds, st.integers(1, 3), st.integers(0, 3))
@settings(deadline=None)
def test_images_per_class_are_exact_and_nested(
    labels: np.ndarray, seed: int, few: int, more: int
) -> None:
    train = np.arange(len(labels))
    small = nested_per_class(train, labels, few, seed)
    large = nested_per_class(train, labels, few + more, seed)
    assert np.array_equal(large[: len(small)], small)
    for chosen, count in ((small, few), (large, few + more)):
        assert len(np.unique(chosen)) == len(chosen)
        classes, counts = np.unique(labels[chosen], return_counts=True)
        assert np.array_equal(classes, np.unique(labels))
        assert set(counts) == {count}


@given(label_arrays, seeds, st.integers(1, 30), st.integers(0, 3))
@settings(deadline=None)
def test_at_most_so_many_of_a_class_are_all_where_it_has_fewer_and_nested(
    labels: np.ndarray, seed: int, few: int, more: int
) -> None:
    held_out = np.arange(len(labels))[::3]
    small = nested_at_most_per_class(held_out, labels, few, seed)
    large = nested_at_most_per_class(held_out, labels, few + more, seed)
    assert np.array_equal(large[: len(small)], small)
    assert set(large) <= set(held_out)
    assert len(set(small)) == len(small)
    classes, counts = np.unique(labels[held_out], return_counts=True)
    for k, count in zip(classes, counts, strict=True):
        assert (labels[small] == k).sum() == min(few, count)


def test_more_images_of_a_class_than_there_are_are_refused() -> None:
    labels = np.array([0] * 9 + [1] * 4)
    with pytest.raises(SplitError, match="more than the 4 training images of class 1: choose at"):
        nested_per_class(np.arange(13), labels, 5, seed=0)
    with pytest.raises(SplitError, match="at least 1, got 0"):
        nested_per_class(np.arange(13), labels, 0, seed=0)


def test_a_class_that_nothing_is_left_of_to_train_on_is_refused() -> None:
    labels = np.array([0] * 50 + [1] * 50 + [2])
    with pytest.raises(SplitError, match="class 2 has 1 image and none is left to train"):
        make_splits(labels, np.array([100, 3, 60]))


def test_a_held_out_split_that_overlaps_is_refused() -> None:
    ids = np.arange(12)
    message = r"^train and validation overlap: 2 of 3 samples of validation are in"
    with pytest.raises(SplitError, match=message):
        Splits(train=ids[:6], validation=np.array([4, 5, 8]), test=ids[9:])


@given(st.integers(1, 12), st.sampled_from([0.05, 0.1, 0.125, 0.3]))
def test_a_held_out_split_is_never_empty_and_the_message_says_how_many_samples_it_takes(
    count: int, fraction: float
) -> None:
    labels = np.zeros(count, np.int64)
    nobody = np.array([], np.int64)
    if round(fraction * count) > 0:
        splits = make_splits(labels, nobody, validation_fraction=fraction)
        assert len(splits.validation) == round(fraction * count)
        return
    with pytest.raises(SplitError, match="leaves the validation split empty") as refused:
        make_splits(labels, nobody, validation_fraction=fraction)
    needed = int(str(refused.value).split()[-1])
    assert needed > count
    make_splits(np.zeros(needed, np.int64), nobody, validation_fraction=fraction)
