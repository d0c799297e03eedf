"""The control of logit standardisation: its direction, at the gradient size of plain KD."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import DistillerConfig, KDConfig, KDStdConfig, LogitStdConfig

LABELS = torch.arange(5)
BOTH = [KDStdConfig(), KDStdConfig(through_deviation=False)]
NAMES = ["through", "detached"]


def logits(seed: int, classes: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, classes, generator=generator, dtype=torch.float64)


def kd_and_slope(
    config: DistillerConfig, student: Tensor, teacher: Tensor
) -> tuple[Tensor, Tensor]:
    z = student.clone().requires_grad_()
    labels = torch.arange(len(z)) % z.shape[1]
    kd = config.build().loss(z, Batch(z, labels, teacher)).kd
    assert kd is not None
    return kd.detach(), torch.autograd.grad(kd, z)[0]


def by_hand(student: Tensor, teacher: Tensor, tau: float, through: bool) -> tuple[float, Tensor]:
    """The mean divergence, and its slope by differences of each logit."""

    def mean_divergence(z_s: list[list[float]], fixed: list[list[float]] | None) -> float:
        total = 0.0
        for row, (s, t) in enumerate(zip(z_s, teacher.tolist(), strict=True)):
            distributions = []
            for z, of in ((s, s if fixed is None else fixed[row]), (t, t)):
                mean = sum(of) / 7
                own = tau * math.sqrt(sum((v - mean) ** 2 for v in of) / 7)
                weights = [math.exp(v / own) for v in z]
                distributions.append([w / sum(weights) for w in weights])
            total += sum(p * math.log(p / q) for q, p in zip(*distributions, strict=True))
        return total / len(z_s)

    rows = student.tolist()
    fixed = None if through else student.tolist()
    slope = torch.zeros_like(student)
    for row in range(5):
        for column in range(7):
            values = []
            for step in (1e-5, -1e-5):
                moved = [list(each) for each in rows]
                moved[row][column] += step
                values.append(mean_divergence(moved, fixed))
            slope[row, column] = (values[0] - values[1]) / 2e-5
    return mean_divergence(rows, None), slope


@pytest.mark.parametrize("config", BOTH, ids=NAMES)
def test_it_is_kd_at_the_deviation_of_each_sample_written_out(config: KDStdConfig) -> None:
    """Size by size and slope by slope: the factor is the ratio of two norms over the batch."""
    divergence, slope = by_hand(logits(1), logits(0), 2.0, config.through_deviation)
    p, q = ((z / 4).softmax(dim=1) for z in (logits(0), logits(1)))
    factor = float((4 * (q - p) / 5).norm() / slope.norm())
    kd, found = kd_and_slope(config, logits(1), logits(0))
    assert float(kd) == pytest.approx(factor * divergence, rel=1e-7)
    torch.testing.assert_close(found, factor * slope, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("config", BOTH, ids=NAMES)
@pytest.mark.parametrize("tau", [0.5, 2.0, 8.0])
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_the_gradient_is_as_large_as_that_of_kd_at_4(
    config: KDStdConfig, tau: float, spread: float
) -> None:
    control = KDStdConfig(tau, through_deviation=config.through_deviation)
    found = kd_and_slope(control, spread * logits(1), logits(0))[1]
    plain = kd_and_slope(KDConfig(4.0, 4.0), spread * logits(1), logits(0))[1]
    assert float(found.norm()) == pytest.approx(float(plain.norm()), rel=1e-9)


def test_it_is_parallel_to_logit_standardisation_in_every_batch() -> None:
    for seed in range(10):
        control, standardised, detached = (
            kd_and_slope(config, logits(seed), logits(seed + 1))[1].flatten()
            for config in (KDStdConfig(), LogitStdConfig(), BOTH[1])
        )
        cosine = F.cosine_similarity(control, standardised, dim=0)
        assert float(cosine) == pytest.approx(1.0, abs=1e-12)
        assert float(F.cosine_similarity(detached, standardised, dim=0)) < 0.999


def test_only_the_constants_change_how_far_the_students_logits_spread() -> None:
    for config, moves in zip(BOTH, (False, True), strict=True):
        slope = kd_and_slope(config, logits(1), logits(0))[1]
        along = (slope * logits(1)).sum(dim=1).abs()
        assert bool((along > 1e-6).all()) == moves
        torch.testing.assert_close(slope.sum(dim=1), torch.zeros(5).double(), atol=1e-12, rtol=0)


def test_the_weight_of_the_teacher_is_alpha() -> None:
    batch = Batch(logits(1), LABELS, logits(0))
    found = KDStdConfig(alpha=0.7).build().loss(logits(1), batch)
    assert found.kd is not None
    ce = F.cross_entropy(logits(1), LABELS)
    torch.testing.assert_close(found.total, 0.3 * ce + 0.7 * found.kd)


@pytest.mark.parametrize("config", BOTH, ids=NAMES)
@pytest.mark.parametrize("value", [0.0, 0.1, -300.1])
def test_constant_logits_of_either_side_are_finite_and_no_explosion(
    config: KDStdConfig, value: float
) -> None:
    constant = torch.full((5, 7), value)
    for student, teacher in ((constant, logits(0).float()), (logits(0).float(), constant)):
        kd, slope = kd_and_slope(config, student, teacher)
        assert kd.isfinite()
        assert 0.001 < float(slope.abs().max()) < 10


@pytest.mark.parametrize("config", BOTH, ids=NAMES)
@pytest.mark.parametrize("scale", [1e-4, 1e2, 1e4])
def test_it_is_finite_at_extreme_logits(config: KDStdConfig, scale: float) -> None:
    for teacher in (logits(0), logits(1), -logits(1)):
        kd, slope = kd_and_slope(config, scale * logits(1).float(), scale * teacher.float())
        assert kd.isfinite()
        assert slope.isfinite().all()


def test_two_classes_are_too_few() -> None:
    assert all(config.min_classes == 3 for config in BOTH)


def test_labels_may_be_probabilities() -> None:
    soft = 0.6 * F.one_hot(LABELS, 7).double() + 0.4 / 7
    mixed = KDStdConfig().build().loss(logits(1), Batch(logits(1), soft, logits(0)))
    torch.testing.assert_close(mixed.ce, F.cross_entropy(logits(1), soft))
    torch.testing.assert_close(mixed.kd, kd_and_slope(KDStdConfig(), logits(1), logits(0))[0])


@pytest.mark.parametrize(
    ("fields", "message"), [({"tau": 0.0}, "tau=0.0"), ({"alpha": -0.1}, "alpha=-0.1")]
)
def test_a_value_out_of_range_is_named(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        KDStdConfig(**fields)  # type: ignore[arg-type]


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="same classes"):
        kd_and_slope(KDStdConfig(), logits(1), logits(0, 4))
