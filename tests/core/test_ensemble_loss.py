"""The loss of several teachers: against closed forms, and against that of one."""

import pytest
import torch
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.distillers import CAMKDConfig, KDConfig, MeanLogitsConfig, MeanLossesConfig
from metakd.core.distillers.several import CAMKD
from metakd.core.ensemble_loss import TeachersError, ensemble_loss, stacked
from metakd.core.losses import Scale, distillation_loss, tempered_divergence

B, K, C = 6, 3, 5
SCALES: tuple[Scale, ...] = ("product", "detached", "free")


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


STUDENT, TEACHERS = normal(B, C, seed=0), 2 * normal(B, K, C, seed=1)
LABELS = torch.arange(B) % C
BATCH = Batch(torch.zeros(B, 1), LABELS, None, TEACHERS)


@pytest.mark.parametrize("scale", SCALES)
def test_one_teacher_of_weight_1_is_the_loss_of_one_to_the_last_bit(scale: Scale) -> None:
    one = torch.ones(B, 1, dtype=torch.float64)
    found = ensemble_loss(STUDENT, TEACHERS[:, :1], one, LABELS, 2.0, 8.0, 0.7, scale=scale)
    expected = distillation_loss(STUDENT, TEACHERS[:, 0], LABELS, 2.0, 8.0, 0.7, scale)
    assert found == expected


@pytest.mark.parametrize(
    "config", [MeanLossesConfig(), MeanLogitsConfig(), CAMKDConfig()], ids=lambda c: c.method
)
def test_with_one_teacher_every_method_is_kd(config: MeanLossesConfig) -> None:
    batch = BATCH._replace(ensemble_logits=TEACHERS[:, :1])
    alone = KDConfig().build().loss(STUDENT, Batch(BATCH.inputs, LABELS, TEACHERS[:, 0]))
    assert config.build().loss(STUDENT, batch) == alone


def test_the_scale_free_loss_has_the_gradient_norm_of_tau_4() -> None:
    weights = normal(B, K, seed=2).softmax(dim=1)

    def slope(tau_s: float, tau_t: float, scale: Scale) -> Tensor:
        z = STUDENT.clone().requires_grad_()
        loss = ensemble_loss(z, TEACHERS, weights, LABELS, tau_s, tau_t, 1.0, scale=scale)
        loss.total.backward()
        assert z.grad is not None
        return z.grad

    reference = slope(4.0, 4.0, "product").norm()
    for tau_s, tau_t in ((1.0, 1.0), (2.0, 16.0), (32.0, 0.5)):
        assert torch.isclose(slope(tau_s, tau_t, "free").norm(), reference)


def test_the_mean_of_losses_is_the_mean_of_the_divergences() -> None:
    losses = MeanLossesConfig(tau_s=2.0, tau_t=2.0).build().loss(STUDENT, BATCH)
    each = [tempered_divergence(STUDENT, z, 2.0, 2.0) for z in TEACHERS.unbind(dim=1)]
    assert losses.kd is not None
    assert torch.isclose(losses.kd, 4 * torch.stack(each).mean())
    assert torch.isclose(losses.total, 0.1 * losses.ce + 0.9 * losses.kd)


def test_the_mean_of_logits_is_one_teacher() -> None:
    mean = Batch(BATCH.inputs, LABELS, TEACHERS.mean(dim=1))
    assert MeanLogitsConfig().build().loss(STUDENT, BATCH) == KDConfig().build().loss(STUDENT, mean)


def test_confidence_weights_sum_to_1_and_prefer_who_is_sure_of_the_label() -> None:
    sure, unsure, wrong = 0, 1, 2
    teachers = torch.zeros(B, K, C, dtype=torch.float64)
    rows = torch.arange(B)
    teachers[rows, sure, LABELS] = 5.0
    teachers[rows, wrong, (LABELS + 1) % C] = 5.0
    weights = CAMKD(CAMKDConfig()).weights(STUDENT, BATCH._replace(ensemble_logits=teachers))
    assert torch.allclose(weights.sum(dim=1), torch.ones(B, dtype=torch.float64))
    assert (weights[:, sure] > weights[:, unsure]).all()
    assert (weights[:, unsure] > weights[:, wrong]).all()
    # The formula of the paper, one row by hand.
    ce = -teachers[0].log_softmax(dim=1)[:, LABELS[0]]
    expected = (1 - ce.exp() / ce.exp().sum()) / (K - 1)
    assert torch.allclose(weights[0], expected)


@pytest.mark.parametrize("kind", [MeanLossesConfig, MeanLogitsConfig, CAMKDConfig])
def test_the_order_of_the_teachers_does_not_matter(kind: type[MeanLossesConfig]) -> None:
    config = kind()
    other = BATCH._replace(ensemble_logits=TEACHERS[:, [2, 0, 1]])
    found, expected = (config.build().loss(STUDENT, batch).total for batch in (other, BATCH))
    assert torch.isclose(found, expected)


def test_teachers_of_other_classes_are_refused_in_one_line() -> None:
    with pytest.raises(TeachersError, match=r"all teachers .* \(6, 5\), \(6, 4\)"):
        stacked([STUDENT, STUDENT[:, :4]])
    with pytest.raises(TeachersError, match="none"):
        stacked([])
    with pytest.raises(TeachersError, match="same classes"):
        MeanLossesConfig().build().loss(STUDENT[:, :4], BATCH)


@pytest.mark.parametrize(
    "wrong",
    [{"tau_s": 0.0}, {"tau_t": -1.0}, {"alpha": 1.5}, {"ce_weight": -1.0}, {"features_weight": -1}],
)
def test_a_field_out_of_its_range_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MeanLossesConfig(**wrong)
