"""NormKD: its formula by sums, its published code, and logits that do not deviate."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import LogitStdConfig, NormKDConfig
from metakd.core.losses import Losses

PRESETS = [NormKDConfig(), NormKDConfig.reference()]


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def losses(config: NormKDConfig, student: Tensor, teacher: Tensor) -> Losses:
    labels = torch.arange(len(student)) % student.shape[1]
    return config.build().loss(student, Batch(student, labels, teacher))


@pytest.mark.parametrize(("config", "divisor"), [(PRESETS[0], 7), (PRESETS[1], 6)])
def test_it_is_kd_at_the_deviation_of_each_sample_written_out(
    config: NormKDConfig, divisor: int
) -> None:
    kd = 0.0
    for z_s, z_t in zip(logits(1).tolist(), logits(0).tolist(), strict=True):
        probabilities, taus = [], []
        for z in (z_s, z_t):
            mean = sum(z) / 7
            taus.append(2.0 * math.sqrt(sum((v - mean) ** 2 for v in z) / divisor))
            weights = [math.exp(v / taus[-1]) for v in z]
            probabilities.append([w / sum(weights) for w in weights])
        kd += taus[1] ** 2 * sum(p * math.log(p / q) for q, p in zip(*probabilities, strict=True))
    found = losses(config, logits(1), logits(0))
    assert found.kd is not None
    assert float(found.kd) == pytest.approx(kd / 5, rel=1e-9)
    ce = F.cross_entropy(logits(1), torch.arange(5))
    torch.testing.assert_close(found.total, 0.1 * ce + 0.9 * found.kd)


def test_the_reference_has_the_slope_of_the_published_loss() -> None:
    """The student's deviation is unbiased and keeps its graph; the weight is the teacher's τ²."""
    z, teacher = logits(1).requires_grad_(), logits(0)
    soft = torch.softmax(teacher / (2 * teacher.std(dim=1, keepdim=True)), dim=1)
    log_q = torch.log_softmax(z / (2 * z.std(dim=1, keepdim=True)), dim=1)
    divergence = F.kl_div(log_q, soft, reduction="none").sum(dim=1)
    kd = ((2 * teacher.std(dim=1)) ** 2 * divergence).mean()
    (expected,) = torch.autograd.grad(kd, z)
    found = losses(NormKDConfig.reference(), z, teacher).kd
    assert found is not None
    torch.testing.assert_close(found, kd)
    torch.testing.assert_close(torch.autograd.grad(found, z)[0], expected)


def test_of_a_teacher_with_equal_deviations_it_is_logit_standardisation() -> None:
    teacher = logits(0)
    teacher = teacher / teacher.std(dim=1, correction=0, keepdim=True)
    batch = Batch(teacher, torch.arange(5), teacher)
    standardised = LogitStdConfig().build().loss(logits(1), batch)
    torch.testing.assert_close(losses(NormKDConfig(), logits(1), teacher).kd, standardised.kd)


def test_the_student_is_not_moved_along_its_own_logits() -> None:
    z = logits(1).requires_grad_()
    kd = losses(NormKDConfig(), z, logits(0)).kd
    assert kd is not None
    (slope,) = torch.autograd.grad(kd, z)
    along = (slope * z).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-12, rtol=0)


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
def test_the_gradient_is_right(config: NormKDConfig) -> None:
    z = logits(1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: losses(config, z, logits(0)).total, z)


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
@pytest.mark.parametrize("value", [0.0, 0.1, -300.1, 1e4])
def test_constant_logits_of_either_side_are_finite_and_no_explosion(
    config: NormKDConfig, value: float
) -> None:
    constant = torch.full((5, 7), value)
    for student, teacher in ((constant, logits(0).float()), (logits(0).float(), constant)):
        z = student.clone().requires_grad_()
        found = losses(config, z, teacher)
        found.total.backward()
        assert found.total.isfinite()
        assert z.grad is not None
        assert 0.001 < float(z.grad.abs().max()) < 100


@pytest.mark.parametrize("scale", [1e-4, 1e2, 1e4])
def test_it_is_finite_at_extreme_logits(scale: float) -> None:
    z = (scale * logits(1).float()).requires_grad_()
    found = losses(NormKDConfig(), z, scale * logits(0).float())
    found.total.backward()
    assert found.total.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("config", PRESETS, ids=["default", "reference"])
def test_two_classes_have_no_gradient_and_three_have(config: NormKDConfig) -> None:
    slopes = {}
    for classes in (2, 3):
        z = logits(1, classes).requires_grad_()
        kd = losses(config, z, logits(0, classes)).kd
        assert kd is not None
        slopes[classes] = float(torch.autograd.grad(kd, z)[0].abs().max())
    assert slopes[2] < 1e-6 < 1e-2 < slopes[3]
    assert config.min_classes == 3


def test_labels_may_be_probabilities() -> None:
    soft = 0.6 * F.one_hot(torch.arange(5), 7).double() + 0.4 / 7
    mixed = NormKDConfig().build().loss(logits(1), Batch(logits(1), soft, logits(0)))
    torch.testing.assert_close(mixed.ce, F.cross_entropy(logits(1), soft))
    torch.testing.assert_close(mixed.kd, losses(NormKDConfig(), logits(1), logits(0)).kd)


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
        NormKDConfig(**fields)  # type: ignore[arg-type]


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="same classes"):
        losses(NormKDConfig(), logits(1), logits(0, 4))
