"""Refined logits: the formula by brute force, every rank of the true class, and the warm-up."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import RLDConfig
from metakd.core.distillers.rld import refined_divergences
from metakd.core.losses import Losses, decoupled_divergences

LABELS = torch.tensor([0, 1, 2, 3, 6])
taus = st.floats(0.25, 64)


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def losses(config: RLDConfig, student: Tensor, teacher: Tensor) -> Losses:
    return config.build().loss(student, Batch(student, LABELS, teacher))


def softmax(z: list[float], tau: float) -> list[float]:
    weights = [math.exp(v / tau) for v in z]
    return [w / sum(weights) for w in weights]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))


def by_brute_force(
    student: Tensor, teacher: Tensor, tau_confidence: float, tau: float
) -> tuple[list[float], list[float]]:
    """Both divergences of each sample from probabilities, without any care for small ones."""
    confidences, belows = [], []
    for z_s, z_t, y in zip(student.tolist(), teacher.tolist(), LABELS.tolist(), strict=True):
        p_max, q_y = max(softmax(z_t, tau_confidence)), softmax(z_s, tau_confidence)[y]
        confidences.append(kl([p_max, 1 - p_max], [q_y, 1 - q_y]))
        below = [c for c in range(len(z_t)) if z_t[c] < z_t[y]]
        p, q = (softmax([z[c] for c in below], tau) for z in (z_t, z_s))
        belows.append(kl(p, q))
    return confidences, belows


@given(taus, taus)
@settings(max_examples=25, deadline=None)
def test_both_parts_equal_the_sums_over_probabilities(tau_confidence: float, tau: float) -> None:
    found = refined_divergences(logits(1), logits(0), LABELS, tau_confidence, tau)
    expected = by_brute_force(logits(1), logits(0), tau_confidence, tau)
    for part, sums in zip(found, expected, strict=True):
        assert part.tolist() == pytest.approx(sums, rel=1e-6, abs=1e-9)


def test_the_samples_of_these_tests_have_all_kinds_of_ranks() -> None:
    below = (logits(0) < logits(0).gather(1, LABELS[:, None])).sum(dim=1).tolist()
    assert min(below) < 2 < max(below) < 7


@pytest.mark.parametrize("preset", [RLDConfig(), RLDConfig.reference()], ids=["default", "ref"])
def test_on_ordinary_logits_it_is_the_published_loss(preset: RLDConfig) -> None:
    """Masks of large numbers, logarithms of sums of probabilities, and means over the batch."""
    z, teacher = logits(1).requires_grad_(), logits(0)
    rows = torch.arange(5)
    q, p = z.softmax(dim=1), teacher.softmax(dim=1)
    student_pair = torch.stack([q[rows, LABELS], 1 - q[rows, LABELS]], dim=1)
    teacher_pair = torch.stack([p.amax(dim=1), 1 - p.amax(dim=1)], dim=1)
    confidence = F.kl_div(student_pair.log(), teacher_pair, reduction="batchmean")
    is_hidden = teacher >= teacher[rows, LABELS][:, None]
    visible = [torch.where(is_hidden, -1e9, each / 4) for each in (z, teacher)]
    log_q, soft = visible[0].log_softmax(dim=1), visible[1].softmax(dim=1)
    below = F.kl_div(log_q, soft, reduction="batchmean")
    expected = F.cross_entropy(z, LABELS) + confidence + 8 * 16 * below
    found = losses(preset, z, teacher).total
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    slopes = (torch.autograd.grad(each, z)[0] for each in (found, expected))
    torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-7)


def test_where_the_teacher_is_right_it_is_decoupled_distillation() -> None:
    teacher = logits(0) + 30 * F.one_hot(LABELS, 7)
    refined = refined_divergences(logits(1), teacher, LABELS, 4.0, 4.0)
    for found, expected in zip(
        refined, decoupled_divergences(logits(1), teacher, LABELS, 4.0), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_where_the_teacher_is_wrong_the_student_is_not_drawn_to_its_class() -> None:
    wrong = LABELS.roll(1)
    teacher = logits(0) + 30 * F.one_hot(wrong, 7)
    z = logits(1).requires_grad_()
    _, below = refined_divergences(z, teacher, LABELS, 1.0, 4.0)
    (slope,) = torch.autograd.grad(below.sum(), z)
    assert slope.gather(1, wrong[:, None]).eq(0).all()
    assert slope.gather(1, LABELS[:, None]).eq(0).all()
    assert slope.abs().sum() > 0


@pytest.mark.parametrize("others", [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 3.0]])
def test_fewer_than_two_classes_below_have_exactly_no_divergence(others: list[float]) -> None:
    """The true class is last, ties with all, or has one class alone below it."""
    teacher = torch.tensor([[0.0, *others]])
    z = torch.tensor([[0.3, -2.0, 5.0, 1.0]], requires_grad=True)
    _, below = refined_divergences(z, teacher, torch.tensor([0]), 1.0, 4.0)
    (slope,) = torch.autograd.grad(below.sum(), z)
    assert below.tolist() == [0.0]
    assert slope.eq(0).all()


def test_the_gradient_is_right() -> None:
    z = logits(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: losses(RLDConfig(), z, logits(0)).total, z)


@pytest.mark.parametrize("tau", [0.25, 1.0, 4.0, 64.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e2, 1e4, 1e6])
def test_it_is_finite_where_probabilities_underflow(tau: float, scale: float) -> None:
    for other in (logits(0), logits(1), -logits(1)):
        z, teacher = scale * logits(1).float(), scale * other.float()
        z.requires_grad_()
        parts = refined_divergences(z, teacher, LABELS, tau, tau)
        (slope,) = torch.autograd.grad(parts[0].sum() + parts[1].sum(), z)
        assert all(part.isfinite().all() and (part > -1e-6).all() for part in parts)
        assert slope.isfinite().all()


def test_two_classes_leave_nothing_below() -> None:
    labels = torch.tensor([0, 1, 0, 1, 1])
    _, below = refined_divergences(logits(1, 2), logits(0, 2), labels, 1.0, 4.0)
    assert below.eq(0).all()
    assert RLDConfig().min_classes == 3


def test_the_true_class_of_soft_labels_is_their_largest() -> None:
    soft = 0.6 * F.one_hot(LABELS, 7).double() + 0.4 * F.one_hot(LABELS.flip(0), 7)
    mixed = RLDConfig().build().loss(logits(1), Batch(logits(1), soft, logits(0)))
    torch.testing.assert_close(mixed.kd, losses(RLDConfig(), logits(1), logits(0)).kd)
    torch.testing.assert_close(mixed.ce, F.cross_entropy(logits(1), soft))


def warmth(config: RLDConfig, epoch: int, epochs: int) -> float:
    distiller = config.build()
    distiller.start_epoch(epoch, epochs)
    found = distiller.loss(logits(1), Batch(logits(1), LABELS, logits(0)))
    assert found.kd is not None
    return float((found.total - found.ce) / found.kd)


def test_the_warm_up_of_the_defaults_is_the_published_one_at_the_published_length_alone() -> None:
    for epoch in (0, 9, 19, 20, 239):
        expected = min((epoch + 1) / 20, 1)
        assert warmth(RLDConfig(), epoch, 240) == pytest.approx(expected)
        assert warmth(RLDConfig.reference(), epoch, 240) == pytest.approx(expected)
    assert warmth(RLDConfig.reference(), 0, 30) == pytest.approx(0.05)
    assert warmth(RLDConfig(), 0, 30) == pytest.approx(0.4)
    assert warmth(RLDConfig(warmup_epochs=0.0), 0, 30) == pytest.approx(1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tau": -1.0}, "tau=-1.0"),
        ({"tau_confidence": 0.0}, "tau_confidence=0.0"),
        ({"ce_weight": -1.0}, "ce_weight=-1.0"),
        ({"confidence_weight": -1.0}, "confidence_weight=-1.0"),
        ({"below_weight": math.nan}, "below_weight=nan"),
        ({"warmup_epochs": -2.0}, "warmup_epochs=-2.0"),
    ],
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        RLDConfig(**fields)


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="same classes"):
        losses(RLDConfig(), logits(1), logits(0, 4))
