"""Decoupled distillation: the formula by brute force, every temperature, and the warm-up."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import DKDConfig
from metakd.core.losses import decoupled_divergences, tempered_divergence

LABELS = torch.tensor([0, 1, 2, 3, 6])
taus = st.floats(0.25, 64)


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))


def by_brute_force(student: Tensor, teacher: Tensor, tau: float) -> tuple[list[float], list[float]]:
    """TCKD and NCKD of each sample from probabilities, without any care for small ones."""
    target, others = [], []
    for z_s, z_t, y in zip(student.tolist(), teacher.tolist(), LABELS.tolist(), strict=True):
        pairs, rests = [], []
        for z in (z_t, z_s):
            weights = [math.exp(v / tau) for v in z]
            p = weights[y] / sum(weights)
            rest = weights[:y] + weights[y + 1 :]
            pairs.append([p, 1 - p])
            rests.append([w / sum(rest) for w in rest])
        target.append(kl(*pairs))
        others.append(kl(*rests))
    return target, others


@given(taus)
@settings(max_examples=25, deadline=None)
def test_both_parts_equal_the_sums_over_probabilities(tau: float) -> None:
    found = decoupled_divergences(logits(1), logits(0), LABELS, tau)
    for part, expected in zip(found, by_brute_force(logits(1), logits(0), tau), strict=True):
        assert part.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(taus)
@settings(max_examples=25, deadline=None)
def test_together_they_are_the_whole_divergence(tau: float) -> None:
    target, others = decoupled_divergences(logits(1), logits(0), LABELS, tau)
    p = (logits(0) / tau).softmax(dim=1).gather(1, LABELS[:, None])[:, 0]
    whole = tempered_divergence(logits(1), logits(0), tau, tau)
    torch.testing.assert_close(target + (1 - p) * others, whole)


def test_the_gradient_is_right() -> None:
    def total(z: Tensor) -> Tensor:
        return DKDConfig().build().loss(z, Batch(z, LABELS, logits(0))).total

    assert torch.autograd.gradcheck(total, logits(1).requires_grad_())


def test_the_loss_weighs_the_parts_as_published() -> None:
    target, others = by_brute_force(logits(1), logits(0), 4.0)
    expected = 16 * sum(t + 8 * o for t, o in zip(target, others, strict=True)) / 5
    found = DKDConfig().build().loss(logits(1), Batch(logits(1), LABELS, logits(0)))
    assert found.kd is not None
    assert float(found.kd) == pytest.approx(expected)
    torch.testing.assert_close(found.total, F.cross_entropy(logits(1), LABELS) + found.kd)


@pytest.mark.parametrize("tau", [0.25, 1.0, 4.0, 64.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e2, 1e4, 1e6])
def test_it_is_finite_where_probabilities_underflow(tau: float, scale: float) -> None:
    for other in (logits(0), logits(1), -logits(1)):
        z, teacher = scale * logits(1).float(), scale * other.float()
        z.requires_grad_()
        parts = decoupled_divergences(z, teacher, LABELS, tau)
        (slope,) = torch.autograd.grad(sum(part.sum() for part in parts), z)
        assert all(part.isfinite().all() and (part > -1e-6).all() for part in parts)
        assert slope.isfinite().all()


def test_two_classes_leave_nothing_beside_the_target() -> None:
    labels = torch.tensor([0, 1, 0, 1, 1])
    target, others = decoupled_divergences(logits(1, 2), logits(0, 2), labels, 2.0)
    assert others.eq(0).all()
    torch.testing.assert_close(target, tempered_divergence(logits(1, 2), logits(0, 2), 2.0, 2.0))
    assert DKDConfig().min_classes == 3


def test_the_target_of_soft_labels_is_their_largest() -> None:
    soft = 0.6 * F.one_hot(LABELS, 7).double() + 0.4 * F.one_hot(LABELS.flip(0), 7)
    distiller = DKDConfig().build()
    hard = distiller.loss(logits(1), Batch(logits(1), LABELS, logits(0)))
    mixed = distiller.loss(logits(1), Batch(logits(1), soft, logits(0)))
    torch.testing.assert_close(mixed.kd, hard.kd)
    torch.testing.assert_close(mixed.ce, F.cross_entropy(logits(1), soft))


def warmth(config: DKDConfig, epoch: int, epochs: int) -> float:
    distiller = config.build()
    distiller.start_epoch(epoch, epochs)
    found = distiller.loss(logits(1), Batch(logits(1), LABELS, logits(0)))
    assert found.kd is not None
    return float((found.total - found.ce) / found.kd)


def test_the_warm_up_of_the_defaults_is_the_published_one_at_the_published_length_alone() -> None:
    for epoch in (0, 9, 19, 20, 239):
        expected = min((epoch + 1) / 20, 1)
        assert warmth(DKDConfig(), epoch, 240) == pytest.approx(expected)
        assert warmth(DKDConfig.reference(), epoch, 240) == pytest.approx(expected)
    assert [warmth(DKDConfig.reference(), e, 30) for e in (0, 1, 9)] == pytest.approx(
        [0.05, 0.1, 0.5]
    )
    assert [warmth(DKDConfig(), e, 30) for e in (0, 1, 2, 29)] == pytest.approx([0.4, 0.8, 1, 1])
    assert warmth(DKDConfig(), 0, 1) == pytest.approx(1)
    assert warmth(DKDConfig(warmup_epochs=0.0), 0, 30) == pytest.approx(1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tau": -1.0}, "tau=-1.0"),
        ({"ce_weight": -1.0}, "ce_weight=-1.0"),
        ({"target_weight": -1.0}, "target_weight=-1.0"),
        ({"others_weight": math.nan}, "others_weight=nan"),
        ({"warmup_epochs": -2.0}, "warmup_epochs=-2.0"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        DKDConfig(**fields)


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="same classes"):
        DKDConfig().build().loss(logits(1), Batch(logits(1), LABELS, logits(0, 4)))
