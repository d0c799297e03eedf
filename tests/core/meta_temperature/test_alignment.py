"""The alignment rule: its scores against the loss's own gradient, and the weights they give."""

import math

import pytest
import torch
from torch import Tensor, nn

from metakd.core.ensemble_loss import ensemble_loss
from metakd.core.lookahead import Linearised
from metakd.core.losses import distillation_loss
from metakd.core.meta_temperature.rules import POINTS, AlignmentRule, SeenStep

B, C = 12, 5


def seen(seed: int = 0, tangent: Tensor | None = None) -> SeenStep:
    generator = torch.Generator().manual_seed(seed)
    student, teacher, random = 3 * torch.randn(3, B, C, generator=generator)
    return SeenStep(Linearised(student, random if tangent is None else tangent, None), teacher)


def doubled(step: SeenStep) -> SeenStep:
    linearised = step.linearised
    double = Linearised(linearised.logits.double(), linearised.tangent.double(), None)
    return SeenStep(double, step.teacher_logits.double())


def teacher_gradient(step: SeenStep, tau_s: float, tau_t: float) -> Tensor:
    logits = step.linearised.logits.double().requires_grad_()
    labels = torch.zeros(len(logits), dtype=torch.int64)
    kd = distillation_loss(logits, step.teacher_logits.double(), labels, tau_s, tau_t, 1.0).kd
    assert kd is not None
    return torch.autograd.grad(kd, logits)[0].flatten()


def make(shared: bool = False, confidence: float = 0.25) -> tuple[AlignmentRule, nn.Parameter]:
    phi = nn.Parameter(torch.full([] if shared else [2], math.log(4.0)), requires_grad=False)
    return AlignmentRule(1.0, 16.0, confidence, shared), phi


def move(rule: AlignmentRule, phi: nn.Parameter, *steps: SeenStep) -> None:
    rule.move([phi], [torch.zeros_like(phi)], steps, None)


def test_a_score_is_the_cosine_between_the_look_ahead_and_the_teachers_gradient() -> None:
    rule = make()[0].double()
    step = seen()
    scores = rule._scores([doubled(step)], None)
    taus = rule.log_taus.exp().tolist()
    for i in (0, 3, 8):
        for j in (0, 5, 8):
            expected = torch.nn.functional.cosine_similarity(
                -step.linearised.tangent.double().flatten(),
                teacher_gradient(step, taus[i], taus[j]),
                dim=0,
            )
            assert float(scores[i, j]) == pytest.approx(float(expected), rel=1e-9)


def test_of_several_teachers_the_weighted_gradient_is_scored() -> None:
    rule = make()[0].double()
    step = doubled(seen())
    ensemble = torch.stack([doubled(seen(seed)).teacher_logits for seed in (1, 2, 3)], dim=1)
    weights = torch.randn(B, 3, generator=torch.Generator().manual_seed(4)).double().softmax(dim=1)
    scores = rule._scores([SeenStep(step.linearised, ensemble, weights)], None)
    taus = rule.log_taus.exp().tolist()
    labels = torch.zeros(B, dtype=torch.int64)
    for i, j in ((0, 3), (8, 0), (5, 5)):
        logits = step.linearised.logits.clone().requires_grad_()
        loss = ensemble_loss(logits, ensemble, weights, labels, taus[i], taus[j], 1.0)
        (gradient,) = torch.autograd.grad(loss.total, logits)
        wanted = -step.linearised.tangent.flatten()
        expected = torch.nn.functional.cosine_similarity(wanted, gradient.flatten(), dim=0)
        assert float(scores[i, j]) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 0.0])
@pytest.mark.parametrize("certainty", [1.0, 30.0, 1000.0])
def test_single_precision_is_enough_where_both_sides_agree(gap: float, certainty: float) -> None:
    """A student that has become its teacher, certain or not, must not blow up the scores."""
    rule, phi = make()
    for seed in range(5):
        step = seen(seed)
        logits = certainty * step.linearised.logits
        agreed = SeenStep(
            step.linearised._replace(logits=logits), logits + gap * step.teacher_logits
        )
        scores = rule._scores([agreed], None)
        assert scores.abs().max() <= 1 + 1e-5
        move(rule, phi, agreed)
    assert phi.isfinite().all()
    assert rule.weights().sum() == pytest.approx(1.0)


def test_several_steps_score_as_one_batch() -> None:
    rule, _ = make()
    parts = [seen(0), seen(1)]
    whole = SeenStep(
        Linearised(
            torch.cat([p.linearised.logits for p in parts]),
            torch.cat([p.linearised.tangent for p in parts]),
            None,
        ),
        torch.cat([p.teacher_logits for p in parts]),
    )
    torch.testing.assert_close(rule._scores(parts, None), rule._scores([whole], None))


@pytest.mark.parametrize("shared", [False, True])
def test_one_look_ahead_is_no_evidence_and_pure_noise_never_becomes_any(shared: bool) -> None:
    rule, phi = make(shared)
    move(rule, phi, seen(0))
    torch.testing.assert_close(phi.exp(), torch.full_like(phi, 4.0))
    for seed in range(1, 200):
        generator = torch.Generator().manual_seed(1000 + seed)
        move(rule, phi, seen(seed, torch.randn(B, C, generator=generator)))
    weights = rule.weights()
    assert weights.max() < 4 / int((weights > 0).sum())


@pytest.mark.parametrize("wanted", [(2, 6), (7, 1), (4, 4)])
def test_it_finds_the_temperatures_that_the_look_aheads_agree_with(
    wanted: tuple[int, int],
) -> None:
    rule, phi = make(confidence=3.0)
    taus = rule.log_taus.exp().tolist()
    tau_s, tau_t = taus[wanted[0]], taus[wanted[1]]
    for seed in range(60):
        plain = seen(seed)
        push = teacher_gradient(plain, tau_s, tau_t).view(B, C).float()
        generator = torch.Generator().manual_seed(500 + seed)
        noise = 0.05 * push.norm() / B * torch.randn(B, C, generator=generator)
        move(rule, phi, seen(seed, -push + noise))
    assert phi.exp().tolist() == pytest.approx([tau_s, tau_t], rel=0.1)
    assert rule.weights().sum() == pytest.approx(1.0)


def test_it_forgets_nothing_over_a_save_and_a_load() -> None:
    rule, phi = make()
    for seed in range(5):
        move(rule, phi, seen(seed))
    again, other = make()
    again.load_state_dict(rule.state_dict())
    move(rule, phi, seen(9))
    move(again, other, seen(9))
    assert torch.equal(phi, other)


def test_the_running_mean_and_variance_are_those_of_all_scores() -> None:
    rule, phi = make()
    scores = []
    for seed in range(7):
        step = seen(seed)
        score = rule._scores([step], None)
        scores.append(score - score.mean())
        move(rule, phi, step)
    stacked = torch.stack(scores)
    torch.testing.assert_close(rule.mean, stacked.mean(dim=0))
    expected = stacked.var(dim=0, unbiased=False).mean()
    assert float(rule.variance) == pytest.approx(float(expected))
    assert rule.mean.shape == (POINTS, POINTS)
