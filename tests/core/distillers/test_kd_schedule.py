"""A schedule of temperatures is KD in each of its segments, and its beginning is a prefix."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metakd.core.distillers import KDConfig, KDScheduleConfig, scheduled
from metakd.core.training import Training
from metakd.testing.toy import RECIPE, ToyBatches, new_student

SEGMENTS = ((0, 4.0), (2, 0.5), (3, 16.0))
of_each_epoch = st.lists(st.sampled_from([1.0, 2.0, 4.0, 8.0]), min_size=1, max_size=8)


def test_in_each_segment_the_loss_is_that_of_kd_bitwise() -> None:
    batch = ToyBatches(5).at(0)
    logits = new_student(5, seed=0)(batch.inputs)
    distiller = KDScheduleConfig(SEGMENTS, alpha=0.7).build()
    for epoch, tau in [(0, 4.0), (1, 4.0), (2, 0.5), (3, 16.0), (9, 16.0), (2, 0.5)]:
        distiller.start_epoch(epoch, 10)
        plain = KDConfig(tau_s=tau, tau_t=tau, alpha=0.7).build()
        assert distiller.loss(logits, batch) == plain.loss(logits, batch)
        assert distiller.temperatures() == (tau, tau)


def test_whoever_takes_over_a_prefix_has_the_same_weights_bitwise() -> None:
    state = {}
    for name, config in (
        ("prefix", KDScheduleConfig(SEGMENTS).prefix(3)),
        ("other", KDScheduleConfig((*SEGMENTS[:2], (3, 1.0)))),
        ("plain", KDConfig()),
    ):
        student = new_student(5, seed=0)
        training = Training(student, config.build(), RECIPE, ToyBatches(5))
        taus = [training.run_epoch().temperatures for _ in range(3)]
        state[name] = torch.cat([p.detach().flatten() for p in student.parameters()])
        if name != "plain":
            assert taus == [(4.0, 4.0), (4.0, 4.0), (0.5, 0.5)]
    assert torch.equal(state["prefix"], state["other"])
    assert not torch.equal(state["prefix"], state["plain"])


@given(of_each_epoch, st.integers(1, 10))
def test_a_prefix_says_the_same_of_its_epochs_and_has_no_later_segment(
    taus: list[float], epochs: int
) -> None:
    config = KDScheduleConfig(tuple(enumerate(taus)))
    prefix = config.prefix(epochs)
    assert all(prefix.tau_at(epoch) == config.tau_at(epoch) for epoch in range(epochs))
    assert all(start < epochs for start, _ in prefix.segments)
    assert prefix.prefix(epochs) == prefix


@given(of_each_epoch, st.integers(1, 10))
def test_schedules_that_say_the_same_are_one(taus: list[float], epochs: int) -> None:
    each = tuple(enumerate(taus))
    changes = tuple((e, t) for e, t in each if e == 0 or taus[e - 1] != t)
    config = scheduled(each, 0.5)
    assert config == scheduled(changes, 0.5)
    if len(changes) == 1:
        assert config == KDConfig(tau_s=taus[0], tau_t=taus[0], alpha=0.5)
    else:
        assert config == KDScheduleConfig(changes, 0.5)
    prefix = KDScheduleConfig(each, 0.5).prefix(epochs)
    if isinstance(config, KDScheduleConfig):
        assert scheduled(prefix.segments, 0.5) == scheduled(config.prefix(epochs).segments, 0.5)


def test_whole_numbers_share_the_trial_of_their_floats() -> None:
    assert repr(scheduled(((0, 4), (1, 2)), 0.9)) == repr(scheduled(((0, 4.0), (1, 2.0)), 0.9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KDScheduleConfig(()), "got segments=()"),
        (lambda: KDScheduleConfig(((1, 4.0),)), "got segments=((1, 4.0),)"),
        (lambda: KDScheduleConfig(((0, 4.0), (0, 2.0))), "got segments=((0, 4.0), (0, 2.0))"),
        (lambda: KDScheduleConfig(((0, 4.0), (3, 0.0))), "segments[1][1]=0.0"),
        (lambda: KDScheduleConfig(((0, 4.0),), alpha=2.0), "alpha=2.0"),
        (lambda: KDScheduleConfig(((0, 4.0),)).prefix(0), "epochs=0"),
        (lambda: scheduled((), 0.9), "got segments=()"),
        (lambda: scheduled(((0, 4.0), (3, 4.0), (2, 4.0)), 0.9), "ever later epochs"),
    ],
)
def test_a_value_out_of_range_is_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()  # type: ignore[operator]
