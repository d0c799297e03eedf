"""Logit standardisation: its closed form, what it is blind to, and logits that do not deviate."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import LogitStdConfig
from metakd.core.losses import Losses

PRESETS = [LogitStdConfig(), LogitStdConfig.reference()]


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def losses(config: LogitStdConfig, student: Tensor, teacher: Tensor) -> Losses:
    labels = torch.arange(len(student)) % student.shape[1]
    return config.build().loss(student, Batch(student, labels, teacher))


@pytest.mark.parametrize(("config", "divisor"), [(PRESETS[0], 7), (PRESETS[1], 6)])
def test_it_is_kd_of_z_scores_written_out(config: LogitStdConfig, divisor: int) -> None:
    kd = 0.0
    for z_s, z_t in zip(logits(1).tolist(), logits(0).tolist(), strict=True):
        log_probabilities = []
        for z in (z_s, z_t):
            mean = sum(z) / 7
            deviation = math.sqrt(sum((v - mean) ** 2 for v in z) / divisor)
            exponents = [(v - mean) / deviation / 2.0 for v in z]
            normaliser = math.log(sum(math.exp(e) for e in exponents))
            log_probabilities.append([e - normaliser for e in exponents])
        kd += sum(math.exp(p) * (p - q) for q, p in zip(*log_probabilities, strict=True)) / 5
    found = losses(config, logits(1), logits(0))
    assert found.kd is not None
    assert float(found.kd) == pytest.approx(4 * kd, rel=1e-6)
    ce = F.cross_entropy(logits(1), torch.arange(5))
    torch.testing.assert_close(found.total, 0.1 * ce + 9 * found.kd)


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
@given(scale=st.floats(0.1, 50), shift=st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_scale_and_shift_of_either_side_teach_nothing(
    config: LogitStdConfig, scale: float, shift: float
) -> None:
    plain = losses(config, logits(1), logits(0)).kd
    moved = losses(config, scale * logits(1) + shift, logits(0) / scale - shift).kd
    torch.testing.assert_close(plain, moved, rtol=1e-5, atol=1e-6)


def test_the_presets_are_one_method_at_temperatures_a_constant_apart() -> None:
    ratio = math.sqrt(7 / 6)
    reference = losses(LogitStdConfig.reference(), logits(1), logits(0)).kd
    default = losses(LogitStdConfig(tau=2.0 * ratio), logits(1), logits(0)).kd
    assert reference is not None
    assert default is not None
    torch.testing.assert_close(default, ratio**2 * reference, rtol=1e-6, atol=0)


def test_the_gradient_is_right() -> None:
    z = logits(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: losses(LogitStdConfig(), z, logits(0)).total, z)


@pytest.mark.parametrize("value", [0.0, 0.1, -300.1])
def test_equal_logits_are_finite_and_by_default_no_explosion(value: float) -> None:
    largest = {}
    for config in PRESETS:
        z = torch.full((5, 7), value, requires_grad=True)
        found = losses(config, z, logits(0).float())
        found.total.backward()
        assert z.grad is not None
        assert found.total.isfinite()
        assert z.grad.isfinite().all()
        largest[config.deviation] = float(z.grad.abs().max())
    assert 0.01 < largest["population"] < 10
    assert largest["unbiased"] > 1000


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
def test_two_classes_have_no_gradient_and_three_have(config: LogitStdConfig) -> None:
    slopes = {}
    for classes in (2, 3):
        z = logits(1, classes).requires_grad_()
        kd = losses(config, z, logits(0, classes)).kd
        assert kd is not None
        slopes[classes] = float(torch.autograd.grad(kd, z)[0].abs().max())
    assert slopes[2] < 1e-6 < 1e-2 < slopes[3]
    assert config.min_classes == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tau": 0.0}, "tau=0.0"),
        ({"ce_weight": -1.0}, "ce_weight=-1.0"),
        ({"kd_weight": math.inf}, "kd_weight=inf"),
        ({"deviation": "mean"}, "got deviation='mean'"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        LogitStdConfig(**fields)  # type: ignore[arg-type]
