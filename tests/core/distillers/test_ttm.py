"""Transformed teacher matching: powers of probabilities written out, and those that underflow."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import TTMConfig, WTTMConfig
from metakd.core.losses import Losses

PRESETS = [TTMConfig(), WTTMConfig()]


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def losses(config: TTMConfig, student: Tensor, teacher: Tensor) -> Losses:
    labels = torch.arange(len(student)) % student.shape[1]
    return config.build().loss(student, Batch(student, labels, teacher))


def by_powers(student: Tensor, teacher: Tensor, gamma: float) -> list[tuple[float, float]]:
    """The power sum and the divergence of each sample, from probabilities."""
    found = []
    for z_s, z_t in zip(student.tolist(), teacher.tolist(), strict=True):
        p, q = ([math.exp(v) / sum(math.exp(w) for w in z) for v in z] for z in (z_t, z_s))
        power_sum = sum(each**gamma for each in p)
        powers = [each**gamma / power_sum for each in p]
        kl = sum(a * math.log(a / b) for a, b in zip(powers, q, strict=True))
        found.append((power_sum, kl))
    return found


@given(st.floats(0.02, 4))
@settings(max_examples=25, deadline=None)
def test_the_divergence_is_that_of_powers_of_probabilities(gamma: float) -> None:
    samples = by_powers(logits(1), logits(0), gamma)
    plain, weighted = (
        losses(config, logits(1), logits(0)).kd
        for config in (TTMConfig(gamma=gamma), WTTMConfig(gamma=gamma))
    )
    assert plain is not None
    assert weighted is not None
    assert float(plain) == pytest.approx(sum(kl for _, kl in samples) / 5, rel=1e-9)
    assert float(weighted) == pytest.approx(sum(u * kl for u, kl in samples) / 5, rel=1e-9)


@pytest.mark.parametrize(("config", "weight"), [(PRESETS[0], 45.0), (PRESETS[1], 2.25)])
def test_the_weights_are_the_published_ones(config: TTMConfig, weight: float) -> None:
    found = losses(config, logits(1), logits(0))
    assert found.kd is not None
    ce = F.cross_entropy(logits(1), torch.arange(5))
    torch.testing.assert_close(found.total, ce + weight * found.kd)
    assert config.build().temperatures() == (1.0, 10.0)


@pytest.mark.parametrize("make", [TTMConfig, WTTMConfig])
def test_the_reference_is_the_published_loss_on_ordinary_logits(make: type[TTMConfig]) -> None:
    probabilities = logits(0).softmax(dim=1)
    power_sums = probabilities.pow(0.1).sum(dim=1)
    targets = probabilities.pow(0.1) / power_sums[:, None]
    kl = F.kl_div(logits(1).log_softmax(dim=1), targets, reduction="none").sum(dim=1)
    expected = (power_sums * kl).mean() if make is WTTMConfig else kl.mean()
    torch.testing.assert_close(losses(make.reference(), logits(1), logits(0)).kd, expected)
    assert make.reference() == make()


@pytest.mark.parametrize("config", PRESETS, ids=["plain", "weighted"])
def test_a_probability_that_underflows_has_the_power_that_it_has(config: TTMConfig) -> None:
    teacher = torch.zeros(5, 7)
    teacher[:, 1:] = -105.0
    assert teacher.softmax(dim=1)[:, 1:].eq(0).all()
    exact = losses(config, logits(1), teacher.double()).kd
    found = losses(config, logits(1).float(), teacher).kd
    assert found is not None
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)
    weight = float(config.weights(teacher)[0]) if isinstance(config, WTTMConfig) else None
    assert weight is None or weight == pytest.approx(1 + 6 * math.exp(-10.5), rel=1e-6)


def test_smooth_samples_count_most_and_certain_ones_once() -> None:
    teacher = torch.stack([torch.zeros(100), 1e4 * F.one_hot(torch.tensor(3), 100)])
    assert WTTMConfig().weights(teacher).tolist() == pytest.approx([100**0.9, 1.0])


@pytest.mark.parametrize("config", PRESETS, ids=["plain", "weighted"])
def test_the_gradient_is_right(config: TTMConfig) -> None:
    z = logits(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: losses(config, z, logits(0)).total, z)


def test_the_gradient_at_the_logits_has_its_closed_form() -> None:
    z = logits(1).requires_grad_()
    kd = losses(TTMConfig(), z, logits(0)).kd
    assert kd is not None
    difference = z.detach().softmax(dim=1) - (0.1 * logits(0)).softmax(dim=1)
    torch.testing.assert_close(torch.autograd.grad(kd, z)[0], difference / 5)


@pytest.mark.parametrize("config", PRESETS, ids=["plain", "weighted"])
@pytest.mark.parametrize("scale", [0.0, 1e2, 1e4])
def test_it_is_finite_at_extreme_logits(config: TTMConfig, scale: float) -> None:
    for teacher in (logits(0).float(), scale * logits(0).float()):
        z = (scale * logits(1).float()).requires_grad_()
        found = losses(config, z, teacher)
        found.total.backward()
        assert found.total.isfinite()
        assert z.grad is not None
        assert z.grad.isfinite().all()


def test_labels_may_be_probabilities() -> None:
    soft = 0.6 * F.one_hot(torch.arange(5), 7).double() + 0.4 / 7
    mixed = TTMConfig().build().loss(logits(1), Batch(logits(1), soft, logits(0)))
    torch.testing.assert_close(mixed.ce, F.cross_entropy(logits(1), soft))
    torch.testing.assert_close(mixed.kd, losses(TTMConfig(), logits(1), logits(0)).kd)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gamma": 0.0}, "gamma must be above 0, got gamma=0.0"),
        ({"gamma": math.nan}, "gamma=nan"),
        ({"ce_weight": -1.0}, "ce_weight=-1.0"),
        ({"kd_weight": math.inf}, "kd_weight=inf"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    for make in (TTMConfig, WTTMConfig):
        with pytest.raises(ValueError, match=re.escape(message)):
            make(**fields)


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="same classes"):
        losses(TTMConfig(), logits(1), logits(0, 4))
