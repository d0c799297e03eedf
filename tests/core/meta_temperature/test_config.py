import itertools
from collections.abc import Callable
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.core.meta_temperature import (
    AlignmentConfig,
    GradientConfig,
    LearnedTemperatureConfig,
    MetaTemperature,
)


@given(
    interval=st.integers(1, 12),
    horizon=st.integers(1, 5),
    steps=st.integers(0, 60),
)
def test_a_look_ahead_remembers_just_the_steps_it_reaches_back_over(
    interval: int, horizon: int, steps: int
) -> None:
    config = GradientConfig(interval=interval, horizon=horizon)
    due = [step for step in range(steps) if config.is_due(step)]
    assert len(due) == config.look_aheads(steps)
    assert all(later - earlier == interval for earlier, later in itertools.pairwise(due))
    needed = {step for last in due for step in range(last - horizon + 1, last + 1)}
    remembered = {step for step in range(steps) if config.remembers(step)}
    assert needed <= remembered
    # What is remembered beyond that belongs to a look-ahead that the run's end cuts off.
    assert all(step > max(due, default=-1) for step in remembered - needed)


def test_a_share_of_a_batch_is_never_fewer_than_two_samples() -> None:
    config = GradientConfig(meta_fraction=0.01)
    assert [config.samples_of(size) for size in (1, 2, 64, 1000)] == [1, 2, 2, 10]


def test_the_rule_is_named_and_the_gradient_is_the_default() -> None:
    assert MetaTemperature().config == GradientConfig()
    assert MetaTemperature(rule="alignment").config == AlignmentConfig()
    with pytest.raises(ValueError, match="rule must be one of gradient, alignment, got rule='se"):
        MetaTemperature(rule="search")  # type: ignore[arg-type]


def test_each_rule_has_its_own_start() -> None:
    assert MetaTemperature().temperatures == pytest.approx((4.0, 4.0))
    assert MetaTemperature(init=(16.0, 1.0)).temperatures == pytest.approx((16.0, 1.0))
    aligned = MetaTemperature(rule="alignment", tau_range=(2.0, 32.0))
    assert aligned.temperatures == pytest.approx((8.0, 8.0))
    with pytest.raises(ValueError, match=r"rule='alignment' has no start, got init=4\.0"):
        MetaTemperature(init=4.0, rule="alignment")


def test_a_rule_has_no_field_that_it_ignores() -> None:
    """The fields of a configuration are part of a trial's id."""
    common = {field.name for field in fields(LearnedTemperatureConfig)}
    own = {
        kind: {f.name for f in fields(kind)} - common for kind in (GradientConfig, AlignmentConfig)
    }
    assert own[GradientConfig] == {"tau_s", "tau_t", "learn_alpha", "num_classes", "meta_lr"}
    assert own[AlignmentConfig] == {"tau_range", "confidence"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradientConfig(num_classes=3), "num_classes is for per_class alone"),
        (lambda: GradientConfig(form="per_class"), "need num_classes"),
        (lambda: GradientConfig(form="shared", tau_s=2.0), "one start"),
        (lambda: AlignmentConfig(form="per_sample"), "take rule='gradient'"),
        (lambda: AlignmentConfig(tau_range=(4.0, 2.0)), "must rise"),
        (lambda: AlignmentConfig(tau_range=(0.0, 2.0)), r"got tau_range\[0\]=0.0"),
        (lambda: AlignmentConfig(confidence=0.0), "must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
