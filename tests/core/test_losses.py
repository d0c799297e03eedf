import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from metakd.core.losses import distillation_loss, tempered_divergence

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
