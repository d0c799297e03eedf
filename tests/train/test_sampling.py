"""Which samples are held out at each scale."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.data.splits import make_splits
from metakd.train.content import content_id
from metakd.train.samples import open_samples
from metakd.train.sampling import HELD_OUT_PER_CLASS, Sampling

LABELS = np.random.default_rng(0).choice(4, size=600, p=[0.5, 0.3, 0.17, 0.03])
SPLITS = make_splits(LABELS, None)
IN_SPLIT = np.bincount(LABELS[SPLITS.validation], minlength=4)


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 2**31))
@settings(deadline=None)
def test_held_out_samples_scale_nested_stratified_and_two_of_a_class(
    one: float, other: float, seed: int
) -> None:
    scales = sorted((one, other))
    small, large = (Sampling(s, "none").held_out_ids(SPLITS, LABELS, seed) for s in scales)
    assert np.array_equal(large[: len(small)], small)
    assert np.isin(large, SPLITS.validation).all()
    least = np.minimum(IN_SPLIT, HELD_OUT_PER_CLASS)
    for scale, chosen in zip(scales, (small, large), strict=True):
        counts = np.bincount(LABELS[chosen], minlength=4)
        assert (counts >= least).all()
        assert len(chosen) == max(round(scale * len(SPLITS.validation)), least.sum())
        if scale * IN_SPLIT.min() >= HELD_OUT_PER_CLASS:
            assert np.abs(counts - scale * IN_SPLIT).max() < 1.5


def test_at_full_scale_all_of_validation_is_held_out_whatever_was_chosen() -> None:
    scaled, full = (
        Sampling(1.0, "none", validation=each).held_out_ids(SPLITS, LABELS, 5)
        for each in ("scaled", "full")
    )
    assert np.array_equal(scaled, full)
    assert np.array_equal(np.sort(scaled), SPLITS.validation)
    little = Sampling(0.01, "none", validation="full").held_out_ids(SPLITS, LABELS, 5)
    assert np.array_equal(little, full)


@pytest.mark.parametrize("per_class", [None, 3])
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_choice_is_part_of_the_id_wherever_it_may_decide(
    scale: float, per_class: int | None
) -> None:
    scaled, full = (
        Sampling(scale, "none", images_per_class=per_class, validation=each)
        for each in ("scaled", "full")
    )
    one, other = (s.held_out_ids(SPLITS, LABELS, 5).tolist() for s in (scaled, full))
    assert (content_id(scaled) == content_id(full)) == (one == other)
    by_steps = replace(scaled, match="steps")
    assert (content_id(by_steps) == content_id(scaled)) == (scale == 1)


def test_the_seed_decides_which_are_held_out() -> None:
    sampling = Sampling(0.3, "none")
    first, again, other = (sampling.held_out_ids(SPLITS, LABELS, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert set(first) != set(other)


@pytest.mark.parametrize(
    ("images_per_class", "held_out_per_class"), [(1, 2), (10, 2), (20, 4), (60, 11)]
)
def test_images_per_class_hold_out_as_large_a_part(
    prepared: Any, images_per_class: int, held_out_per_class: int
) -> None:
    samples = open_samples(prepared.trial.data, prepared.folder)
    labels, splits = samples.dataset.labels, samples.splits
    # 189 are held out for 1069 that train.
    sampling = Sampling(10 * images_per_class / 1069, "none", images_per_class)
    chosen = sampling.held_out_ids(splits, labels, 0)
    assert np.bincount(labels[chosen]).tolist() == [held_out_per_class] * 10


def test_fewer_images_per_class_hold_out_a_prefix() -> None:
    chosen = [
        Sampling(0.5, "none", k).held_out_ids(SPLITS, LABELS, 0) for k in (1, 12, 40, 80, 400)
    ]
    for few, more in pairwise(chosen):
        assert np.array_equal(more[: len(few)], few)
    assert np.array_equal(np.sort(chosen[-1]), SPLITS.validation)
