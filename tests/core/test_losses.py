import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.core.batches import Batch
from metakd.core.distillers import KDConfig, ScaleFreeKDConfig
from metakd.core.losses import Scale, distillation_loss, tempered_divergence

taus = st.floats(0.25, 64)


def logits(seed: int, scale: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(5, 7, generator=generator, dtype=torch.float64)


@given(taus, taus)
@settings(max_examples=25, deadline=None)
def test_divergence_is_the_sum_over_classes_written_out(tau_s: float, tau_t: float) -> None:
    p = torch.softmax(logits(0) / tau_t, dim=1)
    q = torch.softmax(logits(1) / tau_s, dim=1)
    expected = (p * (p.log() - q.log())).sum(dim=1)
    torch.testing.assert_close(tempered_divergence(logits(1), logits(0), tau_s, tau_t), expected)


@given(taus, taus, st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_only_the_ratio_of_logits_and_temperature_matters(
    tau_s: float, tau_t: float, c: float
) -> None:
    scaled = tempered_divergence(c * logits(1), c * logits(0), c * tau_s, c * tau_t)
    torch.testing.assert_close(scaled, tempered_divergence(logits(1), logits(0), tau_s, tau_t))


def test_equal_temperatures_give_hintons_loss() -> None:
    z, teacher, y = logits(1), logits(0), torch.tensor([0, 1, 2, 3, 4])
    tau, alpha = 4.0, 0.9
    soft = F.kl_div(
        F.log_softmax(z / tau, dim=1), F.softmax(teacher / tau, dim=1), reduction="batchmean"
    )
    expected = (1 - alpha) * F.cross_entropy(z, y) + alpha * tau**2 * soft
    torch.testing.assert_close(distillation_loss(z, teacher, y, tau, tau, alpha).total, expected)


def test_gradient_at_the_logits_has_its_closed_form() -> None:
    z, teacher, y = logits(1).requires_grad_(), logits(0), torch.tensor([0, 1, 2, 3, 4])
    tau_s, tau_t, alpha = 2.0, 5.0, 0.7
    distillation_loss(z, teacher, y, tau_s, tau_t, alpha).total.backward()
    q = torch.softmax(z.detach() / tau_s, dim=1)
    p = torch.softmax(teacher / tau_t, dim=1)
    hard = torch.softmax(z.detach(), dim=1) - F.one_hot(y, 7)
    torch.testing.assert_close(z.grad, ((1 - alpha) * hard + alpha * tau_t * (q - p)) / 5)


def test_the_teacher_that_agrees_costs_nothing() -> None:
    parts = distillation_loss(logits(0), logits(0), torch.zeros(5, dtype=torch.long), 4.0, 4.0, 0.9)
    assert parts.kd is not None
    assert abs(float(parts.kd)) < 1e-12
    torch.testing.assert_close(parts.total, 0.1 * parts.ce, rtol=0, atol=1e-12)


def gradient_of_kd(tau_s: float, tau_t: float, scale: Scale) -> torch.Tensor:
    z, y = logits(1).requires_grad_(), torch.tensor([0, 1, 2, 3, 4])
    kd = distillation_loss(z, logits(0), y, tau_s, tau_t, 0.9, scale).kd
    assert kd is not None
    return torch.autograd.grad(kd, z)[0].flatten()


@given(taus, taus)
@settings(max_examples=25, deadline=None)
def test_scale_free_temperatures_turn_the_gradient_and_keep_its_size(
    tau_s: float, tau_t: float
) -> None:
    free, product = gradient_of_kd(tau_s, tau_t, "free"), gradient_of_kd(tau_s, tau_t, "product")
    reference = gradient_of_kd(4.0, 4.0, "product")
    torch.testing.assert_close(free.norm(), reference.norm())
    torch.testing.assert_close(F.cosine_similarity(free, product, dim=0).item(), 1.0)


def test_a_detached_factor_has_the_same_gradient_at_the_logits_and_another_at_tau() -> None:
    found = {}
    for scale in ("product", "detached"):
        tau = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        z = logits(1).requires_grad_()
        kd = distillation_loss(z, logits(0), torch.zeros(5).long(), tau, tau, 0.9, scale).kd
        assert kd is not None
        found[scale] = torch.autograd.grad(kd, [z, tau])
    torch.testing.assert_close(found["product"][0], found["detached"][0])
    # d(τ² KL)/dτ = 2τ KL + τ² dKL/dτ: the detached factor lacks the first term.
    kl = tempered_divergence(logits(1), logits(0), 3.0, 3.0).mean()
    torch.testing.assert_close(found["product"][1] - found["detached"][1], 6.0 * kl)


def test_a_sample_may_have_its_own_temperatures() -> None:
    taus_s, taus_t = torch.arange(1.0, 6.0).double(), torch.arange(2.0, 7.0).double()
    z, teacher, y = logits(1), logits(0), torch.arange(5)
    together = distillation_loss(z, teacher, y, taus_s, taus_t, 0.9)
    alone = [
        distillation_loss(z[i : i + 1], teacher[i : i + 1], y[i : i + 1], i + 1.0, i + 2.0, 0.9)
        for i in range(5)
    ]
    torch.testing.assert_close(together.total, torch.stack([one.total for one in alone]).mean())


def test_labels_may_be_probabilities() -> None:
    y = torch.tensor([0, 1, 2, 3, 4])
    hard = distillation_loss(logits(1), logits(0), y, 2.0, 3.0, 0.5)
    soft = distillation_loss(logits(1), logits(0), F.one_hot(y, 7).double(), 2.0, 3.0, 0.5)
    torch.testing.assert_close(hard, soft)


def test_logits_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(5, 7\) and \(5, 3\): give both heads"):
        distillation_loss(logits(0), logits(1)[:, :3], torch.zeros(5).long(), 4.0, 4.0, 0.9)


@pytest.mark.parametrize("gap", [0.0, 1e-3, 1e-1])
@pytest.mark.parametrize("certainty", [1.0, 40.0, 1000.0])
def test_scale_free_stays_finite_where_both_sides_agree(gap: float, certainty: float) -> None:
    """Certain of the same classes, q − p underflows to zero, and nothing is left to scale up."""
    teacher = certainty * F.one_hot(torch.arange(5), 7).float()
    tau = torch.tensor(1.0, requires_grad=True)
    z = (teacher + gap * logits(1).float()).requires_grad_()
    kd = distillation_loss(z, teacher, torch.arange(5), tau, tau, 0.9, "free").kd
    assert kd is not None
    (slope,) = torch.autograd.grad(kd, z, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.square().sum(), tau)
    assert kd.isfinite()
    assert slope.isfinite().all()
    assert curvature.isfinite()


@pytest.mark.parametrize(("tau_s", "tau_t"), [(1.0, 1.0), (2.0, 8.0), (16.0, 16.0)])
def test_scale_free_distillation_has_the_gradient_size_of_tau_4(tau_s: float, tau_t: float) -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = 3 * torch.randn(2, 32, 10, generator=generator, dtype=torch.float64)
    batch = Batch(torch.zeros(32, 1), torch.zeros(32, dtype=torch.int64), teacher)

    def gradient(config: KDConfig) -> torch.Tensor:
        z = student.clone().requires_grad_()
        kd = config.build().loss(z, batch).kd
        assert kd is not None
        return torch.autograd.grad(kd, z)[0]

    at_4 = gradient(KDConfig(4.0, 4.0))
    free = gradient(ScaleFreeKDConfig(tau_s, tau_t))
    assert float(free.norm()) == pytest.approx(float(at_4.norm()), rel=1e-9)
    plain = gradient(KDConfig(tau_s, tau_t))
    torch.testing.assert_close(free / free.norm(), plain / plain.norm())
    torch.testing.assert_close(gradient(ScaleFreeKDConfig(4.0, 4.0)), at_4)
