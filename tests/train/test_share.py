"""Shares of a batch: even ones, or none."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from metakd.core.distillers import KDConfig, MKDConfig, MMKDConfig
from metakd.core.lookahead.look_aheads import MetaData
from metakd.core.training import Recipe
from metakd.train.share import (
    ALONE,
    Share,
    ShareError,
    largest_divisor,
    require_even,
    require_same_result,
)


@given(st.integers(0, 50), st.integers(1, 7))
def test_shares_are_disjoint_and_whole(rows: int, workers: int) -> None:
    shares = [Share(rank, workers).of(torch.arange(rows)) for rank in range(workers)]
    assert sorted(torch.cat(shares).tolist()) == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_everything_is_as_without_shares() -> None:
    assert Share.of_this_process() == ALONE
    assert ALONE.group is None
    model = nn.Linear(2, 2)
    assert ALONE.wrap(model) is model
    assert ALONE.agreed(lambda: 7) == 7


def test_workers_and_epochs_drop_apart_and_a_seed_drops_the_same_again() -> None:
    def drawn(share: Share, seed: int, epoch: int) -> float:
        share.seed_dropout(seed, epoch)
        return float(torch.rand(1))

    places = [(ALONE, 1, 2), (Share(1, 2), 1, 2), (ALONE, 1, 3), (ALONE, 2, 2)]
    first, again = ([drawn(*place) for place in places] for _ in range(2))
    assert first == again
    assert len(set(first)) == len(places)


@given(st.integers(1, 300), st.integers(1, 20))
def test_the_largest_divisor_divides_and_is_the_largest(number: int, at_most: int) -> None:
    found = largest_divisor(number, at_most)
    assert found == max(d for d in range(1, at_most + 1) if number % d == 0)
    require_even(number, found)


@pytest.mark.parametrize(
    ("learned", "batch", "samples", "workers", "refused"),
    [
        (False, 32, 900, 2, None),
        (False, 32, 900, 32, None),
        (False, 32, 900, 3, "3 workers cannot share a batch of 32 .* choose 2"),
        (False, 32, 25, 2, "2 workers cannot share a batch of 25 .* choose 1"),
        (True, 32, 900, 4, None),
        (True, 32, 900, 8, "8 workers cannot share the 8 of 32 samples .* choose fewer .* 4 for"),
        (True, 64, 900, 8, None),
        (True, 256, 900, 32, None),
    ],
)
def test_workers_that_would_change_a_result_are_refused(
    prepared: Any, learned: bool, batch: int, samples: int, workers: int, refused: str | None
) -> None:
    for distiller in (MKDConfig(), MMKDConfig()) if learned else (KDConfig(),):
        trial = replace(prepared.trial, recipe=Recipe(batch_size=batch), distiller=distiller)
        if refused is None:
            require_same_result(trial, samples, 100, workers)
        else:
            with pytest.raises(ShareError, match=refused):
                require_same_result(trial, samples, 100, workers)


@pytest.mark.parametrize(
    ("judged_by", "held_out", "workers", "refused"),
    [
        ("held_out", 21, 2, "2 workers cannot share the 21 held-out samples .* choose 1 workers"),
        ("held_out", 21, 1, None),
        ("held_out", 20, 2, None),
        ("held_out", 33, 2, None),  # a look-ahead sees 32 of them
        ("train", 21, 2, None),
    ],
)
def test_workers_that_cannot_share_held_out_samples_are_refused(
    prepared: Any, judged_by: MetaData, held_out: int, workers: int, refused: str | None
) -> None:
    distiller = MKDConfig(meta_data=judged_by, meta_fraction=1.0)
    trial = replace(prepared.trial, recipe=Recipe(batch_size=32), distiller=distiller)
    if refused is None:
        require_same_result(trial, 900, held_out, workers)
    else:
        with pytest.raises(ShareError, match=refused):
            require_same_result(trial, 900, held_out, workers)


def test_a_gram_matrix_of_a_batch_is_not_shared(prepared: Any) -> None:
    trial = replace(prepared.trial, distiller=MMKDConfig.reference())
    require_same_result(trial, 900, 100, workers=1)
    with pytest.raises(ShareError, match="mmkd as configured reads whole: choose 1 worker"):
        require_same_result(trial, 900, 100, workers=2)
    one_step = replace(trial, distiller=MMKDConfig(features_weight=1.0))
    require_same_result(one_step, 900, 100, workers=2)
