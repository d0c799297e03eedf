"""A cosine of temperatures: its ends, its middle, plain KD in every epoch, and no prefix."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metakd.core.distillers import KDConfig, KDCosineConfig
from metakd.core.training import Training
from metakd.testing.toy import RECIPE, ToyBatches, new_student

DOWN, UP = KDCosineConfig(), KDCosineConfig(4.0, 8.0)


def test_it_goes_from_one_end_to_the_other_and_is_slow_at_both() -> None:
    half = math.sqrt(0.5)
    assert [DOWN.tau_at(epoch, 5) for epoch in range(5)] == pytest.approx(
        [8.0, 6 + 2 * half, 6.0, 6 - 2 * half, 4.0]
    )
    assert [UP.tau_at(epoch, 5) for epoch in range(5)] == pytest.approx(
        [4.0, 6 - 2 * half, 6.0, 6 + 2 * half, 8.0]
    )


@given(st.floats(0.25, 64), st.floats(0.25, 64), st.integers(1, 300))
def test_it_is_monotone_between_its_ends(start: float, end: float, epochs: int) -> None:
    taus = [KDCosineConfig(start, end).tau_at(epoch, epochs) for epoch in range(epochs)]
    assert taus[0] == pytest.approx(start)
    assert epochs == 1 or taus[-1] == pytest.approx(end)
    assert taus == pytest.approx(sorted(taus, reverse=end < start))


@pytest.mark.parametrize("config", [DOWN, UP], ids=["down", "up"])
def test_in_each_epoch_the_loss_is_that_of_kd_bitwise(config: KDCosineConfig) -> None:
    batch = ToyBatches(5).at(0)
    logits = new_student(5, seed=0)(batch.inputs)
    distiller = config.build()
    # A training that goes on from a checkpoint begins anywhere.
    for epoch in (0, 1, 7, 9, 3):
        distiller.start_epoch(epoch, 10)
        tau = config.tau_at(epoch, 10)
        assert distiller.loss(logits, batch) == KDConfig(tau, tau).build().loss(logits, batch)
        assert distiller.temperatures() == (tau, tau)


def test_the_curve_of_a_training_has_its_temperatures() -> None:
    training = Training(new_student(5, seed=0), UP.build(), RECIPE, ToyBatches(5))
    records = []
    while not training.is_done:
        records.append(training.run_epoch().temperatures)
    taus = [UP.tau_at(epoch, RECIPE.epochs) for epoch in range(RECIPE.epochs)]
    assert records == [(tau, tau) for tau in taus]
    assert taus[0] == 4.0
    assert taus[-1] == pytest.approx(8.0)


def test_a_run_of_another_length_has_other_temperatures_and_no_prefix_is_shared() -> None:
    assert DOWN.tau_at(1, 5) != DOWN.tau_at(1, 10)
    assert not list(DOWN.prefixes())


def test_mixed_labels_go_as_in_kd() -> None:
    batch = ToyBatches(5).at(0)
    batch = batch._replace(labels=torch.full((len(batch.labels), 5), 0.2))
    logits = new_student(5, seed=0)(batch.inputs)
    assert DOWN.build().loss(logits, batch) == KDConfig(8.0, 8.0).build().loss(logits, batch)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": 0.0}, "start=0.0"),
        ({"end": math.inf}, "end=inf"),
        ({"alpha": 1.5}, "alpha=1.5"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        KDCosineConfig(**fields)
